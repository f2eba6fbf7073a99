/**
 * Rows of floats kept for later, in pages that queries use one after the other. A row is read in place: the step i of row r is
 * at `offsetOf(r) + i` of the columns of `pageOf(r)`.
 */
import type { SampleBudget } from "./limits.ts";
import { pageBytes, type PagePool } from "./page-pool.ts";

export interface RowPages {
  /** Keeps a copy of a row, out of the budget; gives its number. Rows are numbered from 0. */
  keep(values: Float64Array, present: Uint8Array): number;
  pageOf(row: number): RowPage;
  offsetOf(row: number): number;
  /** Lets a row go. To be called at most once a row. */
  free(row: number): void;
  /** Lets go of all rows that are left. */
  release(): void;
}

export interface RowPage {
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

interface HeldPage extends RowPage {
  readonly buffer: ArrayBuffer;
  rowCount: number; // of those not yet let go
}

const stepBytes = 8 + 1;
const pageBytesFirst = 4 << 10;
const noPage: HeldPage = {
  buffer: new ArrayBuffer(0),
  values: new Float64Array(0),
  present: new Uint8Array(0),
  rowCount: 0,
};

export function createRowPages(stepCount: number, budget: SampleBudget, pool: PagePool): RowPages {
  const pages: HeldPage[] = [];
  let pageNumbers = new Uint32Array(16); // by row
  let offsets = new Uint32Array(16); // by row
  let rowCount = 0;
  let room = 0; // rows that the last page has room for
  let pageBytesNext = pageBytesFirst;

  const beginPage = () => {
    const bytes = Math.max(pageBytesNext, stepBytes * stepCount);
    const buffer = bytes === pageBytes ? pool.take() : new ArrayBuffer(bytes);
    room = Math.floor(bytes / (stepBytes * stepCount));
    const values = new Float64Array(buffer, 0, room * stepCount);
    pages.push({ buffer, values, present: new Uint8Array(buffer, values.byteLength), rowCount: 0 });
    pageBytesNext = Math.min(2 * pageBytesNext, pageBytes);
  };
  const letGo = (page: number) => {
    budget.give(pages[page].rowCount * stepCount);
    pool.give(pages[page].buffer);
    pages[page] = noPage;
    if (page === pages.length - 1) room = 0;
  };

  return {
    keep(values, present) {
      budget.take(stepCount);
      if (room === 0) beginPage();
      if (rowCount === offsets.length) {
        pageNumbers = grown(pageNumbers);
        offsets = grown(offsets);
      }
      const page = pages[pages.length - 1];
      const offset = page.values.length - room * stepCount;
      page.values.set(values, offset);
      page.present.set(present, offset);
      page.rowCount++;
      room--;
      pageNumbers[rowCount] = pages.length - 1;
      offsets[rowCount] = offset;
      return rowCount++;
    },
    pageOf: (row) => pages[pageNumbers[row]],
    offsetOf: (row) => offsets[row],
    free(row) {
      const page = pageNumbers[row];
      budget.give(stepCount);
      if (--pages[page].rowCount === 0) letGo(page);
    },
    release() {
      for (let page = 0; page < pages.length; page++) if (pages[page] !== noPage) letGo(page);
    },
  };
}

function grown(old: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * old.length);
  larger.set(old);
  return larger;
}
