/** Variance of what several parts have of one group, from the count, average and variance that each gives of its share. */

export interface Moments {
  readonly count: number;
  readonly mean: number;
  readonly variance: number;
}

/**
 * Averages are rounded, by which a share lies off where it should: of little weight where the deviation is not much smaller.
 * A hundred times leaves a relative error of some hundreds that of a double.
 */
const largestMean = 100; // by the deviation

/** Less is made of squares that have lost digits at the lower end of what a double holds. */
const leastVariance = 1e-280;

/**
 * The variance of all; undefined where that may not be, to 1e-12, what one evaluation over all samples gives. By pairs, after
 * Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances" (1979).
 */
export function mergeVariances(shares: readonly Moments[]): number | undefined {
  let count = 0;
  let mean = 0;
  let squares = 0;
  let largest = 0;
  let isUnknown = false;
  for (const share of shares) {
    if (!(share.count >= 1)) return undefined;
    if (share.variance !== share.variance) {
      // Of samples that are no finite numbers; or it is of squares too large for one, which depends on their order.
      if (Number.isFinite(share.mean)) return undefined;
      isUnknown = true;
    }
    const both = count + share.count;
    const delta = share.mean - mean;
    squares += share.count * share.variance + (count === 0 ? 0 : delta * delta * ((count * share.count) / both));
    mean += delta * (share.count / both);
    count = both;
    largest = Math.max(largest, Math.abs(share.mean));
  }
  if (isUnknown) return NaN;
  const [first] = shares;
  if (shares.every((share) => share.variance === 0 && share.mean === first.mean)) {
    return shares.length === 1 || shares.every(isExact) ? 0 : undefined;
  }
  const variance = shares.length === 1 ? first.variance : squares / count;
  const isSound = variance >= leastVariance && variance < Infinity && largest <= largestMean * Math.sqrt(variance);
  return isSound ? variance : undefined;
}

/** Whether the average of equal samples is that sample, to the last digit. */
function isExact({ count, mean }: Moments): boolean {
  return count === 1 || (Number.isInteger(mean) && Math.abs(mean * count) <= Number.MAX_SAFE_INTEGER);
}
