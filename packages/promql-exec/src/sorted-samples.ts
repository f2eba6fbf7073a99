/** `sort`, `sort_desc`, `sort_by_label`: the order of an instant vector. */
import { compareLabels, labelValue, type FloatHistogram, type Labels } from "@pleiad/model";
import { createLateOperator } from "./late-operator.ts";
import type { Operator } from "./operator.ts";

interface SortedSample {
  readonly id: number; // of the series
  readonly value: number;
  readonly histogram: FloatHistogram | undefined;
}

/** Whether a sample goes before (negative) or after (positive) another. */
export type SampleOrder = (a: SortedSample, b: SortedSample) => number;

/** `orderOf` gets the labels by series id. */
export function createSortedSamples(
  input: Operator,
  orderOf: (labels: readonly Labels[]) => SampleOrder,
  description: string,
): Operator {
  let order: SampleOrder = () => 0;
  return createLateOperator({
    description,
    inputs: [input],
    dropsName: () => input.dropsName,
    async series(signal) {
      const labels = await input.series(signal);
      order = orderOf(labels);
      return labels;
    },
    async next(out, signal) {
      const steps = await input.next(out, signal);
      let from = 0;
      for (let step = 0; step < steps; step++) {
        const to = out.sampleEnds[step];
        const samples: SortedSample[] = [];
        for (let i = from; i < to; i++) {
          samples.push({ id: out.seriesIds[i], value: out.values[i], histogram: out.histograms[i] });
        }
        samples.sort(order);
        samples.forEach(({ id, value, histogram }, i) => {
          out.seriesIds[from + i] = id;
          out.values[from + i] = value;
          if (out.histograms.length > 0) out.histograms[from + i] = histogram;
        });
        from = to;
      }
      return steps;
    },
  });
}

/** By value; NaN is last whichever way. */
export function valueOrder(direction: "ascending" | "descending"): SampleOrder {
  const sign = direction === "ascending" ? 1 : -1;
  return (a, b) => {
    if (a.value !== a.value) return b.value !== b.value ? 0 : 1;
    if (b.value !== b.value) return -1;
    return a.value === b.value ? 0 : a.value < b.value ? -sign : sign;
  };
}

/** By the named labels in turn, runs of digits by their number, then by all labels. */
export function labelOrder(
  labels: readonly Labels[],
  names: readonly string[],
  direction: "ascending" | "descending",
): SampleOrder {
  const sign = direction === "ascending" ? 1 : -1;
  const compareNaturally = naturalOrder();
  return (a, b) => {
    for (const name of names) {
      const left = labelValue(labels[a.id], name);
      const right = labelValue(labels[b.id], name);
      if (left !== right) return sign * compareNaturally(left, right);
    }
    return sign * compareLabels(labels[a.id], labels[b.id]);
  };
}

/** Takes texts apart once each, however often they are compared. */
function naturalOrder(): (left: string, right: string) => number {
  const known = new Map<string, readonly string[]>();
  const partsOf = (text: string) => {
    let parts = known.get(text);
    if (parts === undefined) known.set(text, (parts = text.match(/\d+|\D+/g) ?? []));
    return parts;
  };
  return (left, right) => {
    const lefts = partsOf(left);
    const rights = partsOf(right);
    for (let i = 0; i < Math.min(lefts.length, rights.length); i++) {
      if (lefts[i] === rights[i]) continue;
      const byNumber = Number(lefts[i]) - Number(rights[i]);
      if (byNumber === byNumber && byNumber !== 0) return byNumber;
      return lefts[i] < rights[i] ? -1 : 1;
    }
    return lefts.length - rights.length;
  };
}
