/** Points in time to the nanosecond, as Go has them and writes them in JSON: RFC 3339 with up to nine decimals. */

export interface Instant {
  readonly seconds: number; // since 1970, whole; negative before
  readonly nanos: number; // 0..999,999,999, forward from `seconds`
}

/** Go's zero time, which stands for "never": `0001-01-01T00:00:00Z`. */
export const zeroInstant: Instant = { seconds: -62_135_596_800, nanos: 0 };

export function instantOfMs(timeMs: number): Instant {
  const seconds = Math.floor(timeMs / 1000);
  return { seconds, nanos: Math.round((timeMs - seconds * 1000) * 1e6) };
}

export function compareInstants(a: Instant, b: Instant): number {
  return a.seconds - b.seconds || a.nanos - b.nanos;
}

/** RFC 3339 with any offset; decimals beyond the ninth do not count. Undefined where it is none. */
export function parseInstant(text: string): Instant | undefined {
  const parts = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?(?:Z|([+-])(\d\d):(\d\d))$/.exec(text);
  if (parts === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1, 7).map(Number);
  const [, , , , , , , fraction = "", sign = "+", offsetHours = "0", offsetMinutes = "0"] = parts;
  if (hour > 23 || minute > 59 || second > 59 || Number(offsetHours) > 23 || Number(offsetMinutes) > 59) {
    return undefined;
  }
  const date = new Date(0);
  // Not Date.UTC: it takes the years 0 to 99 for those of the twentieth century.
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  date.setUTCHours(hour, minute, second, 0);
  const offsetSeconds = (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60;
  const seconds = date.getTime() / 1000 - (sign === "-" ? -offsetSeconds : offsetSeconds);
  return { seconds, nanos: Number(fraction.padEnd(9, "0")) };
}

/** In UTC, with as many decimals as there are. Years before 1 and after 9999 come as the nearest that have a text. */
export function formatInstant({ seconds, nanos }: Instant): string {
  if (seconds < zeroInstant.seconds) return formatInstant(zeroInstant);
  if (seconds > 253_402_300_799) return "9999-12-31T23:59:59.999999999Z";
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  const fraction = nanos === 0 ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;
  return `${whole}${fraction}Z`;
}
