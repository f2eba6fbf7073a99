/** Numbers of the exposition formats: read as Go's ParseFloat does, less what came to Go after version 1.12. */

const notDecimal = NaN;
const powersOfTen = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/**
 * The number in bytes [start, end), or undefined where it is none or out of range (`1e400`). Hexadecimal floats and
 * digit separators are refused, as Prometheus does. NaN always is the ordinary one: no text gives the staleness marker.
 */
export function readFloat(bytes: Uint8Array, start: number, end: number): number | undefined {
  const value = readShortDecimal(bytes, start, end);
  return value === value ? value : readAnyFloat(bytes, start, end);
}

/**
 * The common case without a string: up to 15 digits and a power of ten up to 22 are exact in one multiplication or
 * division (Clinger, "How to read floating point numbers accurately"). NaN for all else.
 */
function readShortDecimal(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const first = bytes[at] ?? 0;
  if (first === 0x2d || first === 0x2b) at++;
  let mantissa = 0;
  let digits = 0;
  let fraction = -1; // digits after the point, -1 before one was met
  for (; at < end; at++) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit >= 0 && digit <= 9) {
      mantissa = mantissa * 10 + digit;
      digits++;
      if (fraction >= 0) fraction++;
    } else if (digit === -2 && fraction < 0) {
      fraction = 0;
    } else {
      break;
    }
  }
  if (digits === 0 || digits > 15) return notDecimal;
  let exponent = fraction > 0 ? -fraction : 0;
  if (at < end) {
    if (((bytes[at] ?? 0) | 0x20) !== 0x65) return notDecimal;
    at++;
    const sign = bytes[at] ?? 0;
    if (sign === 0x2d || sign === 0x2b) at++;
    if (at === end || end - at > 3) return notDecimal;
    let power = 0;
    for (; at < end; at++) {
      const digit = (bytes[at] ?? 0) - 0x30;
      if (digit < 0 || digit > 9) return notDecimal;
      power = power * 10 + digit;
    }
    exponent += sign === 0x2d ? -power : power;
  }
  if (exponent > 22 || exponent < -22) return notDecimal;
  const scaled = exponent < 0 ? mantissa / (powersOfTen[-exponent] ?? 1) : mantissa * (powersOfTen[exponent] ?? 1);
  return first === 0x2d ? -scaled : scaled;
}

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
// No float that is printed needs more than some 1,100 digits.
const floatBytesMax = 4096;

function readAnyFloat(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (end - start > floatBytesMax) return undefined;
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at] ?? 0);
  return parseExpositionFloat(text);
}

/** As `readFloat`, of a text: for label values such as those of `le`. */
export function parseExpositionFloat(text: string): number | undefined {
  if (decimal.test(text)) {
    const value = Number(text);
    return value === Infinity || value === -Infinity ? undefined : value;
  }
  switch (text.toLowerCase()) {
    case "nan":
      return NaN;
    case "inf":
    case "+inf":
    case "infinity":
    case "+infinity":
      return Infinity;
    case "-inf":
    case "-infinity":
      return -Infinity;
    default:
      return undefined;
  }
}

/** A float as OpenMetrics writes it in `le` and `quantile`: shortest, with a point or an exponent, Go's exponents. */
export function formatOpenMetricsFloat(value: number): string {
  if (value !== value) return "NaN";
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  // A zero of either sign is "0.0", as in Prometheus.
  if (value === 0) return "0.0";
  const [mantissa = "", power = ""] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 6) return goExponent(mantissa, exponent);
  const plain = String(value);
  return plain.includes(".") ? plain : `${plain}.0`;
}

function goExponent(mantissa: string, exponent: number): string {
  const digits = String(Math.abs(exponent)).padStart(2, "0");
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${digits}`;
}
