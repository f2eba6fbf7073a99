/** Kahan's sum as Neumaier improved it: a running sum, and beside it what rounding took from it. */

/** The compensation after adding `value` to `sum`; the new sum itself is plainly `sum + value`. */
export function compensate(value: number, sum: number, compensation: number): number {
  const total = sum + value;
  if (total === Infinity || total === -Infinity) return 0;
  return Math.abs(sum) >= Math.abs(value) ? compensation + (sum - total + value) : compensation + (value - total + sum);
}
