import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KeptChunk } from "./aggregate-reader.ts";
import { createChunkStore } from "./chunk-store.ts";

interface Chunk extends KeptChunk {
  readonly minTimeMs: number;
}

function storeOf(series: readonly (readonly Chunk[])[]) {
  const store = createChunkStore();
  for (const chunks of series) {
    store.beginSeries();
    for (const chunk of chunks) store.add(chunk.minTimeMs, chunk);
  }
  return store;
}

function chunksOf(store: ReturnType<typeof createChunkStore>, series: number): readonly Chunk[] {
  const chunks: Chunk[] = [];
  for (let chunk = store.firstChunk(series); chunk < store.firstChunk(series + 1); chunk++) {
    chunks.push({
      minTimeMs: store.minTimeMs(chunk),
      encoding: store.encoding(chunk),
      data: store.data(chunk).slice(),
    });
  }
  return chunks;
}

describe("chunk store", () => {
  it("gives back what it was given, whatever the sizes, also while other series are released", () => {
    const chunk = fc.record({
      minTimeMs: fc.integer({ min: -1e15, max: 1e15 }),
      encoding: fc.constantFrom<KeptChunk["encoding"]>(1, 2, 3, 255),
      data: fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constant(new Uint8Array(20_000).fill(5))),
    });
    fc.assert(
      fc.property(fc.array(fc.array(chunk, { maxLength: 5 }), { maxLength: 60 }), (series) => {
        const store = storeOf(series);
        for (const [number, chunks] of series.entries()) {
          expect(chunksOf(store, number)).toEqual(chunks);
          store.release(number);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("keeps nothing of the bytes that it was given", () => {
    const data = Uint8Array.of(1, 2, 3);
    const store = storeOf([[{ minTimeMs: 0, encoding: 1, data }]]);
    data.fill(9);
    expect([...store.data(0)]).toEqual([1, 2, 3]);
  });

  it("holds a chunk that is longer than a page", () => {
    const data = new Uint8Array(1 << 20).fill(7);
    const store = storeOf([[], [{ minTimeMs: 5, encoding: 1, data }], []]);
    expect(chunksOf(store, 0)).toEqual([]);
    expect(store.data(store.firstChunk(1)).length).toBe(1 << 20);
    expect(chunksOf(store, 2)).toEqual([]);
  });
});
