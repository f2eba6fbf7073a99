/**
 * Decodes many XOR chunks a call. Byte layout: docs/format/xor-chunk.md. This is AssemblyScript: see the README.
 *
 * The memory is the host's and may be shared by threads: a call works on the regions that it is told, keeps nothing, and
 * there is no static data. The host answers for the regions and for the table; what the chunks say is checked here.
 */

/** A row of the table, one a chunk. In: offset and length of its bytes. Out: samples that it gave, and why no more. */
const rowBytes: usize = 16;
const lengthAt: usize = 4;
const sampleCountAt: usize = 8;
const failureAt: usize = 12; // code in the low byte, number of the sample above it

const failedTruncated: u32 = 1;
const failedFirstTime: u32 = 2;
const failedSecondTime: u32 = 3;
const failedValueWidth: u32 = 4;
const failedTimeRange: u32 = 5;
const failedRoom: u32 = 6;

const timestampMsMax: i64 = 8_640_000_000_000_000;
/** More than any two times lie apart, little enough that adding some of it never overflows. */
const deltaMsHuge: i64 = 1 << 60;

/** What is written beyond the words of a chunk, so that a window may look past its end. One sample takes 145 bits. */
const paddingBytes: usize = 32;

/**
 * Decodes `chunkCount` chunks into the columns `timestamps` and `values`, one after the other without gaps; gives the
 * number of samples written. A chunk ends before the first sample later than `untilMs`: what follows is not looked at. A
 * chunk that fails gives no samples, and the next one is decoded all the same. `words` is room for the longest chunk and
 * 48 bytes more; bytes up to 16 after a chunk are read, and ignored.
 */
export function decode(
  table: usize,
  chunkCount: u32,
  words: usize,
  wordsLength: usize,
  timestamps: usize,
  values: usize,
  capacity: u32,
  untilMs: f64,
): u32 {
  const bound = <f64>timestampMsMax;
  const limitMs = <i64>Math.floor(Math.max(-bound - 1, Math.min(bound, untilMs)));
  let written: u32 = 0;
  for (let chunk: u32 = 0; chunk < chunkCount; chunk++) {
    const row = table + <usize>chunk * rowBytes;
    const failure = decodeChunk(
      row,
      words,
      wordsLength,
      timestamps + ((<usize>written) << 3),
      values + ((<usize>written) << 3),
      capacity - written,
      limitMs,
    );
    store<u32>(row, failure, failureAt);
    if (failure !== 0) store<u32>(row, 0, sampleCountAt);
    written += load<u32>(row, sampleCountAt);
  }
  return written;
}

/** Writes the samples and their number; gives 0, or the failure. */
function decodeChunk(
  row: usize,
  words: usize,
  wordsLength: usize,
  timestamps: usize,
  values: usize,
  capacity: u32,
  limitMs: i64,
): u32 {
  store<u32>(row, 0, sampleCountAt);
  const bytes: usize = load<u32>(row);
  const length: usize = load<u32>(row, lengthAt);
  if (length < 2) return failedTruncated;
  const sampleCount = ((<u32>load<u8>(bytes)) << 8) | load<u8>(bytes, 1);
  if (sampleCount === 0) return 0;
  const endBit: u32 = (<u32>length) << 3;
  if (endBit < fewestBits(sampleCount)) return failedTruncated;
  if (sampleCount > capacity || length + 16 + paddingBytes > wordsLength) return failedRoom;
  swapWords(bytes, length, words);

  // Sample 0: zigzag varint, then the value whole. Both, and the varint of sample 1, lie on byte boundaries.
  let byteAt: usize = 2;
  let raw: u64 = 0;
  for (let shift: u64 = 0; ; shift += 7) {
    if (shift === 70) return failedFirstTime;
    if (byteAt >= length) return failedTruncated;
    const byte: u64 = load<u8>(bytes + byteAt++);
    raw |= (byte & 0x7f) << shift;
    // Of the tenth byte one bit is left: whatever it is, the time is out of range.
    if (shift === 63 && (byte & 0x7f) !== 0) raw = (<u64>deltaMsHuge) << 1;
    if (byte < 0x80) break;
  }
  let timestampMs: i64 = <i64>(raw >>> 1) ^ -(<i64>(raw & 1));
  let bit: u32 = (<u32>byteAt) << 3;
  let value: u64 = windowAt(words, bit);
  bit += 64;
  byteAt += 8;
  if (bit > endBit) return failedTruncated;
  if (timestampMs > timestampMsMax || timestampMs < -timestampMsMax) return failedTimeRange;
  if (timestampMs > limitMs) return 0;
  store<f64>(timestamps, <f64>timestampMs);
  store<u64>(values, value);

  let deltaMs: i64 = 0;
  if (sampleCount > 1) {
    raw = 0;
    for (let shift: u64 = 0; ; shift += 7) {
      if (shift === 70) return failedSecondTime;
      if (byteAt >= length) return failedTruncated;
      const byte: u64 = load<u8>(bytes + byteAt++);
      raw |= (byte & 0x7f) << shift;
      if (shift === 63 && (byte & 0x7f) !== 0) raw = <u64>deltaMsHuge;
      if (byte < 0x80) break;
    }
    deltaMs = raw > <u64>deltaMsHuge ? deltaMsHuge : <i64>raw;
    bit = (<u32>byteAt) << 3;
  }

  // Until a window is announced all 64 bits count: an appender re-opened on such a chunk relies on it.
  let significantBits: u32 = 64;
  let trailing: u32 = 0;
  const timestampsEnd = timestamps + ((<usize>sampleCount) << 3);
  // Where values lie from times, so that one pointer serves both.
  const toValues = values - timestamps;
  let at = timestamps + 8;
  let isSecond = true;

  while (at < timestampsEnd) {
    let window = windowAt(words, bit);
    let used: u32 = 0;
    if (isSecond) {
      isSecond = false;
    } else if (<i64>window >= 0) {
      if (window >>> 62 === 0) {
        // The same again: two zero bits a sample, as many as come.
        const run = min(min(<u32>clz(window), endBit - bit) >>> 1, <u32>((timestampsEnd - at) >>> 3));
        if (run === 0) return failedTruncated;
        bit += run << 1;
        for (let runEnd = at + ((<usize>run) << 3); at < runEnd; at += 8) {
          timestampMs += deltaMs;
          if (timestampMs > limitMs || timestampMs < -timestampMsMax) break;
          store<f64>(at, <f64>timestampMs);
          store<u64>(at + toValues, value);
        }
        if (timestampMs > limitMs || timestampMs < -timestampMsMax) break;
        continue;
      }
      used = 1;
      window <<= 1;
    } else if ((window & (1 << 62)) === 0) {
      // The n-bit ranges are -(2^(n-1)-1) … 2^(n-1): the pattern 2^(n-1) alone is positive.
      const change = <i64>((window << 2) >>> 50);
      deltaMs += change - (change > 0x2000 ? 0x4000 : 0);
      used = 16;
      window <<= 16;
    } else if ((window & (1 << 61)) === 0) {
      const change = <i64>((window << 3) >>> 47);
      deltaMs += change - (change > 0x10000 ? 0x20000 : 0);
      used = 20;
      window <<= 20;
    } else if ((window & (1 << 60)) === 0) {
      const change = <i64>((window << 4) >>> 44);
      deltaMs += change - (change > 0x80000 ? 0x100000 : 0);
      used = 24;
      window <<= 24;
    } else {
      const change = <i64>windowAt(words, bit + 4);
      deltaMs = change > deltaMsHuge || change < -deltaMsHuge ? deltaMsHuge : deltaMs + change;
      bit += 68;
      window = windowAt(words, bit);
    }
    timestampMs += deltaMs;

    // At least 40 bits of the window are left: the longest value code takes 13.
    if (<i64>window >= 0) {
      bit += used + 1;
    } else {
      if ((window & (1 << 62)) === 0) {
        used += 2;
        window <<= 2;
      } else {
        const leading = <u32>(window >>> 57) & 31;
        significantBits = <u32>(window >>> 51) & 63;
        if (significantBits === 0) significantBits = 64;
        used += 13;
        if (leading + significantBits > 64) {
          return bit + used > endBit ? failedTruncated : failedAt(failedValueWidth, at, timestamps);
        }
        trailing = 64 - leading - significantBits;
        window <<= 13;
      }
      bit += used;
      if (used + significantBits > 64) window = windowAt(words, bit);
      value ^= (window >>> (64 - significantBits)) << trailing;
      bit += significantBits;
    }

    if (bit > endBit) return failedTruncated;
    if (timestampMs > limitMs || timestampMs < -timestampMsMax) break;
    store<f64>(at, <f64>timestampMs);
    store<u64>(at + toValues, value);
    at += 8;
  }
  if (timestampMs > timestampMsMax || timestampMs < -timestampMsMax) return failedAt(failedTimeRange, at, timestamps);
  store<u32>(row, <u32>((at - timestamps) >>> 3), sampleCountAt);
  return 0;
}

/** Copies a chunk as 64-bit words with the first bit highest, and zeros after it. */
function swapWords(bytes: usize, length: usize, words: usize): void {
  for (let i: usize = 0; i < length; i += 16) {
    const swapped = v128.shuffle<u8>(
      v128.load(bytes + i),
      v128.load(bytes + i),
      7,
      6,
      5,
      4,
      3,
      2,
      1,
      0,
      15,
      14,
      13,
      12,
      11,
      10,
      9,
      8,
    );
    v128.store(words + i, swapped);
  }
  const lastWord = words + (length & ~7);
  const lastBits: u64 = (<u64>length & 7) << 3;
  store<u64>(lastWord, lastBits === 0 ? 0 : load<u64>(lastWord) & ((<u64>-1) << (64 - lastBits)));
  for (let i: usize = 8; i <= paddingBytes; i += 8) store<u64>(lastWord + i, 0);
}

/** The 64 bits from a bit position on. */
function windowAt(words: usize, bit: u32): u64 {
  const word = words + ((<usize>bit >>> 6) << 3);
  const shift = <u64>bit & 63;
  // Two shifts: a shift by 64 is a shift by 0.
  return (load<u64>(word) << shift) | ((load<u64>(word, 8) >>> 1) >>> (63 - shift));
}

function fewestBits(sampleCount: u32): u32 {
  const first: u32 = 16 + 8 + 64;
  return sampleCount === 1 ? first : first + 8 + 1 + 2 * (sampleCount - 2);
}

function failedAt(code: u32, at: usize, timestamps: usize): u32 {
  return code | ((<u32>((at - timestamps) >>> 3)) << 8);
}
