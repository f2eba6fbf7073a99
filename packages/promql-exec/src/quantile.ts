/** The φ-quantile of plain values. */

/** Weighted average of the two values around rank φ·(n-1); NaN counts as the smallest. Sorts `values` in place. */
export function quantileOf(phi: number, values: Float64Array): number {
  // Typed arrays sort NaN to the end.
  values.sort();
  const { length } = values;
  let nanCount = 0;
  while (nanCount < length && values[length - 1 - nanCount] !== values[length - 1 - nanCount]) nanCount++;
  if (nanCount > 0) values.copyWithin(nanCount, 0, length - nanCount).fill(NaN, 0, nanCount);
  return quantileOfSorted(phi, values, length);
}

/** The same of values [0, count) that ascend, NaN first. */
export function quantileOfSorted(phi: number, values: Float64Array, count: number): number {
  if (count === 0 || phi !== phi) return NaN;
  if (phi < 0) return -Infinity;
  if (phi > 1) return Infinity;
  const rank = phi * (count - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(count - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return values[lower] * (1 - weight) + values[upper] * weight;
}

/** The median of the distances of values [0, count), which ascend, from their median. */
export function medianDeviationOfSorted(values: Float64Array, count: number): number {
  if (values[0] !== values[0]) return NaN;
  const median = quantileOfSorted(0.5, values, count);
  if (values[0] === -Infinity || values[count - 1] === Infinity) {
    // Distances between infinities are not in order.
    return quantileOf(
      0.5,
      values.subarray(0, count).map((value) => Math.abs(value - median)),
    );
  }
  // Distances grow to both sides of the median: the smallest half is found by going outwards.
  let right = 0;
  while (right < count && values[right] < median) right++;
  let left = right - 1;
  const rank = 0.5 * (count - 1);
  const lower = Math.floor(rank);
  const upper = Math.min(count - 1, lower + 1);
  let lowerDistance = 0;
  let distance = 0;
  for (let taken = 0; taken <= upper; taken++) {
    const toLeft = left < 0 ? Infinity : Math.abs(values[left] - median);
    const toRight = right >= count ? Infinity : Math.abs(values[right] - median);
    if (toLeft < toRight) {
      distance = toLeft;
      left--;
    } else {
      distance = toRight;
      right++;
    }
    if (taken === lower) lowerDistance = distance;
  }
  const weight = rank - lower;
  return lowerDistance * (1 - weight) + distance * weight;
}
