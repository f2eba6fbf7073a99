import { fail, ok, type Result } from "./failures.ts";

/** The units of a duration, from large to small, as they must be written. */
export const durationUnitsMs: readonly (readonly [unit: string, ms: number])[] = [
  ["y", 31_536_000_000],
  ["w", 604_800_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
];

/** Durations are 64-bit nanoseconds in Prometheus. */
export const durationMsMax = 9_223_372_036_854;

/** Reads a Prometheus duration such as `1h30m`, units from large to small, each once. Gives milliseconds. */
export function parseDuration(text: string): Result<number, string> {
  if (text === "0") return ok(0);
  if (text === "") return fail("empty duration");
  const parts = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/.exec(text);
  if (parts === null) return fail(`not a valid duration string: ${JSON.stringify(text)}`);
  let totalMs = 0;
  durationUnitsMs.forEach(([, ms], i) => {
    totalMs += Number(parts[i + 1] ?? 0) * ms;
  });
  if (totalMs > durationMsMax) return fail(`duration out of range: ${JSON.stringify(text)}`);
  return ok(totalMs);
}

/** The shortest Prometheus duration for whole milliseconds: 5400000 is `1h30m`, 0 is `0s`. */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return "0s";
  let rest = Math.abs(durationMs);
  let text = durationMs < 0 ? "-" : "";
  for (const [unit, ms] of durationUnitsMs) {
    // Years and weeks only where they come out even, as Prometheus prints them.
    if ((unit === "y" || unit === "w") && rest % ms !== 0) continue;
    const count = Math.floor(rest / ms);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * ms;
  }
  return text;
}
