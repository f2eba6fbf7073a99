/** The values of a window in ascending order, kept while the window slides: most of them stay from one step to the next. */

export interface SortedWindow {
  /** Values [0, count) ascend; NaN comes first, -0 before 0. */
  values: Float64Array;
  count: number;
  /** Makes it the window [start, end) of the samples. Neither end goes back. */
  slideTo(start: number, end: number): void;
}

export function createSortedWindow(samples: Float64Array): SortedWindow {
  let from = 0;
  let to = 0;
  const window: SortedWindow = {
    values: new Float64Array(16),
    count: 0,
    slideTo(start, end) {
      if (start >= to || start - from + (end - to) > (to - start) / 2) fill(window, samples, start, end);
      else {
        for (let i = from; i < start; i++) remove(window, samples[i]);
        for (let i = to; i < end; i++) insert(window, samples[i]);
      }
      from = start;
      to = end;
    },
  };
  return window;
}

function fill(window: SortedWindow, samples: Float64Array, start: number, end: number): void {
  const count = end - start;
  reserve(window, count);
  const sorted = window.values.subarray(0, count);
  sorted.set(samples.subarray(start, end));
  // Typed arrays sort -0 before 0, and NaN to the end.
  sorted.sort();
  let nanCount = 0;
  while (nanCount < count && sorted[count - 1 - nanCount] !== sorted[count - 1 - nanCount]) nanCount++;
  if (nanCount > 0) sorted.copyWithin(nanCount, 0, count - nanCount).fill(NaN, 0, nanCount);
  window.count = count;
}

function insert(window: SortedWindow, value: number): void {
  reserve(window, window.count + 1);
  const at = placeOf(window, value);
  window.values.copyWithin(at + 1, at, window.count++);
  window.values[at] = value;
}

function remove(window: SortedWindow, value: number): void {
  const at = placeOf(window, value);
  window.values.copyWithin(at, at + 1, window.count--);
}

/** Where the first value is that does not come before this one. */
function placeOf({ values, count }: SortedWindow, value: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comesBefore(values[middle], value)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function comesBefore(a: number, b: number): boolean {
  if (a !== a) return b === b;
  if (a === 0 && b === 0) return Object.is(a, -0) && !Object.is(b, -0);
  return a < b;
}

function reserve(window: SortedWindow, count: number): void {
  if (count <= window.values.length) return;
  const larger = new Float64Array(Math.max(count, 2 * window.values.length));
  larger.set(window.values.subarray(0, window.count));
  window.values = larger;
}
