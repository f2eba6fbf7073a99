/** Sorted lists of series references: which series have a label value, and how such lists combine. */

/** Ascending, without repeats. */
export type Postings = readonly number[];

/** Adds a reference; they mostly come in ascending order. */
export function insertPosting(postings: number[], ref: number): void {
  const last = postings.at(-1);
  if (last === undefined || last < ref) {
    postings.push(ref);
    return;
  }
  const at = firstAtLeast(postings, ref, 0);
  if (postings[at] !== ref) postings.splice(at, 0, ref);
}

/** Those in both. */
export function intersectPostings(a: Postings, b: Postings): Postings {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  const both: number[] = [];
  let at = 0;
  for (const ref of short) {
    at = firstAtLeast(long, ref, at);
    if (at === long.length) break;
    if (long[at] === ref) both.push(ref);
  }
  return both;
}

/** Those in `a` and not in `b`. */
export function subtractPostings(a: Postings, b: Postings): Postings {
  if (b.length === 0) return a;
  const left: number[] = [];
  let at = 0;
  for (const ref of a) {
    at = firstAtLeast(b, ref, at);
    if (b[at] !== ref) left.push(ref);
  }
  return left;
}

/** Those in any of lists that share none: the values of one label. */
export function uniteDisjointPostings(lists: readonly Postings[]): Postings {
  const [first] = lists;
  if (first === undefined) return [];
  if (lists.length === 1) return first;
  let length = 0;
  for (const list of lists) length += list.length;
  const all = new Float64Array(length);
  let at = 0;
  for (const list of lists) {
    for (const ref of list) all[at++] = ref;
  }
  return Array.from(all.sort());
}

/** The first index from `from` on whose reference is at least `ref`: steps that double, then halve. */
function firstAtLeast(postings: Postings, ref: number, from: number): number {
  let step = 1;
  let low = from;
  while (low + step <= postings.length && (postings[low + step - 1] ?? Infinity) < ref) {
    low += step;
    step *= 2;
  }
  let high = Math.min(postings.length, low + step);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((postings[middle] ?? Infinity) < ref) low = middle + 1;
    else high = middle;
  }
  return low;
}
