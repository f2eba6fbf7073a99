/**
 * The inner loops of a query's leaves: all steps of one series a call, in the same order of operations as
 * `src/range-kernels.ts` and `src/accumulators.ts`, so that results agree to the last bit. This is AssemblyScript.
 *
 * Everything lies in the host's memory, at addresses that the host answers for: columns of samples `times` (f64) and
 * `values` (f64, whose bits are kept), rows of steps `out` (f64) and `present` (one byte a step), slots of groups, one a
 * step. Step i looks at `firstMs + i * stepMs - offsetMs`.
 */

const staleBits: u64 = 0x7ff0000000000002;

/** Removes the staleness markers; gives how many samples are left. */
export function dropStale(times: usize, values: usize, count: u32): u32 {
  const end = values + ((<usize>count) << 3);
  let from = values;
  while (from < end && load<u64>(from) !== staleBits) from += 8;
  if (from === end) return count;
  const toTimes = times - values;
  let to = from;
  for (from += 8; from < end; from += 8) {
    const bits = load<u64>(from);
    if (bits === staleBits) continue;
    store<u64>(to, bits);
    store<u64>(to + toTimes, load<u64>(from + toTimes));
    to += 8;
  }
  return <u32>((to - values) >>> 3);
}

/**
 * At each step the latest sample with reference - lookback < t ≤ reference; a staleness marker there means none. Where
 * `asTime` is 1, its time in seconds stands for the value. Gives the number of steps with a sample.
 */
export function latest(
  times: usize,
  values: usize,
  count: u32,
  stepCount: u32,
  firstMs: f64,
  stepMs: f64,
  offsetMs: f64,
  lookbackMs: f64,
  asTime: u32,
  out: usize,
  present: usize,
): u32 {
  const end = times + ((<usize>count) << 3);
  const toValues = values - times;
  let next = times; // the first sample after the reference
  let found: u32 = 0;
  for (let step: u32 = 0; step < stepCount; step++) {
    const referenceMs = firstMs + <f64>step * stepMs - offsetMs;
    while (next < end && load<f64>(next) <= referenceMs) next += 8;
    let has: u32 = 0;
    if (next > times) {
      const timeMs = load<f64>(next - 8);
      const bits = load<u64>(next - 8 + toValues);
      if (timeMs > referenceMs - lookbackMs && bits !== staleBits) {
        store<u64>(out + ((<usize>step) << 3), asTime === 1 ? reinterpret<u64>(timeMs / 1000) : bits);
        has = 1;
      }
    }
    store<u8>(present + step, <u8>has);
    found += has;
  }
  return found;
}

/**
 * rate (flags 3), increase (1) and delta (0): the difference over the window, extended to its borders where the series
 * seems to reach them. `resets` is room for `count` u32. Gives the number of steps with a result.
 */
export function extrapolated(
  times: usize,
  values: usize,
  count: u32,
  stepCount: u32,
  firstMs: f64,
  stepMs: f64,
  offsetMs: f64,
  rangeMs: f64,
  flags: u32,
  resets: usize,
  out: usize,
  present: usize,
): u32 {
  const isCounter = (flags & 1) !== 0;
  const isPerSecond = (flags & 2) !== 0;
  const timesEnd = times + ((<usize>count) << 3);
  const toValues = values - times;
  const rangeSeconds = rangeMs / 1000;

  // Where the counter is lower than one sample before, as addresses of times.
  let resetsEnd = resets;
  if (isCounter && count > 0) {
    let before = load<f64>(values);
    for (let at = values + 8, end = values + ((<usize>count) << 3); at < end; at += 8) {
      const value = load<f64>(at);
      if (value < before) {
        store<u32>(resetsEnd, <u32>(at - toValues));
        resetsEnd += 4;
      }
      before = value;
    }
  }

  let start = times;
  let next = times; // the first sample after the window
  let firstReset = resets;
  let found: u32 = 0;
  // What the last step divided: mostly the next one has the same, and seven divisions are most of its cost.
  let knownToStartMs: f64 = NaN;
  let knownToEndMs: f64 = NaN;
  let knownSampledMs: f64 = NaN;
  let knownIntervals: usize = 0;
  let toStart: f64 = 0;
  let toEnd: f64 = 0;
  let sampled: f64 = 0;
  let factor: f64 = 0;
  for (let step: u32 = 0; step < stepCount; step++) {
    const referenceMs = firstMs + <f64>step * stepMs - offsetMs;
    const rangeStartMs = referenceMs - rangeMs;
    while (start < timesEnd && load<f64>(start) <= rangeStartMs) start += 8;
    while (next < timesEnd && load<f64>(next) <= referenceMs) next += 8;
    if (next < start + 16) {
      store<u8>(present + step, 0);
      continue;
    }
    const last = next - 8;
    const startMs = load<f64>(start);
    const lastMs = load<f64>(last);
    const first = load<f64>(start + toValues);
    let result = load<f64>(last + toValues) - first;
    while (firstReset < resetsEnd && <usize>load<u32>(firstReset) <= start) firstReset += 4;
    for (let r = firstReset; r < resetsEnd && <usize>load<u32>(r) <= last; r += 4) {
      result += load<f64>(<usize>load<u32>(r) - 8 + toValues);
    }

    const toStartMs = startMs - rangeStartMs;
    const toEndMs = referenceMs - lastMs;
    const sampledMs = lastMs - startMs;
    const intervals = (last - start) >>> 3;
    if (
      toStartMs !== knownToStartMs ||
      toEndMs !== knownToEndMs ||
      sampledMs !== knownSampledMs ||
      intervals !== knownIntervals
    ) {
      knownToStartMs = toStartMs;
      knownToEndMs = toEndMs;
      knownSampledMs = sampledMs;
      knownIntervals = intervals;
      sampled = sampledMs / 1000;
      const between = sampled / <f64>intervals;
      // A sample missing at the border, but for some jitter, means that the series begins or ends inside the window.
      const threshold = between * 1.1;
      toStart = toStartMs / 1000;
      if (toStart >= threshold) toStart = between / 2;
      toEnd = toEndMs / 1000;
      if (toEnd >= threshold) toEnd = between / 2;
      factor = (sampled + toStart + toEnd) / sampled;
      if (isPerSecond) factor /= rangeSeconds;
    }
    let ownFactor = factor;
    // A counter is not extended back beyond the time at which it would have been zero. Where it began above what it grew
    // by, that time lies before all that was sampled, as far as the window goes back: nothing to divide.
    if (isCounter && result > 0 && first >= 0 && !(first >= result && toStart <= sampled)) {
      const toZero = sampled * (first / result);
      if (toZero < toStart) {
        ownFactor = (sampled + toZero + toEnd) / sampled;
        if (isPerSecond) ownFactor /= rangeSeconds;
      }
    }
    store<f64>(out + ((<usize>step) << 3), result * ownFactor);
    store<u8>(present + step, 1);
    found++;
  }
  return found;
}

/** Adds a row to the counts of a group's steps. */
export function addCount(present: usize, stepCount: u32, counts: usize): void {
  for (let step: u32 = 0; step < stepCount; step++) {
    const at = counts + ((<usize>step) << 2);
    store<u32>(at, load<u32>(at) + load<u8>(present + step));
  }
}

/** Adds a row to the compensated sums of a group's steps; a slot counts where its count is above 0. */
export function addSum(
  row: usize,
  present: usize,
  stepCount: u32,
  sums: usize,
  compensations: usize,
  counts: usize,
): void {
  for (let step: u32 = 0; step < stepCount; step++) {
    if (load<u8>(present + step) === 0) continue;
    const wide = (<usize>step) << 3;
    const countAt = counts + ((<usize>step) << 2);
    const value = load<f64>(row + wide);
    const count = load<u32>(countAt);
    store<u32>(countAt, count + 1);
    if (count === 0) {
      // Starting from the value, not from zero, keeps the sign of -0.
      store<f64>(sums + wide, value);
      store<f64>(compensations + wide, 0);
      continue;
    }
    const sum = load<f64>(sums + wide);
    const total = sum + value;
    store<f64>(sums + wide, total);
    store<f64>(compensations + wide, compensate(value, sum, total, load<f64>(compensations + wide)));
  }
}

/** As `addSum`, for means; gives 1 where a sum became infinite: the mean may still be finite, and is not known here. */
export function addMean(
  row: usize,
  present: usize,
  stepCount: u32,
  sums: usize,
  compensations: usize,
  counts: usize,
): u32 {
  addSum(row, present, stepCount, sums, compensations, counts);
  let overflows: u32 = 0;
  for (let step: u32 = 0; step < stepCount; step++) {
    const isLarge = Math.abs(load<f64>(sums + ((<usize>step) << 3))) === Infinity;
    overflows |= u32(isLarge) & load<u8>(present + step);
  }
  return overflows;
}

/** Keeps the least of a row and what the group's steps have. Any number replaces NaN. */
export function addMinimum(row: usize, present: usize, stepCount: u32, extremes: usize, counts: usize): void {
  for (let step: u32 = 0; step < stepCount; step++) {
    if (load<u8>(present + step) === 0) continue;
    const at = extremes + ((<usize>step) << 3);
    const countAt = counts + ((<usize>step) << 2);
    const value = load<f64>(row + ((<usize>step) << 3));
    const held = load<f64>(at);
    const count = load<u32>(countAt);
    if (count === 0 || value < held || held !== held) store<f64>(at, value);
    store<u32>(countAt, count + 1);
  }
}

/** Keeps the greatest of a row and what the group's steps have. Any number replaces NaN. */
export function addMaximum(row: usize, present: usize, stepCount: u32, extremes: usize, counts: usize): void {
  for (let step: u32 = 0; step < stepCount; step++) {
    if (load<u8>(present + step) === 0) continue;
    const at = extremes + ((<usize>step) << 3);
    const countAt = counts + ((<usize>step) << 2);
    const value = load<f64>(row + ((<usize>step) << 3));
    const held = load<f64>(at);
    const count = load<u32>(countAt);
    if (count === 0 || value > held || held !== held) store<f64>(at, value);
    store<u32>(countAt, count + 1);
  }
}

/** Kahan's compensation as Neumaier improved it: what rounding took from the sum. */
function compensate(value: f64, sum: f64, total: f64, compensation: f64): f64 {
  if (Math.abs(total) === Infinity) return 0;
  return Math.abs(sum) >= Math.abs(value) ? compensation + (sum - total + value) : compensation + (value - total + sum);
}
