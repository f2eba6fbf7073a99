/** Times, durations, limits and switches as request parameters spell them. Failures are the reason in Prometheus's words. */
import { fail, ok, parseDuration, parseFloatText, parseInstant, type Result } from "@pleiad/model";

/** The widest range of times: what a `Date` can hold. Both ends stand for "no bound". */
export const timeMinMs = -8.64e15;
export const timeMaxMs = 8.64e15;

// Prometheus's own extremes, which its clients send as texts that no date parser reads.
const timeMinText = "-292273086-05-16T16:47:06Z";
const timeMaxText = "+292277025-08-18T07:12:54.999999999Z";

/** Float seconds, rounded to milliseconds, or RFC 3339. */
export function parseTimestamp(text: string): Result<number, string> {
  const failure = `cannot parse ${JSON.stringify(text)} to a valid timestamp`;
  const seconds = parseFloatText(text);
  if (seconds !== undefined) {
    const whole = Math.trunc(seconds);
    const fraction = seconds - whole;
    const timestampMs = whole * 1000 + Math.sign(fraction) * Math.round(Math.abs(fraction) * 1000);
    return timestampMs >= timeMinMs && timestampMs <= timeMaxMs ? ok(timestampMs + 0) : fail(failure);
  }
  if (text === timeMinText) return ok(timeMinMs);
  if (text === timeMaxText) return ok(timeMaxMs);
  const instant = parseInstant(text);
  return instant === undefined ? fail(failure) : ok(instant.seconds * 1000 + Math.floor(instant.nanos / 1e6));
}

/** Float seconds or a Prometheus duration, in milliseconds. Below the millisecond a fraction remains. */
export function parseDurationText(text: string): Result<number, string> {
  const failure = `cannot parse ${JSON.stringify(text)} to a valid duration`;
  const seconds = parseFloatText(text);
  if (seconds !== undefined) {
    if (Number.isNaN(seconds)) return fail(failure);
    // The bound is Go's: 64-bit nanoseconds.
    if (Math.abs(seconds) * 1e9 > 2 ** 63) return fail(`${failure}. It overflows int64`);
    return ok(Math.trunc(seconds * 1e9) / 1e6);
  }
  const duration = parseDuration(text);
  return duration.ok ? duration : fail(failure);
}

/** A count of results; 0, and an absent parameter, mean no limit. */
export function parseLimit(text: string): Result<number, string> {
  if (text === "") return ok(0);
  const quoted = JSON.stringify(text);
  if (!/^[+-]?\d+$/.test(text)) return fail(`strconv.Atoi: parsing ${quoted}: invalid syntax`);
  const limit = Number(text);
  if (!Number.isSafeInteger(limit)) return fail(`strconv.Atoi: parsing ${quoted}: value out of range`);
  return limit < 0 ? fail("limit must be non-negative") : ok(limit);
}

const trueTexts: ReadonlySet<string> = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const falseTexts: ReadonlySet<string> = new Set(["0", "f", "F", "false", "FALSE", "False"]);

export function parseSwitch(text: string, absent: boolean): Result<boolean, string> {
  if (text === "") return ok(absent);
  if (trueTexts.has(text)) return ok(true);
  if (falseTexts.has(text)) return ok(false);
  return fail(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}
