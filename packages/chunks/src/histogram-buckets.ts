/** How the buckets of one histogram lie to those of another of the same schema, and how they are brought to one layout. */
import type { BucketSpan } from "@pleiad/model";
import { bucketCount } from "./histogram-layout.ts";

/** What spans of one histogram, or of a chunk, lack of another's. */
export interface SpanDifference {
  readonly oldLacks: boolean;
  readonly newLacks: boolean;
}

const noDifference: SpanDifference = { oldLacks: false, newLacks: false };

/** Whether two lists of spans are the same, span by span: so it is with nearly all that follow each other. */
function equalSpans(one: readonly BucketSpan[], other: readonly BucketSpan[]): boolean {
  if (one === other) return true;
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) {
    if (one[i].offset !== other[i].offset || one[i].length !== other[i].length) return false;
  }
  return true;
}

/** The absolute index of every bucket, ascending. */
export function bucketIndexes(spans: readonly BucketSpan[]): Int32Array {
  const indexes = new Int32Array(bucketCount(spans));
  let at = 0;
  let index = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++) indexes[at++] = index++;
  }
  return indexes;
}

export function compareSpans(oldSpans: readonly BucketSpan[], newSpans: readonly BucketSpan[]): SpanDifference {
  if (equalSpans(oldSpans, newSpans)) return noDifference;
  const oldIndexes = bucketIndexes(oldSpans);
  const newIndexes = bucketIndexes(newSpans);
  const known = new Set(oldIndexes);
  let shared = 0;
  for (const index of newIndexes) if (known.has(index)) shared++;
  return { oldLacks: shared < newIndexes.length, newLacks: shared < oldIndexes.length };
}

/** Whether a bucket has less than it had, or had something and is gone. */
export function anyBucketFell(
  oldSpans: readonly BucketSpan[],
  oldBuckets: Float64Array,
  newSpans: readonly BucketSpan[],
  newBuckets: Float64Array,
): boolean {
  if (equalSpans(oldSpans, newSpans)) {
    for (let i = 0; i < oldBuckets.length; i++) if (oldBuckets[i] > newBuckets[i]) return true;
    return false;
  }
  const oldIndexes = bucketIndexes(oldSpans);
  const newIndexes = bucketIndexes(newSpans);
  let at = 0;
  for (let i = 0; i < oldIndexes.length; i++) {
    while (at < newIndexes.length && newIndexes[at] < oldIndexes[i]) at++;
    if (at < newIndexes.length && newIndexes[at] === oldIndexes[i]) {
      if (oldBuckets[i] > newBuckets[at]) return true;
    } else if (oldBuckets[i] !== 0) return true;
  }
  return false;
}

/** Spans of all buckets of both, as few as can be. */
export function uniteSpans(one: readonly BucketSpan[], other: readonly BucketSpan[]): readonly BucketSpan[] {
  const indexes = Int32Array.from(new Set([...bucketIndexes(one), ...bucketIndexes(other)])).sort();
  const spans: { offset: number; length: number }[] = [];
  let next = 0;
  for (const index of indexes) {
    const last = spans.at(-1);
    if (last !== undefined && index === next) last.length++;
    else spans.push({ offset: index - next, length: 1 });
    next = index + 1;
  }
  return spans;
}

/** The buckets in a layout that has all of them: 0 where they are new. */
export function spreadBuckets(
  buckets: Float64Array,
  spans: readonly BucketSpan[],
  wider: readonly BucketSpan[],
): Float64Array {
  if (spans === wider) return buckets;
  const indexes = bucketIndexes(spans);
  const widerIndexes = bucketIndexes(wider);
  const spread = new Float64Array(widerIndexes.length);
  let at = 0;
  for (let i = 0; i < indexes.length; i++) {
    while (widerIndexes[at] < indexes[i]) at++;
    spread[at] = buckets[i];
  }
  return spread;
}
