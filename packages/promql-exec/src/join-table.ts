/** Which series of two vectors meet: decided once, by labels, so that steps only index arrays. */
import { labelsKey, onlyLabels, withoutLabels, type Labels } from "@pleiad/model";
import type { VectorMatching } from "@pleiad/promql-syntax";

export interface JoinTable {
  readonly matchCount: number;
  /** The match of each series: series with one number agree in the labels that are compared. */
  readonly leftMatches: Uint32Array;
  readonly rightMatches: Uint32Array;
}

export function createJoinTable(
  left: readonly Labels[],
  right: readonly Labels[],
  matching: Pick<VectorMatching, "on" | "labels">,
): JoinTable {
  const numberOf = new Map<string, number>();
  const signatureOf = signatureFunction(matching);
  const matchesOf = (series: readonly Labels[]) => {
    const matches = new Uint32Array(series.length);
    series.forEach((labels, i) => {
      const key = labelsKey(signatureOf(labels));
      let match = numberOf.get(key);
      if (match === undefined) numberOf.set(key, (match = numberOf.size));
      matches[i] = match;
    });
    return matches;
  };
  const leftMatches = matchesOf(left);
  const rightMatches = matchesOf(right);
  return { matchCount: numberOf.size, leftMatches, rightMatches };
}

/** The labels that are compared. The metric name is not, unless `on` names it. */
export function signatureFunction({ on, labels }: Pick<VectorMatching, "on" | "labels">): (labels: Labels) => Labels {
  const names = new Set(on ? labels : [...labels, "__name__"]);
  return on ? (series) => onlyLabels(series, names) : (series) => withoutLabels(series, names);
}
