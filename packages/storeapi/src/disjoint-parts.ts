/** Which of several parts could have a series in common, judged by the external labels of each. Pure. */
import { labelPairs, labelValue, type Labels } from "@pleiad/model";

/**
 * The indexes of parts that another one may share series with. Two label sets have no series in common where a label that
 * both have differs: a series has all labels of its set.
 */
export function overlappingParts(parts: readonly (readonly Labels[])[]): ReadonlySet<number> {
  const sets = parts.flatMap((labelSets, part) => labelSets.map((labels) => ({ labels, part })));
  const overlapping = new Set<number>();
  for (const bucket of bucketsOf(sets)) {
    for (const [i, a] of bucket.entries()) {
      for (const b of bucket.slice(i + 1)) {
        if (a.part === b.part || (overlapping.has(a.part) && overlapping.has(b.part))) continue;
        if (mayShareSeries(a.labels, b.labels)) overlapping.add(a.part).add(b.part);
      }
    }
  }
  return overlapping;
}

interface PartSet {
  readonly labels: Labels;
  readonly part: number;
}

/** Sets that differ in a label that all of them have cannot meet: only those within one bucket are compared. */
function bucketsOf(sets: readonly PartSet[]): readonly (readonly PartSet[])[] {
  const [first] = sets;
  if (first === undefined) return [];
  let best: readonly (readonly PartSet[])[] = [sets];
  for (const [name] of labelPairs(first.labels)) {
    if (!sets.every(({ labels }) => labelValue(labels, name) !== "")) continue;
    const buckets = [...Map.groupBy(sets, ({ labels }) => labelValue(labels, name)).values()];
    if (buckets.length > best.length) best = buckets;
  }
  return best;
}

function mayShareSeries(a: Labels, b: Labels): boolean {
  for (const [name, value] of labelPairs(a)) {
    const other = labelValue(b, name);
    if (other !== "" && other !== value) return false;
  }
  return true;
}
