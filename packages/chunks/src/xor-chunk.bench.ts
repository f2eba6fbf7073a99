/**
 * Speed of the XOR codec over kinds of series as a cluster has them. Large by name:
 * `node packages/chunks/src/xor-chunk.bench.ts`; small in the tests.
 */
import { pathToFileURL } from "node:url";
import { decodeChunk } from "./chunk.ts";
import { createSampleColumns } from "./sample-columns.ts";
import { encodeXor } from "./xor-appender.ts";

export interface XorChunkBench {
  readonly encodedPerSecond: number;
  readonly decodedPerSecond: number;
  readonly bytesPerSample: number;
  /** The sum of all values that came back, times the sum of chunk lengths: a faster wrong answer shows. */
  readonly checksum: number;
}

export const samplesPerChunk = 120;

const kinds: Readonly<Record<string, (i: number, chance: () => number, last: number) => number>> = {
  constant: () => 1,
  counter: (_, chance, last) => last + Math.floor(chance() * 100),
  "counter of seconds": (_, chance, last) => last + Math.round(chance() * 3000) / 100,
  gauge: (_, chance, last) => last + Math.floor(chance() * 4097 - 2048) * 4096,
  random: (_, chance) => chance(),
};

/** Chunks of one kind of series, one after the other. */
export function encodeBenchChunks(kind: string, chunkCount: number): readonly Uint8Array[] {
  const { timestampsMs, values } = benchSamples(kind, chunkCount * samplesPerChunk);
  return encodeAll(timestampsMs, values);
}

function encodeAll(timestampsMs: Float64Array, values: Float64Array): readonly Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < values.length; at += samplesPerChunk) {
    chunks.push(encodeXor(timestampsMs, values, at, at + samplesPerChunk));
  }
  return chunks;
}

function benchSamples(kind: string, sampleCount: number) {
  const next = kinds[kind];
  let state = 1;
  const chance = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 4_294_967_296;
  const timestampsMs = new Float64Array(sampleCount);
  const values = new Float64Array(sampleCount);
  for (let i = 0, value = 1e6; i < sampleCount; i++) {
    // Scrapes are aligned to the millisecond but for one in ten.
    timestampsMs[i] = 1_700_000_000_000 + i * 30_000 + (chance() < 0.1 ? Math.floor(chance() * 5) : 0);
    value = next(i, chance, value);
    values[i] = value;
  }
  return { timestampsMs, values };
}

/** Encodes and decodes `chunkCount` chunks of one kind, `rounds` times. */
export function benchXorChunks(kind: string, chunkCount: number, rounds: number, nowMs: () => number): XorChunkBench {
  const sampleCount = chunkCount * samplesPerChunk;
  const { timestampsMs, values } = benchSamples(kind, sampleCount);
  let chunks: readonly Uint8Array[] = [];
  const encodeStartMs = nowMs();
  for (let round = 0; round < rounds; round++) {
    chunks = encodeAll(timestampsMs, values);
  }
  const encodeMs = nowMs() - encodeStartMs;
  const bytes = chunks.reduce((total, chunk) => total + chunk.length, 0);
  const columns = createSampleColumns(samplesPerChunk);
  let sum = 0;
  const decodeStartMs = nowMs();
  for (let round = 0; round < rounds; round++) {
    for (const chunk of chunks) {
      columns.count = 0;
      const failure = decodeChunk(1, chunk, columns);
      if (failure !== undefined) throw new Error(failure.kind);
      sum += columns.values[round % samplesPerChunk];
    }
  }
  const decodeMs = nowMs() - decodeStartMs;
  return {
    encodedPerSecond: (sampleCount * rounds * 1000) / encodeMs,
    decodedPerSecond: (sampleCount * rounds * 1000) / decodeMs,
    bytesPerSample: bytes / sampleCount,
    checksum: sum * bytes,
  };
}

export const xorChunkBenchKinds: readonly string[] = Object.keys(kinds);

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for (const kind of xorChunkBenchKinds) benchXorChunks(kind, 100, 20, () => performance.now());
  for (const kind of xorChunkBenchKinds) {
    const { encodedPerSecond, decodedPerSecond, bytesPerSample, checksum } = benchXorChunks(kind, 2_000, 20, () =>
      performance.now(),
    );
    console.log(
      `${kind.padEnd(20)} encode ${(encodedPerSecond / 1e6).toFixed(1)} M/s, decode ${(decodedPerSecond / 1e6).toFixed(1)} M/s, ` +
        `${bytesPerSample.toFixed(2)} B/sample, checksum ${checksum}`,
    );
  }
}
