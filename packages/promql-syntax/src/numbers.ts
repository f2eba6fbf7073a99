/** Numbers and durations as PromQL writes them: where one ends, and what it is worth. */
import { durationMsMax, durationUnitsMs, fail, ok, type Result } from "@pleiad/model";
import { quoteString } from "./go-strings.ts";

export interface NumericScan {
  /** Undefined where the text is neither; `end` then is where it went wrong. */
  readonly kind: "number" | "duration" | undefined;
  readonly end: number;
}

const decimalDigits = "0123456789";
const hexDigits = "0123456789abcdefABCDEF";

/** Finds the end of the number or duration at `start`. What it finds may still turn out to be unreadable. */
export function scanNumeric(text: string, start: number): NumericScan {
  const number = scanNumber(text, start);
  if (number.complete) return { kind: "number", end: number.end };
  const duration = scanDuration(text, number.end);
  return { kind: duration.complete ? "duration" : undefined, end: duration.end };
}

/** The value of a number token. Takes Go's spellings: hexadecimal, octal with a leading 0, `_` between digits, Inf, NaN. */
export function readNumber(text: string): Result<number, string> {
  const word = text.toLowerCase();
  if (word === "inf") return ok(Infinity);
  if (word === "nan") return ok(NaN);
  const digits = text.replaceAll("_", "");
  const integer = readPrefixedInteger(text, digits);
  if (integer !== undefined) return ok(integer);
  const decimal = /^(?:\d(?:_?\d)*\.?(?:\d(?:_?\d)*)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d(?:_?\d)*)?$/;
  if (!decimal.test(text)) return fail(unreadable(text, "invalid syntax"));
  const value = Number(digits);
  return Number.isFinite(value) ? ok(value) : fail(unreadable(text, "value out of range"));
}

const durationSecondsMax = 2 ** 63 / 1e9;

/** The value of a duration token in whole milliseconds. */
export function readDuration(text: string): Result<number, string> {
  let totalMs = 0;
  let lastUnit = -1;
  for (const [, digits = "", unit = ""] of text.matchAll(/(\d*)(\D*)/g)) {
    if (digits === "" && unit === "") continue;
    const order = durationUnitsMs.findIndex(([name]) => name === unit);
    if (digits === "" || unit === "" || Number(digits) > 2 ** 64) {
      return fail(`not a valid duration string: ${quoteString(text)}`);
    }
    const [, unitMs] = durationUnitsMs[order] ?? [];
    if (unitMs === undefined) return fail(`unknown unit ${quoteString(unit)} in duration ${quoteString(text)}`);
    if (order <= lastUnit) return fail(`not a valid duration string: ${quoteString(text)}`);
    lastUnit = order;
    totalMs += Number(digits) * unitMs;
    if (totalMs > durationMsMax) return fail("duration out of range");
  }
  return ok(totalMs);
}

/** Whole milliseconds in seconds, rounded the way Go's Duration.Seconds rounds. */
export function secondsOfDuration(durationMs: number): number {
  return Math.trunc(durationMs / 1000) + ((durationMs % 1000) * 1e6) / 1e9;
}

/** Seconds as written in brackets or after `offset`, in milliseconds; undefined where no duration can be that long. */
export function durationMsOfSeconds(seconds: number): number | undefined {
  if (!(Math.abs(seconds) <= durationSecondsMax)) return undefined;
  // Whole nanoseconds, where they say the same: 1.001 s are 1001 ms, not 1000.9999999999999.
  const snappedMs = Math.round(seconds * 1e9) / 1e6;
  return snappedMs / 1000 === seconds ? snappedMs : seconds * 1000;
}

/** Seconds as written after `@`, in whole milliseconds; undefined where they do not fit 64 bits. */
export function timestampMsOfSeconds(seconds: number): number | undefined {
  const ms = seconds * 1000;
  if (!(Math.abs(ms) < 2 ** 63)) return undefined;
  // Halves go away from zero, as in Go.
  return ms < 0 ? 0 - Math.floor(0.5 - ms) : Math.floor(ms + 0.5);
}

/** The number of seconds that `read` takes for `target`: the quotient, or its neighbour where rounding went astray. */
export function secondsReadAs(target: number, read: (seconds: number) => number | undefined): number {
  const quotient = target / 1000;
  const step = Math.abs(quotient) * 2 ** -53;
  const candidates = [quotient, quotient + step, quotient - step, quotient + 2 * step, quotient - 2 * step];
  return candidates.find((seconds) => read(seconds) === target) ?? quotient;
}

/** The shortest text that reads back as the number. */
export function formatNumber(value: number): string {
  if (value !== value) return "NaN";
  if (value === Infinity) return "Inf";
  if (value === -Infinity) return "-Inf";
  return Object.is(value, -0) ? "-0" : String(value);
}

interface Scan {
  readonly complete: boolean;
  readonly end: number;
}

/**
 * Follows Prometheus's scanner step by step, since what it takes for one token decides which message a broken number
 * gets: `.` and `e` at most once, neither after the other nor after `_`, and no letter right behind.
 */
function scanNumber(text: string, start: number): Scan {
  let end = start;
  const accept = (set: string): boolean => {
    if (end >= text.length || !set.includes(text.charAt(end))) return false;
    end++;
    return true;
  };
  let digits = decimalDigits;
  if (accept("0") && accept("xX")) {
    accept("_");
    digits = hexDigits;
  }
  accept(".");
  accept(digits);
  let sawDot = false;
  let sawExponent = false;
  while (end < text.length && `${digits}._eE`.includes(text.charAt(end))) {
    if (accept(".")) {
      if (sawDot || accept("_.") || digits === hexDigits) return { complete: false, end };
      sawDot = true;
    } else if (accept("eE")) {
      if (sawExponent) return { complete: false, end };
      sawExponent = true;
      accept("+-");
      if (accept("._eE") || end >= text.length) return { complete: false, end };
    } else if (accept("_")) {
      if (accept("._eE") || end >= text.length) return { complete: false, end };
    } else {
      while (accept(digits)) continue;
    }
  }
  return { complete: end > start && !isWordCharacter(text.charAt(end)), end };
}

/** The rest of a duration after its first digits. */
function scanDuration(text: string, start: number): Scan {
  const units = /[smhdwy]s?(?:\d+[smhdw]s?)*/y;
  units.lastIndex = start;
  const end = units.test(text) ? units.lastIndex : start;
  if (end === start) return { complete: false, end };
  const dangling = /\d+/y;
  dangling.lastIndex = end;
  if (dangling.test(text)) return { complete: false, end: dangling.lastIndex };
  const follower = text.charAt(end);
  return isWordCharacter(follower) ? { complete: false, end: end + follower.length } : { complete: true, end };
}

function isWordCharacter(character: string): boolean {
  return /^\w$/.test(character);
}

function readPrefixedInteger(text: string, digits: string): number | undefined {
  if (/^0[xX](?:_?[0-9a-fA-F])+$/.test(text)) {
    const value = BigInt(digits);
    return value < 2n ** 63n ? Number(value) : undefined;
  }
  if (/^0(?:_?[0-7])+$/.test(text)) {
    const value = BigInt(`0o${digits}`);
    return value < 2n ** 63n ? Number(value) : undefined;
  }
  return undefined;
}

function unreadable(text: string, reason: string): string {
  return `error parsing number: strconv.ParseFloat: parsing ${quoteString(text)}: ${reason}`;
}
