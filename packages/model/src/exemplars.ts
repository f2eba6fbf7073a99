/** Exemplars of series, and how those of many sources become one list. */
import { compareLabels, labelsKey, withoutLabels, type Labels } from "./labels.ts";

export interface Exemplar {
  readonly timestampMs: number;
  readonly value: number;
  readonly labels: Labels;
}

/** Of one series, by time. */
export interface SeriesExemplars {
  readonly labels: Labels;
  readonly exemplars: readonly Exemplar[];
}

/** By series, in label order: equal series once the labels are taken away are one, and have each exemplar once. */
export function uniteExemplars(
  parts: Iterable<SeriesExemplars>,
  removed: readonly string[],
): readonly SeriesExemplars[] {
  const names = new Set(removed);
  const united = new Map<string, { readonly labels: Labels; readonly exemplars: Exemplar[] }>();
  for (const { labels, exemplars } of parts) {
    if (exemplars.length === 0) continue;
    const own = withoutLabels(labels, names);
    const key = labelsKey(own);
    const known = united.get(key);
    if (known === undefined) united.set(key, { labels: own, exemplars: [...exemplars] });
    else for (const exemplar of exemplars) known.exemplars.push(exemplar);
  }
  return [...united.values()]
    .map(({ labels, exemplars }) => ({ labels, exemplars: distinct(exemplars) }))
    .sort((a, b) => compareLabels(a.labels, b.labels));
}

function distinct(exemplars: Exemplar[]): readonly Exemplar[] {
  exemplars.sort(compareExemplars);
  return exemplars.filter((one, i) => {
    const before = exemplars[i - 1];
    return before === undefined || compareExemplars(before, one) !== 0;
  });
}

/** NaN comes first, and equals itself. */
function compareExemplars(a: Exemplar, b: Exemplar): number {
  const order = a.timestampMs - b.timestampMs || compareLabels(a.labels, b.labels);
  if (order !== 0 || Object.is(a.value, b.value)) return order;
  if (Number.isNaN(a.value)) return -1;
  return Number.isNaN(b.value) ? 1 : a.value - b.value;
}
