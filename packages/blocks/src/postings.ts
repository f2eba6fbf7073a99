/** Sorted lists of series references, and how they combine. */

/** References into one index, ascending, each once. Shared: never changed once made. */
export type Postings = Uint32Array;

export const noPostings: Postings = new Uint32Array(0);

/** Beside a list this many times shorter, a list is searched and not walked. */
const gallopRatio = 16;

/** Those in both. */
export function intersectPostings(a: Postings, b: Postings): Postings {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  const both = new Uint32Array(short.length);
  const gallops = long.length > gallopRatio * short.length;
  let count = 0;
  let at = 0;
  for (let i = 0; i < short.length && at < long.length; i++) {
    const ref = short[i] as number;
    if (gallops) at = firstAtLeast(long, ref, at);
    else while (at < long.length && (long[at] as number) < ref) at++;
    if (long[at] === ref) both[count++] = ref;
  }
  return shrunk(both, count);
}

/** Those in `a` and not in `b`. */
export function subtractPostings(a: Postings, b: Postings): Postings {
  if (a.length === 0 || b.length === 0) return a;
  const left = new Uint32Array(a.length);
  const gallops = b.length > gallopRatio * a.length;
  let count = 0;
  let at = 0;
  for (let i = 0; i < a.length; i++) {
    const ref = a[i] as number;
    if (gallops) at = firstAtLeast(b, ref, at);
    else while (at < b.length && (b[at] as number) < ref) at++;
    if (b[at] !== ref) left[count++] = ref;
  }
  return shrunk(left, count);
}

/** Those in any of the lists. */
export function unitePostings(lists: readonly Postings[]): Postings {
  let total = 0;
  let first = Infinity;
  let last = 0;
  let only: Postings = noPostings;
  for (const list of lists) {
    if (list.length === 0) continue;
    if (total === 0) only = list;
    total += list.length;
    first = Math.min(first, list[0] as number);
    last = Math.max(last, list[list.length - 1] as number);
  }
  if (only.length === total) return only;
  const words = ((last - first) >>> 5) + 1;
  return words <= 8 * total ? unitedByBits(lists, total, first, words) : unitedBySort(lists, total);
}

/** For lists that lie close: one bit a reference. */
function unitedByBits(lists: readonly Postings[], total: number, first: number, wordCount: number): Postings {
  const words = new Uint32Array(wordCount);
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) {
      const bit = (list[i] as number) - first;
      words[bit >>> 5] = (words[bit >>> 5] as number) | (1 << (bit & 31));
    }
  }
  const united = new Uint32Array(total);
  let count = 0;
  for (let i = 0; i < wordCount; i++) {
    for (let word = words[i] as number; word !== 0; word &= word - 1) {
      united[count++] = first + 32 * i + (31 - Math.clz32(word & -word));
    }
  }
  return shrunk(united, count);
}

function unitedBySort(lists: readonly Postings[], total: number): Postings {
  const united = new Uint32Array(total);
  let count = 0;
  for (const list of lists) {
    united.set(list, count);
    count += list.length;
  }
  united.sort();
  count = 0;
  for (let i = 0; i < total; i++) if (i === 0 || united[i] !== united[count - 1]) united[count++] = united[i] as number;
  return shrunk(united, count);
}

/** The first index from `from` on whose reference is at least `ref`: steps that double, then halve. */
function firstAtLeast(postings: Postings, ref: number, from: number): number {
  let step = 1;
  let low = from;
  while (low + step <= postings.length && (postings[low + step - 1] as number) < ref) {
    low += step;
    step *= 2;
  }
  let high = Math.min(postings.length, low + step);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((postings[middle] as number) < ref) low = middle + 1;
    else high = middle;
  }
  return low;
}

function shrunk(list: Uint32Array, count: number): Postings {
  // A copy where much is free: the list may be kept for long.
  return count === list.length ? list : 4 * count < 3 * list.length ? list.slice(0, count) : list.subarray(0, count);
}
