/**
 * Sample values: their bits and their text.
 *
 * Staleness is one NaN among many, told apart by its bits. Arithmetic and `number[]` may turn it into another NaN,
 * so stored samples stay in a Float64Array or a DataView and are compared here by their 32-bit halves.
 */

export const staleHigh = 0x7ff00000;
export const staleLow = 0x00000002;
/** Prometheus's ordinary NaN: what any NaN that is no staleness marker is stored as. */
export const normalNaNHigh = 0x7ff80000;
export const normalNaNLow = 0x00000001;

const letterE = 0x65;
const scratch = new DataView(new ArrayBuffer(8));

/** Writes Prometheus's staleness marker (0x7ff0000000000002) at index `i`. */
export function setStale(values: Float64Array, i: number): void {
  // DataView writes bits; an assignment of a NaN could quiet it.
  const view = new DataView(values.buffer, values.byteOffset, values.byteLength);
  view.setUint32(8 * i, staleLow, true);
  view.setUint32(8 * i + 4, staleHigh, true);
}

/** Whether value `i` is the staleness marker. `words` is a Uint32Array over the same buffer, little-endian. */
export function isStale(words: Uint32Array, i: number): boolean {
  return words[2 * i] === staleLow && words[2 * i + 1] === staleHigh;
}

/** The value in `le` and `quantile` labels and in JSON: shortest decimal that reads back, Go's spelling of the rest. */
export function formatFloat(value: number): string {
  if (value !== value) return "NaN";
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  if (value === 0) {
    scratch.setFloat64(0, value);
    return scratch.getUint32(0) === 0 ? "0" : "-0";
  }
  const text = String(value);
  // Go gives an exponent two digits at least.
  return text.charCodeAt(text.length - 3) === letterE ? `${text.slice(0, -1)}0${text.slice(-1)}` : text;
}

/** As `formatFloat`, but never with an exponent: how `count_values` writes its label, and the API a scalar. */
export function formatPlainFloat(value: number): string {
  const text = formatFloat(value);
  const parts = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (parts === null) return text;
  const [, sign = "", head = "", tail = "", exponentText = ""] = parts;
  const exponent = Number(exponentText);
  const digits = head + tail;
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  // An exponent of 21 or more always reaches past the 17 digits that a double has.
  return sign + digits.padEnd(exponent + 1, "0");
}

const goFloat = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|0[xX][0-9a-fA-F]+)$/;

/**
 * Reads a number as Go's ParseFloat does, less hexadecimal floats and digit separators: `+Inf`, `-inf`, `NaN` in any
 * case. Undefined where it is none, or out of range (`1e400`).
 */
export function parseFloatText(text: string): number | undefined {
  const value = Number(text);
  if (value === value && value !== Infinity && value !== -Infinity && text.length > 0) {
    return goFloat.test(text) ? value : undefined;
  }
  switch (text.toLowerCase()) {
    case "nan":
    case "+nan":
    case "-nan":
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

/** As Go's `%g` and `%v` print it: shortest that reads back, with an exponent from 1e6 on and below 1e-4. */
export function formatGoFloat(value: number): string {
  const magnitude = Math.abs(value);
  if (!(magnitude > 0) || magnitude === Infinity || (magnitude >= 1e-4 && magnitude < 1e6)) return formatFloat(value);
  const [digits = "", exponent = ""] = value.toExponential().split("e");
  const sign = exponent.startsWith("-") ? "-" : "+";
  return `${digits}e${sign}${exponent.slice(1).padStart(2, "0")}`;
}
