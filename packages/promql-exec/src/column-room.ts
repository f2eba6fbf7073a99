/**
 * Columns of many series in few buffers: a typed array with memory of its own is dear to the collector, which looks at all
 * of the heap after so many bytes outside of it. The buffers are pages that queries use one after the other.
 */
import { pageBytes, type PagePool } from "./page-pool.ts";

export interface ColumnRoom {
  /** A column of a length that is told, with anything in it, valid until `release`. */
  take(length: number): Float64Array<ArrayBuffer>;
  /** Gives the memory of all columns to other queries. Not to call it is no harm. */
  release(): void;
}

const roomBytesFirst = 2 << 10;

export function createColumnRoom(pool: PagePool): ColumnRoom {
  const pages: ArrayBuffer[] = [];
  let room = new ArrayBuffer(0);
  let used = 0;
  let next = roomBytesFirst;
  const begin = (bytes: number) => {
    room = Math.max(bytes, next) === pageBytes ? pool.take() : new ArrayBuffer(Math.max(bytes, next));
    if (room.byteLength === pageBytes) pages.push(room);
    used = 0;
    next = Math.min(2 * next, pageBytes);
  };
  return {
    take(length) {
      if (used + 8 * length > room.byteLength) begin(8 * length);
      const column = new Float64Array(room, used, length);
      used += 8 * length;
      return column;
    },
    release() {
      for (const page of pages.splice(0)) pool.give(page);
      room = new ArrayBuffer(0);
      used = 0;
    },
  };
}
