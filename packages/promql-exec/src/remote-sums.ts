/** Whether the sums of several parts may be added up: the result is then, to the last digits, that of all samples together. */
import { hasCustomBounds, type FloatHistogram } from "@pleiad/model";
import { histogramSample, noSample, type RowHistograms } from "./operator.ts";

/** Thrown where what parts give is not what one evaluation would: the engine then evaluates the whole query itself. */
export class PartsDoNotAddUp extends Error {}

/** The steps of one group as a part has summed it. */
export interface PartialSums {
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly histograms: RowHistograms | undefined;
}

/**
 * Parts round their sums. Where these nearly cancel out, what was rounded away is most of the result: a thousandth of the
 * largest leaves a relative error of a thousand times that of a double.
 */
const leastShare = 1e-3;

/** `group`: what each part has of one group, of those that have anything. Throws where that does not add up. */
export function checkSums(group: readonly PartialSums[]): void {
  const stepCount = group[0]?.present.length ?? 0;
  for (let step = 0; step < stepCount; step++) {
    const floats = createTotal();
    const histograms: FloatHistogram[] = [];
    for (const { present, values, histograms: own } of group) {
      const histogram = present[step] === histogramSample ? own?.[step] : undefined;
      if (histogram !== undefined) histograms.push(histogram);
      else if (present[step] !== noSample) floats.add(values[step]);
    }
    const isMixed = histograms.length > 0 && floats.count() > 0;
    if (isMixed || !floats.isSound() || !doHistogramsAddUp(histograms)) throw new PartsDoNotAddUp();
  }
}

/** Whether they do so without a remark, whatever they were made of. */
function doHistogramsAddUp(histograms: readonly FloatHistogram[]): boolean {
  if (histograms.length === 0) return true;
  const [first] = histograms;
  const sums = createTotal();
  const counts = createTotal();
  for (const one of histograms) {
    sums.add(one.sum);
    counts.add(one.count);
    if (histograms.length === 1) continue;
    // What is unknown may hide a reset here and none there.
    if (one.counterReset !== first.counterReset || one.counterReset === "unknown") return false;
    if (hasCustomBounds(one) !== hasCustomBounds(first)) return false;
    if (one.customBounds.join() !== first.customBounds.join()) return false;
  }
  return sums.isSound() && counts.isSound();
}

/** A sum of sums, and whether it is as exact as one over all samples. */
function createTotal() {
  let count = 0;
  let total = 0;
  let largest = 0;
  return {
    add(value: number) {
      count++;
      total += value;
      largest = Math.max(largest, Math.abs(value));
    },
    count: () => count,
    // An average of finite values is finite, though their sum may not be.
    isSound: () =>
      total !== total ||
      (Number.isFinite(largest) && Number.isFinite(total) && Math.abs(total) >= largest * leastShare),
  };
}
