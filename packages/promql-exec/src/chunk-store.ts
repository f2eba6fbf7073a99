/**
 * Encoded chunks of many series between the reading and the decoding of a query. They are copied out of the messages
 * that they came in: a view would keep the whole message, labels of all its series included, and an object a chunk is
 * more for the collector to follow than the chunk is long.
 */
import { createPagePool, pageBytes, type PagePool } from "./page-pool.ts";
import type { KeptChunk } from "./aggregate-reader.ts";

export interface ChunkStore {
  /** Begins the next series; the first one has number 0. */
  beginSeries(): void;
  /** Copies a chunk of the series begun last. */
  add(minTimeMs: number, chunk: KeptChunk): void;
  /** Series n has the chunks [firstChunk(n), firstChunk(n + 1)). */
  firstChunk(series: number): number;
  minTimeMs(chunk: number): number;
  encoding(chunk: number): KeptChunk["encoding"];
  byteLength(chunk: number): number;
  /** A view, valid while the series is not released. */
  data(chunk: number): Uint8Array;
  /** Lets the chunks of a series go. To be called once a series. */
  release(series: number): void;
}

const pageBytesFirst = 4 << 10;

/** Pages come out of `pool`, and go back to it as the series on them are released. */
export function createChunkStore(pool: PagePool = createPagePool(0)): ChunkStore {
  const pages: Uint8Array<ArrayBuffer>[] = [];
  const chunksOn: number[] = []; // of each page, those not yet released
  let pageFill = 0;
  let pageBytesNext = pageBytesFirst;
  let seriesCount = 0;
  let chunkCount = 0;
  let firsts = new Uint32Array(16); // by series
  let { minTimesMs, pageNumbers, offsets, lengths, encodings } = createChunkColumns(16);

  function growChunks() {
    const grown = createChunkColumns(2 * encodings.length);
    minTimesMs = withRoom(grown.minTimesMs, minTimesMs);
    pageNumbers = withRoom(grown.pageNumbers, pageNumbers);
    offsets = withRoom(grown.offsets, offsets);
    lengths = withRoom(grown.lengths, lengths);
    encodings = withRoom(grown.encodings, encodings);
  }

  function beginPage(bytes: number) {
    const length = Math.max(pageBytesNext, bytes);
    pages.push(new Uint8Array(length === pageBytes ? pool.take() : new ArrayBuffer(length)));
    chunksOn.push(0);
    pageFill = 0;
    pageBytesNext = Math.min(2 * pageBytesNext, pageBytes);
  }

  return {
    beginSeries() {
      if (seriesCount === firsts.length) firsts = withRoom(new Uint32Array(2 * firsts.length), firsts);
      firsts[seriesCount++] = chunkCount;
    },
    add(minTimeMs, { encoding, data }) {
      const { length } = data;
      if (pages.length === 0 || pageFill + length > pages[pages.length - 1].length) beginPage(length);
      if (chunkCount === encodings.length) growChunks();
      const page = pages.length - 1;
      pages[page].set(data, pageFill);
      chunksOn[page]++;
      minTimesMs[chunkCount] = minTimeMs;
      encodings[chunkCount] = encoding;
      pageNumbers[chunkCount] = page;
      offsets[chunkCount] = pageFill;
      lengths[chunkCount++] = length;
      pageFill += length;
    },
    firstChunk: (series) => (series < seriesCount ? firsts[series] : chunkCount),
    minTimeMs: (chunk) => minTimesMs[chunk],
    encoding: (chunk) => encodings[chunk] as KeptChunk["encoding"],
    byteLength: (chunk) => lengths[chunk],
    data: (chunk) => new Uint8Array(pages[pageNumbers[chunk]].buffer, offsets[chunk], lengths[chunk]),
    release(series) {
      const end = series + 1 < seriesCount ? firsts[series + 1] : chunkCount;
      for (let chunk = firsts[series]; chunk < end; chunk++) {
        const page = pageNumbers[chunk];
        if (--chunksOn[page] === 0) {
          pool.give(pages[page].buffer);
          pages[page] = released;
        }
        lengths[chunk] = 0;
        offsets[chunk] = 0;
      }
    },
  };
}

/** By chunk, in one piece of memory: for small queries, each piece costs more than what is written into it. */
function createChunkColumns(room: number) {
  const memory = new ArrayBuffer(room * 21);
  return {
    minTimesMs: new Float64Array(memory, 0, room),
    pageNumbers: new Uint32Array(memory, room * 8, room),
    offsets: new Uint32Array(memory, room * 12, room),
    lengths: new Uint32Array(memory, room * 16, room),
    encodings: new Uint8Array(memory, room * 20, room),
  };
}

const released = new Uint8Array(0);

function withRoom<T extends Float64Array | Uint32Array | Uint8Array>(larger: T, old: T): T {
  larger.set(old);
  return larger;
}
