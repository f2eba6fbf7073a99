/** Numbers as people read them. */

const units = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** `7.5 MiB`: three digits at most. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit] ?? ""}`;
}

/** `2026-11-22 14:00:00`, in UTC. */
export function formatTime(timeMs: number): string {
  return Number.isFinite(timeMs) && Math.abs(timeMs) <= 8.64e15
    ? new Date(timeMs).toISOString().slice(0, 19).replace("T", " ")
    : String(timeMs);
}

/** `2h`, `1d 4h`: whole hours, or minutes below one. */
export function formatSpan(spanMs: number): string {
  const minutes = Math.round(spanMs / 60_000);
  if (minutes < 60) return `${String(minutes)}m`;
  const hours = Math.round(minutes / 60);
  if (hours < 48) return `${String(hours)}h`;
  const rest = hours % 24;
  return `${String(Math.floor(hours / 24))}d${rest === 0 ? "" : ` ${String(rest)}h`}`;
}
