import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ChunkFailure } from "./chunk-failure.ts";
import { createSampleColumns } from "./sample-columns.ts";
import { encodeXor } from "./xor-appender.ts";
import { createSharedMemory, memoryPageBytes } from "./wasm.ts";
import { createXorBulkDecoder, xorBulkFailure, xorBulkRow, xorBulkRowBytes, xorBulkSlackBytes } from "./xor-bulk.ts";
import { benchXorBulk } from "./xor-bulk.bench.ts";
import { decodeXor } from "./xor-decoder.ts";

interface Decoded {
  readonly failure: ChunkFailure | undefined;
  readonly timestampsMs: Float64Array;
  readonly words: Uint32Array; // the values' bits
}

const memory = createSharedMemory(4, 64);
const decoder = createXorBulkDecoder(memory);

/** Decodes chunks in one call, each region between guards that must stay as they are. */
function decodeAll(chunks: readonly Uint8Array[], options: { untilMs?: number; capacity?: number } = {}): Decoded[] {
  const { untilMs = Infinity } = options;
  const capacity = options.capacity ?? chunks.reduce((total, chunk) => total + samplesIn(chunk), 0);
  const wordsLength = Math.max(0, ...chunks.map(({ length }) => length)) + xorBulkSlackBytes;
  let end = 64;
  const guards: number[] = [];
  const region = (bytes: number) => {
    guards.push(end);
    const at = Math.ceil((end + 8) / 8) * 8;
    end = at + bytes;
    return at;
  };
  const table = region(chunks.length * xorBulkRowBytes);
  const words = region(wordsLength);
  const timestampsMs = region(capacity * 8);
  const values = region(capacity * 8);
  const data = region(chunks.reduce((total, { length }) => total + length, 0));
  guards.push(end);
  const room = end + 64;
  if (room > memory.buffer.byteLength) {
    memory.grow(Math.ceil((room - memory.buffer.byteLength) / memoryPageBytes));
  }
  const bytes = new Uint8Array(memory.buffer);
  // Not zeros: what a decoder reads beyond its chunk must not matter.
  bytes.fill(0xa5, 0, room);
  const rows = new Uint32Array(memory.buffer, table, chunks.length * 4);
  let at = data;
  chunks.forEach((chunk, i) => {
    bytes.set(chunk, at);
    rows[4 * i + xorBulkRow.offset] = at;
    rows[4 * i + xorBulkRow.length] = chunk.length;
    at += chunk.length;
  });
  const count = decoder.decode({
    ...{ table, chunkCount: chunks.length, words, wordsLength, timestampsMs, values, capacity, untilMs },
  });
  for (const guard of guards) for (let i = guard; i < guard + 4; i++) expect(bytes[i]).toBe(0xa5);
  let sample = 0;
  const decoded = chunks.map((chunk, i) => {
    const sampleCount = rows[4 * i + xorBulkRow.sampleCount] ?? NaN;
    const from = sample;
    sample += sampleCount;
    return {
      failure: xorBulkFailure(rows[4 * i + xorBulkRow.failure] ?? 0, chunk.length, samplesIn(chunk)),
      timestampsMs: new Float64Array(memory.buffer, timestampsMs + 8 * from, sampleCount).slice(),
      words: new Uint32Array(memory.buffer, values + 8 * from, 2 * sampleCount).slice(),
    };
  });
  expect(sample).toBe(count);
  return decoded;
}

function decodeSingly(chunk: Uint8Array): Decoded {
  const columns = createSampleColumns(0);
  const failure = decodeXor(chunk, columns);
  const { count } = columns;
  return {
    failure,
    timestampsMs: columns.timestampsMs.slice(0, count),
    words: columns.valueWords.slice(0, 2 * count),
  };
}

const samplesIn = (chunk: Uint8Array) => (chunk.length < 2 ? 0 : ((chunk[0] ?? 0) << 8) | (chunk[1] ?? 0));

/** Runs of samples as series have them: scrape gaps, constants, counters, gauges, odd bits. */
const chunks = fc
  .tuple(
    fc.integer({ min: -8e15, max: 8e15 }),
    fc.array(
      fc.record({
        gapMs: fc.oneof(
          { weight: 5, arbitrary: fc.constant(30_000) },
          fc.integer({ min: 1, max: 60_000 }),
          fc.integer({ min: 1, max: 2 ** 40 }),
        ),
        change: fc.constantFrom("same", "same", "same", "count", "bits"),
        high: fc.nat(0xffffffff),
        low: fc.nat(0xffffffff),
        repeat: fc.constantFrom(1, 1, 3, 40),
      }),
      { maxLength: 30 },
    ),
  )
  .map(([startMs, runs]) => {
    const timestampsMs: number[] = [];
    const values = new Float64Array(runs.reduce((total, { repeat }) => total + repeat, 0));
    const words = new Uint32Array(values.buffer);
    let timeMs = startMs;
    let i = 0;
    for (const { gapMs, change, high, low, repeat } of runs) {
      for (let r = 0; r < repeat; r++, i++) {
        timestampsMs.push((timeMs += gapMs));
        if (change === "bits") words.set([low, high], 2 * i);
        else if (i > 0) words.set(words.subarray(2 * i - 2, 2 * i), 2 * i);
        if (change === "count" && Number.isFinite(values[i])) values[i] = (values[i] ?? 0) + (low % 100);
      }
    }
    return encodeXor(Float64Array.from(timestampsMs), values, 0, timestampsMs.length);
  });

describe("XOR chunks in bulk", () => {
  it("decodes many chunks a call as the decoder of one does", () => {
    fc.assert(
      fc.property(fc.array(chunks, { maxLength: 6 }), (list) => {
        expect(decodeAll(list)).toEqual(list.map(decodeSingly));
      }),
      { numRuns: 100 },
    );
  });

  it("ends on damaged bytes with the same failure, between neighbours that stay whole", () => {
    const damaged = fc
      .tuple(chunks, fc.array(fc.tuple(fc.nat(400), fc.nat(7)), { maxLength: 4 }), fc.nat(400))
      .map(([chunk, flips, cut]) => {
        const copy = chunk.slice(0, Math.max(cut < chunk.length ? cut : 0, 1) === cut ? cut : chunk.length);
        for (const [at, bit] of flips) copy[at % copy.length] = (copy[at % copy.length] ?? 0) ^ (1 << bit);
        return copy;
      });
    fc.assert(
      fc.property(chunks, fc.oneof(damaged, fc.uint8Array({ maxLength: 60 })), chunks, (before, bytes, after) => {
        const capacity = samplesIn(before) + 65_535 + samplesIn(after);
        expect(decodeAll([before, bytes, after], { capacity })).toEqual([before, bytes, after].map(decodeSingly));
      }),
      { numRuns: 400 },
    );
  });

  it("stops before the first sample later than it is told", () => {
    fc.assert(
      fc.property(
        chunks,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.constantFrom(-0.5, 0, 0.5),
        (chunk, share, shift) => {
          const all = decodeSingly(chunk);
          const untilMs = (all.timestampsMs[Math.floor(share * (all.timestampsMs.length - 1))] ?? 0) + shift;
          const count = all.timestampsMs.filter((timeMs) => timeMs <= untilMs).length;
          const [some] = decodeAll([chunk], { untilMs });
          expect(some).toEqual({
            failure: undefined,
            timestampsMs: all.timestampsMs.slice(0, count),
            words: all.words.slice(0, 2 * count),
          });
        },
      ),
      { numRuns: 100 },
    );
    const chunk = encodeXor(Float64Array.of(1, 2), Float64Array.of(1, 2), 0, 2);
    for (const untilMs of [-Infinity, -9e15, 0])
      expect(decodeAll([chunk], { untilMs })[0]?.timestampsMs).toHaveLength(0);
  });

  it("writes nothing where the columns have no room, and says so", () => {
    const chunk = encodeXor(Float64Array.of(1, 2), Float64Array.of(1, 2), 0, 2);
    expect(() => decodeAll([chunk], { capacity: 1 })).toThrow(/no room/);
  });

  it("runs its benchmark", () => {
    let tick = 0;
    const once = () => benchXorBulk("counter", 3, 2, () => tick++).checksum;
    expect(once()).toBe(once());
  });
});
