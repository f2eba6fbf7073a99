/**
 * Speed of the bulk decoder, beside that of the decoder of one chunk, over kinds of series as a fleet has them. Large by
 * name: `node packages/chunks/src/xor-bulk.bench.ts`; small in the tests.
 */
import { pathToFileURL } from "node:url";
import { createSampleColumns } from "./sample-columns.ts";
import { createSharedMemory, memoryPageBytes } from "./wasm.ts";
import { createXorBulkDecoder, xorBulkRowBytes, xorBulkSlackBytes } from "./xor-bulk.ts";
import { encodeBenchChunks, samplesPerChunk, xorChunkBenchKinds } from "./xor-chunk.bench.ts";
import { decodeXor } from "./xor-decoder.ts";

export interface XorBulkBench {
  readonly bulkPerSecond: number;
  readonly singlyPerSecond: number;
  /** The sum of all values that either gave, once a round: a faster wrong answer shows. */
  readonly checksum: number;
}

/** As a query has them: columns that stay in the cache. */
const chunksPerCall = 64;

export function benchXorBulk(kind: string, chunkCount: number, rounds: number, nowMs: () => number): XorBulkBench {
  const chunks = encodeBenchChunks(kind, chunkCount);
  const bytes = chunks.reduce((total, { length }) => total + length, 0);
  const wordsLength = (Math.max(...chunks.map(({ length }) => length)) + xorBulkSlackBytes + 7) & ~7;
  const capacity = chunksPerCall * samplesPerChunk;
  const table = 0;
  const words = table + chunkCount * xorBulkRowBytes;
  const timestampsMs = words + wordsLength;
  const values = timestampsMs + capacity * 8;
  const data = values + capacity * 8;
  const pages = Math.ceil((data + bytes + xorBulkSlackBytes) / memoryPageBytes);
  const memory = createSharedMemory(pages, pages);
  const rows = new Uint32Array(memory.buffer, table, chunkCount * 4);
  let at = data;
  chunks.forEach((chunk, i) => {
    new Uint8Array(memory.buffer).set(chunk, at);
    rows.set([at, chunk.length], 4 * i);
    at += chunk.length;
  });
  const decoder = createXorBulkDecoder(memory);
  const column = new Float64Array(memory.buffer, values, capacity);
  let bulkSum = 0;
  const bulkStartMs = nowMs();
  for (let round = 0; round < rounds; round++) {
    for (let first = 0; first < chunkCount; first += chunksPerCall) {
      const count = decoder.decode({
        ...{ table: table + first * xorBulkRowBytes, chunkCount: Math.min(chunksPerCall, chunkCount - first) },
        ...{ words, wordsLength, timestampsMs, values, capacity, untilMs: Infinity },
      });
      for (let i = round % 7; i < count; i += 7) bulkSum += column[i];
    }
  }
  const bulkMs = nowMs() - bulkStartMs;

  const columns = createSampleColumns(capacity);
  let singlySum = 0;
  const singlyStartMs = nowMs();
  for (let round = 0; round < rounds; round++) {
    for (let first = 0; first < chunkCount; first += chunksPerCall) {
      columns.count = 0;
      const end = Math.min(first + chunksPerCall, chunkCount);
      for (let chunk = first; chunk < end; chunk++) decodeXor(chunks[chunk], columns);
      for (let i = round % 7; i < columns.count; i += 7) singlySum += columns.values[i];
    }
  }
  const singlyMs = nowMs() - singlyStartMs;
  if (bulkSum !== singlySum) throw new Error(`the decoders differ: ${bulkSum} and ${singlySum}`);
  const samples = chunkCount * samplesPerChunk * rounds;
  return {
    bulkPerSecond: (samples * 1000) / bulkMs,
    singlyPerSecond: (samples * 1000) / singlyMs,
    checksum: bulkSum,
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const now = () => performance.now();
  for (const kind of xorChunkBenchKinds) benchXorBulk(kind, 200, 20, now);
  for (const kind of xorChunkBenchKinds) {
    const { bulkPerSecond, singlyPerSecond, checksum } = benchXorBulk(kind, 2_000, 20, now);
    const millions = (perSecond: number) => (perSecond / 1e6).toFixed(0).padStart(4);
    console.log(
      `${kind.padEnd(20)} bulk ${millions(bulkPerSecond)} M/s, singly ${millions(singlyPerSecond)} M/s, checksum ${checksum}`,
    );
  }
}
