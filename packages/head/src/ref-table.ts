/**
 * The series of a head by their references. Those are given out one after the other, so that a table in pages is smaller
 * and quicker than a map; pages whose series are all gone go too.
 */
import type { MemorySeries } from "./memory-series.ts";

const pageBits = 10;
const pageRefs = 1 << pageBits;

interface Page {
  readonly series: (MemorySeries | undefined)[];
  count: number;
}

export class RefTable {
  /** By the upper bits of the reference. */
  readonly #pages: (Page | undefined)[] = [];
  size = 0;

  get(ref: number): MemorySeries | undefined {
    return this.#pages[ref >>> pageBits]?.series[ref & (pageRefs - 1)];
  }

  /** The reference must be a whole number of 32 bits. */
  set(ref: number, series: MemorySeries): void {
    const at = ref >>> pageBits;
    let page = this.#pages[at];
    if (page === undefined) {
      page = { series: Array.from({ length: pageRefs }, () => undefined), count: 0 };
      this.#pages[at] = page;
    }
    if (page.series[ref & (pageRefs - 1)] === undefined) {
      page.count++;
      this.size++;
    }
    page.series[ref & (pageRefs - 1)] = series;
  }

  delete(ref: number): void {
    const at = ref >>> pageBits;
    const page = this.#pages[at];
    if (page === undefined || page.series[ref & (pageRefs - 1)] === undefined) return;
    page.series[ref & (pageRefs - 1)] = undefined;
    page.count--;
    this.size--;
    if (page.count === 0) this.#pages[at] = undefined;
  }

  /** By reference. What is added or removed meanwhile may be there or not. */
  *values(): Generator<MemorySeries> {
    for (const at of Object.keys(this.#pages)) {
      const page = this.#pages[Number(at)];
      if (page === undefined) continue;
      for (const series of page.series) if (series !== undefined) yield series;
    }
  }
}
