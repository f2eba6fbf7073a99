/** Amounts of the model as people read them: `3.2 GiB`, `2.5 cores`, `733,333 samples/s`. */
import type { Unit } from "./definition.ts";

const binary = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;
const decimal = ["", "k", "M", "G", "T"] as const;

/** A value with its unit, three digits or more. */
export function formatAmount(value: number, unit: Unit): string {
  if (!Number.isFinite(value)) return "without bound";
  switch (unit) {
    case "bytes":
      return scaled(value, 1024, binary);
    case "bytes/s":
      return `${scaled(value, 1024, binary)}/s`;
    case "bytes/day":
      return `${scaled(value, 1024, binary)}/day`;
    case "bits/s":
      return `${scaled(value, 1000, decimal)}bit/s`;
    case "bytes/series":
    case "bytes/sample":
    case "bytes/block":
      return `${plain(value)} B/${unit.slice("bytes/".length)}`;
    case "share":
      return `${plain(value * 100)} %`;
    case "count":
      return plain(value);
    case "s":
      return seconds(value);
    default:
      return `${plain(value)} ${unit}`;
  }
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let amount = value;
  let i = 0;
  while (Math.abs(amount) >= step && i < units.length - 1) {
    amount /= step;
    i++;
  }
  return `${plain(amount)} ${units[i] ?? ""}`;
}

/** Three digits below 1000, all before the point above; small shares keep two digits that count. */
function plain(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) || size >= 1000) return grouped(Math.round(value));
  if (size >= 0.01) return String(Number(value.toPrecision(3)));
  return String(Number(value.toPrecision(2)));
}

function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

function seconds(value: number): string {
  if (value >= 2 * 86_400) return `${plain(value / 86_400)} d`;
  if (value >= 2 * 3600) return `${plain(value / 3600)} h`;
  return `${plain(value)} s`;
}
