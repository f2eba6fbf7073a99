/** Which series of two vectors meet: decided once, by labels, so that steps only index arrays. */
import { onlyLabels, withoutLabels, type Labels } from "@pleiad/model";
import type { VectorMatching } from "@pleiad/promql-syntax";
import { outputLabels } from "./output-labels.ts";
import type { Pace } from "./pace.ts";

export interface JoinTable {
  readonly matchCount: number;
  readonly matchLabels: readonly Labels[]; // what is compared, by match
  /** The match of each series: series with one number agree in the labels that are compared. */
  readonly leftMatches: Uint32Array;
  readonly rightMatches: Uint32Array;
}

export async function createJoinTable(
  left: readonly Labels[],
  right: readonly Labels[],
  matching: Pick<VectorMatching, "on" | "labels">,
  pace: Pace,
): Promise<JoinTable> {
  const { labels, ids } = await outputLabels([...left, ...right], signatureFunction(matching), pace);
  return {
    matchCount: labels.length,
    matchLabels: labels,
    leftMatches: ids.subarray(0, left.length),
    rightMatches: ids.subarray(left.length),
  };
}

/** The labels that are compared. The metric name is not, unless `on` names it. */
export function signatureFunction({ on, labels }: Pick<VectorMatching, "on" | "labels">): (labels: Labels) => Labels {
  const names = new Set(on ? labels : [...labels, "__name__"]);
  return on ? (series) => onlyLabels(series, names) : (series) => withoutLabels(series, names);
}
