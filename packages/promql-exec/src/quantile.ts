/** The φ-quantile of plain values. */

/** Weighted average of the two values around rank φ·(n-1); NaN counts as the smallest. Sorts `values` in place. */
export function quantileOf(phi: number, values: Float64Array): number {
  if (values.length === 0 || phi !== phi) return NaN;
  if (phi < 0) return -Infinity;
  if (phi > 1) return Infinity;
  // Typed arrays sort NaN to the end.
  values.sort();
  let nanCount = 0;
  while (nanCount < values.length && values[values.length - 1 - nanCount] !== values[values.length - 1 - nanCount])
    nanCount++;
  if (nanCount > 0) values.copyWithin(nanCount, 0, values.length - nanCount).fill(NaN, 0, nanCount);
  const rank = phi * (values.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(values.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return values[lower] * (1 - weight) + values[upper] * weight;
}
