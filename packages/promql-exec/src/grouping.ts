/** Which group of an aggregation each series belongs to: decided once, by labels. */
import { onlyLabels, withoutLabels, type Labels } from "@pleiad/model";
import { outputLabels } from "./output-labels.ts";
import type { Pace } from "./pace.ts";
import { metricSchemaLabels } from "./renamed-series.ts";

export interface Grouping {
  readonly without: boolean;
  readonly grouping: readonly string[];
}

export interface Groups {
  readonly labels: readonly Labels[]; // by group
  readonly groupOf: Uint32Array; // by series id
}

export async function groupSeries(
  series: readonly Labels[],
  { without, grouping }: Grouping,
  pace: Pace,
): Promise<Groups> {
  const names = new Set(without ? [...grouping, ...metricSchemaLabels] : grouping);
  const pick = without ? withoutLabels : onlyLabels;
  const { labels, ids } = await outputLabels(series, (one) => pick(one, names), pace);
  return { labels, groupOf: ids };
}

/** `by (a, b)` or `without (a)`, for descriptions. */
export function formatGrouping({ without, grouping }: Grouping): string {
  return `${without ? "without" : "by"} (${grouping.join(", ")})`;
}
