/**
 * Pages of memory that queries use one after the other. The collector counts what buffers hold outside of its heap, and
 * goes through all of the heap, caches of blocks included, for every so many megabytes that are made anew.
 */
export interface PagePool {
  /** A page of `pageBytes` with anything in it. */
  take(): ArrayBuffer;
  /** Nothing may be kept that looks at the page. Not giving one back is no harm. */
  give(page: ArrayBuffer): void;
}

export const pageBytes = 256 << 10;

/** `keptMax`: how many pages are kept for the next query. */
export function createPagePool(keptMax: number): PagePool {
  const kept: ArrayBuffer[] = [];
  return {
    take: () => kept.pop() ?? new ArrayBuffer(pageBytes),
    give(page) {
      if (page.byteLength === pageBytes && kept.length < keptMax) kept.push(page);
    },
  };
}
