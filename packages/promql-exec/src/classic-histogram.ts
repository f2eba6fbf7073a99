/** Quantiles and fractions of classic histograms: cumulative counts by upper bound. */

export interface Bucket {
  readonly upperBound: number;
  count: number; // of observations up to the bound
}

export interface QuantileResult {
  readonly quantile: number;
  /** Set where counts fell from one bucket to the next and were raised. */
  readonly repaired:
    | { readonly minBound: number; readonly maxBound: number; readonly maxDifference: number }
    | undefined;
}

/** Relative difference of neighbouring counts that counts as rounding. */
const smallDifference = 1e-12;

/**
 * Linear within a bucket. The first bucket begins at 0, or is its own bound where that is not positive; the last, which
 * must be +Inf, stands for the bound before it. Sorts the buckets, and raises counts that fall.
 */
export function bucketQuantile(phi: number, buckets: Bucket[]): QuantileResult {
  const plain = (quantile: number): QuantileResult => ({ quantile, repaired: undefined });
  if (phi !== phi) return plain(NaN);
  if (phi < 0) return plain(-Infinity);
  if (phi > 1) return plain(Infinity);
  const merged = mergeEqualBounds(buckets);
  const last = merged.length - 1;
  if (merged[last].upperBound !== Infinity) return plain(NaN);
  const repaired = raiseFallenCounts(merged);
  const observations = merged[last].count;
  if (merged.length < 2 || observations === 0) return { quantile: NaN, repaired };
  let rank = phi * observations;
  // Found by halving, as where NaN is about the order of comparisons decides.
  let at = 0;
  let high = last;
  while (at < high) {
    const middle = (at + high) >> 1;
    if (merged[middle].count >= rank) high = middle;
    else at = middle + 1;
  }
  if (at === last) return { quantile: merged[last - 1].upperBound, repaired };
  if (at === 0 && merged[0].upperBound <= 0) return { quantile: merged[0].upperBound, repaired };
  let from = 0;
  let count = merged[at].count;
  if (at > 0) {
    from = merged[at - 1].upperBound;
    count -= merged[at - 1].count;
    rank -= merged[at - 1].count;
  }
  return { quantile: from + (merged[at].upperBound - from) * (rank / count), repaired };
}

/** The share of observations between two values, linear within a bucket. Sorts the buckets. */
export function bucketFraction(lower: number, upper: number, buckets: Bucket[]): number {
  const merged = mergeEqualBounds(buckets);
  const last = merged[merged.length - 1];
  if (last.upperBound !== Infinity) return NaN;
  if (last.count === 0 || lower !== lower || upper !== upper) return NaN;
  if (lower >= upper) return 0;
  const rankOf = (value: number) => {
    let rank = 0;
    let from = merged[0].upperBound <= 0 ? -Infinity : 0;
    for (const { upperBound, count } of merged) {
      if (from >= value) return rank;
      if (upperBound > value) {
        // A bucket without a lower end counts whole; one without an upper end, not at all.
        return from === -Infinity ? count : rank + ((count - rank) * (value - from)) / (upperBound - from);
      }
      rank = count;
      from = upperBound;
    }
    return last.count;
  };
  return (Math.min(rankOf(upper), last.count) - Math.min(rankOf(lower), last.count)) / last.count;
}

/** In the order of bounds, the counts of equal ones added up. The buckets themselves where there is nothing to add. */
function mergeEqualBounds(buckets: Bucket[]): Bucket[] {
  if (isAscending(buckets)) return buckets;
  buckets.sort((a, b) => (a.upperBound < b.upperBound ? -1 : a.upperBound > b.upperBound ? 1 : 0));
  if (isAscending(buckets)) return buckets;
  const merged: Bucket[] = [];
  for (const { upperBound, count } of buckets) {
    const before = merged.at(-1);
    if (before !== undefined && before.upperBound === upperBound) before.count += count;
    else merged.push({ upperBound, count });
  }
  return merged;
}

function isAscending(buckets: readonly Bucket[]): boolean {
  for (let i = 1; i < buckets.length; i++) if (!(buckets[i].upperBound > buckets[i - 1].upperBound)) return false;
  return true;
}

/** Makes the counts ascend. Differences within rounding are flattened without a word. */
function raiseFallenCounts(buckets: Bucket[]): QuantileResult["repaired"] {
  let repaired: { minBound: number; maxBound: number; maxDifference: number } | undefined;
  let before = buckets[0].count;
  for (let i = 1; i < buckets.length; i++) {
    const bucket = buckets[i];
    const { count, upperBound } = bucket;
    if (count === before) continue;
    if (isNearlyEqual(before, count)) {
      bucket.count = before;
    } else if (count < before) {
      bucket.count = before;
      repaired = {
        minBound: Math.min(repaired?.minBound ?? Infinity, upperBound),
        maxBound: Math.max(repaired?.maxBound ?? -Infinity, upperBound),
        maxDifference: Math.max(repaired?.maxDifference ?? 0, before - count),
      };
    } else {
      before = count;
    }
  }
  return repaired;
}

const smallestNormal = 2.2250738585072014e-308;

function isNearlyEqual(a: number, b: number): boolean {
  if (a !== a && b !== b) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < smallestNormal) return difference < smallDifference * smallestNormal;
  return difference / Math.min(sum, Number.MAX_VALUE) < smallDifference;
}
