/** Counter resets between native histograms. */
import { customBoundsSchema } from "./histogram-buckets.ts";
import {
  equalNumbers,
  equalSpans,
  indicesOf,
  reconcileBounds,
  reduceToSchema,
  startHistogramSum,
  widenZeroBucket,
  type HistogramSum,
} from "./histogram-sum.ts";
import type { FloatHistogram } from "./histograms.ts";

/**
 * Whether a counter began anew between two samples: as the later one's hint says, or, where that says nothing, where the
 * count or that of any bucket fell, or the layout became one that only a new beginning can have.
 */
export function isHistogramReset(later: FloatHistogram, earlier: FloatHistogram): boolean {
  if (later.counterReset === "reset") return true;
  if (later.counterReset === "not-reset") return false;
  if (later.count < earlier.count) return true;
  if (hasSameLayout(later, earlier)) {
    return (
      later.zeroCount < earlier.zeroCount ||
      anyFell(later.positiveBuckets, earlier.positiveBuckets) ||
      anyFell(later.negativeBuckets, earlier.negativeBuckets)
    );
  }
  const isCustom = later.schema === customBoundsSchema;
  if (isCustom !== (earlier.schema === customBoundsSchema)) return true;
  const now = startHistogramSum(later);
  const before = startHistogramSum(earlier);
  if (isCustom) {
    reconcileBounds(now, before);
  } else {
    // A layout becomes coarser while it counts, never finer.
    if (later.schema > earlier.schema || later.zeroThreshold < earlier.zeroThreshold) return true;
    widenZeroBucket(before, later.zeroThreshold);
    if (before.zeroThreshold !== later.zeroThreshold || later.zeroCount < before.zeroCount) return true;
    reduceToSchema(before, later.schema);
  }
  return anyIndexFell(now.positive, before.positive) || anyIndexFell(now.negative, before.negative);
}

function hasSameLayout(later: FloatHistogram, earlier: FloatHistogram): boolean {
  return (
    later.schema === earlier.schema &&
    later.zeroThreshold === earlier.zeroThreshold &&
    equalSpans(later.positiveSpans, earlier.positiveSpans) &&
    equalSpans(later.negativeSpans, earlier.negativeSpans) &&
    equalNumbers(later.customBounds, earlier.customBounds)
  );
}

function anyFell(now: Float64Array, before: Float64Array): boolean {
  for (let i = 0; i < now.length; i++) if ((now[i] ?? 0) < (before[i] ?? 0)) return true;
  return false;
}

/** As `anyFell`, for buckets in different places. One that is gone fell, unless it was empty. */
function anyIndexFell(now: HistogramSum["positive"], before: HistogramSum["positive"]): boolean {
  const nowIndices = indicesOf(now);
  const beforeIndices = indicesOf(before);
  let place = 0;
  for (let i = 0; i < beforeIndices.length; i++) {
    const index = beforeIndices[i] ?? 0;
    const count = before.counts[i] ?? 0;
    while (place < nowIndices.length && (nowIndices[place] ?? 0) < index) place++;
    if (nowIndices[place] !== index) {
      if (count !== 0) return true;
    } else if ((now.counts[place] ?? 0) < count) return true;
  }
  return false;
}
