/** Options and readers of values that several commands share. Light: it is loaded with every command. */
import { readFileSync } from "node:fs";
import { parseDuration } from "@pleiad/model";
import { InvalidArgumentError, Option } from "commander";

export const { version: pleiadVersion } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
) as { version: string };

export const stateOption = new Option("--state <folder>", "folder that holds the twin's state").default(".pleiad");

/** Every value of an option that may be repeated, in order. */
export const collectValues = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** Values of an option that takes several at once, `a,b`, and may be repeated. */
export const readNames = (text: string, before: readonly string[]): readonly string[] => [
  ...before,
  ...text.split(",").map((name) => name.trim()),
];

/** For commands that render: a fleet that was planned with an older plan is rendered with it too. */
export const previousOption = new Option(
  "--previous <plan.json>",
  "keep roles and clusters where that older plan has them, as far as they fit",
);

const historyMsMax = 90 * 86_400_000;

/** Milliseconds. */
export function readHistorySpan(text: string): number {
  const span = parseDuration(text);
  if (span.ok && span.value <= historyMsMax) return span.value;
  throw new InvalidArgumentError("expected a duration up to 90d, such as 14d, or 0");
}

const clustersPlannedMax = 100_000;

/** Sizes of a fleet: `300,500,700`. */
export function readCounts(text: string): readonly number[] {
  const counts = text.split(",").map(Number);
  if (counts.every((count) => Number.isInteger(count) && count >= 1 && count <= clustersPlannedMax)) return counts;
  throw new InvalidArgumentError(`expected counts up to ${clustersPlannedMax}, such as 300,500,700`);
}

const monthsIn: Readonly<Record<string, number>> = { day: 12 / 365, week: 84 / 365, month: 1, year: 12 };

/** New clusters a month: `5/month`, `60/year`. */
export function readClustersPerMonth(text: string): number {
  const [, amount = "", unit = "month"] = /^(\d+(?:\.\d+)?)(?:\/(day|week|month|year))?$/.exec(text) ?? [];
  const months = monthsIn[unit];
  if (amount === "" || months === undefined) {
    throw new InvalidArgumentError("expected a rate such as 5/month or 60/year");
  }
  return Number(amount) / months;
}
