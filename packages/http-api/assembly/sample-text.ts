/**
 * Writes samples as JSON: `[1500.500,"0.1"],[1501,"2e-07"]`. This is AssemblyScript: see packages/chunks/README.md.
 *
 * Values have the shortest decimal that reads back as the same double, by the method of R. Giulietti, "The Schubfach way
 * to render doubles"; names of variables are those of the paper. The memory is the host's: a call keeps nothing.
 */

/** Room for the longest sample, `,[-8640000000000.000,"-1.2345678901234567e-308"]`, and a word beyond its last number. */
const sampleBytesMax: usize = 64;

const comma: u32 = 0x2c;
const point: u32 = 0x2e;
const minus: u32 = 0x2d;
const zero: u32 = 0x30;

/** What starts a sample, `[1500.500,"`: 31 bytes of room for the text, and its length in the last. */
const timeTextBytes: usize = 32;

/** Writes the starts of samples at these times, one after the other: series of one answer share them as a rule. */
export function writeTimes(timestamps: usize, count: u32, texts: usize, digits: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    const start = texts + <usize>i * timeTextBytes;
    store<u8>(start, 0x5b); // [
    const at = writeTime(start + 1, <i64>load<f64>(timestamps + ((<usize>i) << 3)), digits);
    store<u16>(at, 0x222c); // ,"
    store<u8>(start, <u32>(at + 2 - start), 31);
  }
}

/**
 * Writes samples [0, count) to `out`, a comma before each but the first, until less than a sample's room is left before
 * `outEnd`. Gives the end of what was written; the number of the next sample goes to `progress`.
 * `texts` is what `writeTimes` wrote.
 * `digits` holds the texts 00 to 99, `powers` the two halves of g(k) for k = -324 … 292 as the paper has them.
 */
export function writeSamples(
  texts: usize,
  values: usize,
  count: u32,
  out: usize,
  outEnd: usize,
  progress: usize,
  digits: usize,
  powers: usize,
): usize {
  let at = out;
  let i: u32 = 0;
  for (; i < count; i++) {
    if (at + sampleBytesMax > outEnd) break;
    if (i !== 0) {
      store<u8>(at, comma);
      at++;
    }
    const text = texts + <usize>i * timeTextBytes;
    store<u64>(at, load<u64>(text));
    store<u64>(at, load<u64>(text, 8), 8);
    const length = <usize>load<u8>(text, 31);
    if (length > 16) {
      store<u64>(at, load<u64>(text, 16), 16);
      store<u64>(at, load<u64>(text, 24), 24);
    }
    at = writeValue(at + length, load<u64>(values + ((<usize>i) << 3)), digits, powers);
    store<u16>(at, 0x5d22); // "]
    at += 2;
  }
  store<u32>(progress, i);
  return at;
}

/** Seconds, with three decimals where the millisecond part is not zero. */
function writeTime(start: usize, timestampMs: i64, digits: usize): usize {
  let at = start;
  let magnitude = <u64>timestampMs;
  if (timestampMs < 0) {
    store<u8>(at, minus);
    at++;
    magnitude = 0 - magnitude;
  }
  const seconds = magnitude / 1000;
  const fraction = <u32>(magnitude - seconds * 1000);
  at = writeWhole(at, seconds);
  if (fraction === 0) return at;
  store<u8>(at, point);
  store<u8>(at + 1, zero + fraction / 100);
  store<u16>(at + 2, load<u16>(digits + <usize>((fraction % 100) << 1)));
  return at + 4;
}

function writeValue(start: usize, bits: u64, digits: usize, powers: usize): usize {
  let at = start;
  const biased = <u32>(bits >> 52) & 0x7ff;
  const fraction = bits & 0x000f_ffff_ffff_ffff;
  if (biased === 0x7ff) {
    if (fraction !== 0) {
      store<u16>(at, 0x614e); // Na
      store<u8>(at + 2, 0x4e);
      return at + 3;
    }
    store<u8>(at, <i64>bits < 0 ? minus : 0x2b);
    store<u16>(at + 1, 0x6e49); // In
    store<u8>(at + 3, 0x66);
    return at + 4;
  }
  if (<i64>bits < 0) {
    store<u8>(at, minus);
    at++;
  }
  if (biased === 0 && fraction === 0) {
    store<u8>(at, zero);
    return at + 1;
  }
  // Whole numbers below 2^53 are their own shortest decimal, less their zeros, which are written anyhow.
  const shift = 1075 - <i32>biased;
  if (shift >= 0 && shift < 53) {
    const mantissa = fraction | 0x0010_0000_0000_0000;
    const whole = mantissa >> shift;
    if (whole << shift === mantissa) return writeWhole(at, whole);
  }
  // Of up to 15 digits only one decimal can be nearest to a double, so one that reads back is the shortest but for zeros.
  const value = reinterpret<f64>(bits & 0x7fff_ffff_ffff_ffff);
  const hundredths = nearest(value * 1e2);
  if (hundredths < 1e15 && hundredths / 1e2 === value) return writeHundredths(at, <u64>hundredths, digits);
  const billionths = nearest(value * 1e9);
  if (billionths < 1e15 && billionths / 1e9 === value) return writeStripped(at, <u64>billionths, -9, digits);
  return writeShortest(at, biased, fraction, digits, powers);
}

/** Prices and seconds: two decimals, or one. At least one is not zero, and none of them is far from the point. */
function writeHundredths(start: usize, hundredths: u64, digits: usize): usize {
  const whole = hundredths / 100;
  const fraction = <u32>(hundredths - whole * 100);
  const at = writeWhole(start, whole);
  store<u8>(at, point);
  store<u16>(at + 1, load<u16>(digits + <usize>(fraction << 1)));
  return at + 3 - <usize>(fraction % 10 === 0);
}

function writeShortest(start: usize, biased: u32, fraction: u64, digits: usize, powers: usize): usize {
  const c = biased === 0 ? fraction : fraction | 0x0010_0000_0000_0000;
  const q: i32 = biased === 0 ? -1074 : <i32>biased - 1075;
  const out = c & 1;
  const cb = c << 2;
  const cbr = cb + 2;
  let cbl = cb - 2;
  let k: i32;
  if (c !== 0x0010_0000_0000_0000 || biased <= 1) {
    k = <i32>((<i64>q * 661_971_961_083) >> 41);
  } else {
    // A power of two: the double below is half as far away as the one above.
    cbl = cb - 1;
    k = <i32>((<i64>q * 661_971_961_083 - 274_743_187_321) >> 41);
  }
  const h = <u64>(q + <i32>((<i64>-k * 913_124_641_741) >> 38) + 2);
  const row = powers + ((<usize>(k + 324)) << 4);
  const g1 = load<u64>(row);
  const g0 = load<u64>(row, 8);
  const vb = roundToOdd(g1, g0, cb << h);
  const vbl = roundToOdd(g1, g0, cbl << h);
  const vbr = roundToOdd(g1, g0, cbr << h);
  const s = vb >> 2;
  let decimal: u64;
  const tens = s / 10;
  const sp = tens * 10;
  const spIn = vbl + out <= sp << 2;
  const tpIn = ((sp + 10) << 2) + out <= vbr;
  if (s >= 10 && spIn !== tpIn) {
    decimal = spIn ? sp : sp + 10;
  } else {
    const t = s + 1;
    const sIn = vbl + out <= s << 2;
    const tIn = (t << 2) + out <= vbr;
    if (sIn !== tIn) {
      decimal = sIn ? s : t;
    } else {
      const above = <i64>(vb - ((s + t) << 1));
      decimal = above < 0 || (above === 0 && (s & 1) === 0) ? s : t;
    }
  }
  return writeStripped(start, decimal, k, digits);
}

/** decimal · 10^k, for a decimal that may end in zeros. */
function writeStripped(start: usize, decimal: u64, k: i32, digits: usize): usize {
  let rest = decimal;
  let exponent = k;
  while (rest >= 100_000_000) {
    const next = rest / 100_000_000;
    if (next * 100_000_000 !== rest) break;
    rest = next;
    exponent += 8;
  }
  while (true) {
    const next = rest / 10;
    if (next * 10 !== rest) break;
    rest = next;
    exponent++;
  }
  return writeDecimal(start, rest, exponent, digits);
}

/** decimal · 10^k: with an exponent below 1e-6 and from 1e21, of two digits at least. */
function writeDecimal(start: usize, decimal: u64, k: i32, digits: usize): usize {
  const length = digitCount(decimal);
  const pointAt = length + k; // digits before the point
  if (k >= 0 && pointAt <= 21) {
    const at = writeWhole(start, decimal);
    for (let i = 0; i < k; i++) store<u8>(at + <usize>i, zero);
    return at + <usize>k;
  }
  if (pointAt > 0 && pointAt <= 21) {
    // The digits are written one place to the right, and those before the point moved back.
    const end = writeWhole(start + 1, decimal);
    for (let i = 0; i < pointAt; i++) store<u8>(start + <usize>i, load<u8>(start + 1 + <usize>i));
    store<u8>(start + <usize>pointAt, point);
    return end;
  }
  if (pointAt > -6 && pointAt <= 0) {
    store<u16>(start, 0x2e30); // 0.
    for (let i = 0; i < -pointAt; i++) store<u8>(start + 2 + <usize>i, zero);
    return writeWhole(start + 2 + <usize>-pointAt, decimal);
  }
  let at: usize;
  if (length === 1) {
    store<u8>(start, zero + <u32>decimal);
    at = start + 1;
  } else {
    at = writeWhole(start + 1, decimal);
    store<u8>(start, load<u8>(start + 1));
    store<u8>(start + 1, point);
  }
  const exponent = pointAt - 1;
  store<u16>(at, exponent < 0 ? 0x2d65 : 0x2b65); // e- e+
  const magnitude = <u32>abs(exponent);
  if (magnitude >= 100) return writeWhole(at + 2, magnitude);
  store<u16>(at + 2, load<u16>(digits + <usize>(magnitude << 1)));
  return at + 4;
}

/** May write up to seven bytes more than it tells. */
function writeWhole(start: usize, value: u64): usize {
  if (value < 100_000_000) return writeBelow(start, <u32>value);
  const high = value / 100_000_000;
  const at = high < 100_000_000 ? writeBelow(start, <u32>high) : writeWhole(start, high);
  store<u64>(at, eightDigits(<u32>(value - high * 100_000_000)) | eightZeros);
  return at + 8;
}

/** A number of up to eight digits. */
function writeBelow(start: usize, value: u32): usize {
  const text = eightDigits(value);
  // The bits of leading zeros, of which the last digit is none.
  const zeros = ctz(text | (1 << 56)) & 0x38;
  store<u64>(start, (text | eightZeros) >> zeros);
  return start + 8 - <usize>(zeros >> 3);
}

const eightZeros: u64 = 0x3030_3030_3030_3030;

/** The decimal digits of a number below 10^8, a byte each, the first one lowest: all lanes of a word are divided at once. */
function eightDigits(value: u32): u64 {
  const high = value / 10_000;
  const fours = <u64>high | ((<u64>(value - high * 10_000)) << 32);
  const hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
  const pairs = hundreds | ((fours - hundreds * 100) << 16);
  const tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
  return tens | ((pairs - tens * 10) << 8);
}

function digitCount(value: u64): i32 {
  if (value < 100_000_000) return digitCountBelow(<u32>value);
  if (value < 10_000_000_000_000_000) return 8 + digitCountBelow(<u32>(value / 100_000_000));
  return 16 + digitCountBelow(<u32>(value / 10_000_000_000_000_000));
}

function digitCountBelow(value: u32): i32 {
  if (value < 10_000) return value < 100 ? (value < 10 ? 1 : 2) : value < 1_000 ? 3 : 4;
  return value < 1_000_000 ? (value < 100_000 ? 5 : 6) : value < 10_000_000 ? 7 : 8;
}

/** The paper's rop: the product shifted down, its lowest bit set where anything was lost. */
function roundToOdd(g1: u64, g0: u64, cp: u64): u64 {
  const x1 = multiplyHigh(g0, cp);
  const y0 = g1 * cp;
  const y1 = multiplyHigh(g1, cp);
  const z = (y0 >> 1) + x1;
  const w = y1 + (z >> 63);
  const mask: u64 = 0x7fff_ffff_ffff_ffff;
  return w | (((z & mask) + mask) >> 63);
}

/** The upper 64 bits of a product. */
function multiplyHigh(a: u64, b: u64): u64 {
  const aLow = a & 0xffff_ffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffff_ffff;
  const bHigh = b >> 32;
  const low = aLow * bLow;
  const middle = aHigh * bLow + (low >> 32);
  const other = aLow * bHigh + (middle & 0xffff_ffff);
  return aHigh * bHigh + (middle >> 32) + (other >> 32);
}
