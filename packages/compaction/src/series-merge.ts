/** Series of several blocks as one stream in label order. */
import type { BlockSeries } from "@pleiad/blocks";
import { compareLabels, compareText, labelsEqual, type Labels } from "@pleiad/model";

/** One label set, and its series in those inputs that have it. */
export interface MatchingSeries {
  readonly labels: Labels;
  readonly parts: readonly BlockSeries[];
  /** The input of each part, ascending. */
  readonly inputs: readonly number[];
}

/** Label sets ascend in every input, each once in one; so they do in what comes out. */
export function mergeSeries(inputs: readonly AsyncIterable<BlockSeries>[]): AsyncGenerator<MatchingSeries> {
  return mergeSorted(
    inputs,
    (a, b) => compareLabels(a.labels, b.labels),
    (items, indexes) => {
      const [first] = items;
      if (first === undefined) throw new Error("a label set without series");
      return { labels: first.labels, parts: items, inputs: indexes };
    },
  );
}

/** Every symbol once, ascending by UTF-8 bytes. */
export function mergeSymbols(inputs: readonly AsyncIterable<string>[]): AsyncGenerator<string> {
  return mergeSorted(inputs, compareText, ([first]) => first ?? "");
}

/** Whether series come in an order that a block may have: for the reader of one. */
export function isAscending(last: Labels | undefined, next: Labels): boolean {
  return last === undefined || (!labelsEqual(last, next) && compareLabels(last, next) < 0);
}

/** A merge of sorted streams; items that are equal come together, in the order of their inputs. */
async function* mergeSorted<T, R>(
  inputs: readonly AsyncIterable<T>[],
  compare: (a: T, b: T) => number,
  combine: (items: readonly T[], inputs: readonly number[]) => R,
): AsyncGenerator<R> {
  interface Head {
    item: T;
    readonly input: number;
    readonly rest: AsyncIterator<T>;
  }
  const order = (a: Head, b: Head) => compare(a.item, b.item) || a.input - b.input;
  const iterators = inputs.map((input) => input[Symbol.asyncIterator]());
  // A binary heap: the least is at 0.
  const heap: Head[] = [];
  const sink = (from: number) => {
    const moving = heap[from];
    if (moving === undefined) return;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      let least = left;
      if (right !== undefined && order(right, left) < 0) {
        least = right;
        child++;
      }
      if (order(moving, least) <= 0) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = moving;
  };
  try {
    for (const [input, rest] of iterators.entries()) {
      const step = await rest.next();
      if (step.done !== true) heap.push({ item: step.value, input, rest });
    }
    for (let i = heap.length >> 1; i >= 0; i--) sink(i);
    for (let head = heap[0]; head !== undefined; head = heap[0]) {
      const { item } = head;
      const items: T[] = [];
      const indexes: number[] = [];
      for (let same = heap[0]; same !== undefined && compare(same.item, item) === 0; same = heap[0]) {
        items.push(same.item);
        indexes.push(same.input);
        const step = await same.rest.next();
        if (step.done === true) {
          const last = heap.pop();
          if (last !== undefined && last !== same) heap[0] = last;
        } else same.item = step.value;
        sink(0);
      }
      yield combine(items, indexes);
    }
  } finally {
    for (const iterator of iterators) await iterator.return?.();
  }
}
