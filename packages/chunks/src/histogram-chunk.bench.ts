/**
 * Speed of the codecs of native histograms and of XOR2. Large by name: `node packages/chunks/src/histogram-chunk.bench.ts`;
 * small in the tests.
 */
import { pathToFileURL } from "node:url";
import type { FloatHistogram } from "@pleiad/model";
import { decodeChunk, decodeHistogramChunk } from "./chunk.ts";
import { encodeFloatHistograms, encodeIntegerHistograms } from "./histogram-appender.ts";
import { createHistogramColumns } from "./histogram-columns.ts";
import { createSampleColumns } from "./sample-columns.ts";
import { encodeXor2 } from "./xor2-encoder.ts";

export interface HistogramChunkBench {
  readonly encodedPerSecond: number;
  readonly decodedPerSecond: number;
  readonly bytesPerSample: number;
  /** The sum of what came back, times the length of the chunk: a faster wrong answer shows. */
  readonly checksum: number;
}

export type HistogramBenchKind = "integer histograms" | "float histograms" | "XOR2";

export const histogramBenchKinds: readonly HistogramBenchKind[] = ["integer histograms", "float histograms", "XOR2"];

const bucketCount = 30;
const observationsPerSample = 20;
const samplesPerChunk = 60;

/** Encodes and decodes one chunk, `rounds` times. Histograms have 30 buckets, of which some grow from sample to sample. */
export function benchHistogramChunks(
  kind: HistogramBenchKind,
  rounds: number,
  nowMs: () => number,
): HistogramChunkBench {
  let state = 1;
  const chance = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 4_294_967_296;
  const buckets = new Float64Array(bucketCount);
  const histograms = Array.from({ length: samplesPerChunk }, (_, i): FloatHistogram => {
    for (let k = 0; k < observationsPerSample; k++) buckets[Math.floor(chance() * bucketCount)]++;
    return {
      schema: 3,
      zeroThreshold: 2 ** -128,
      zeroCount: 0,
      count: (i + 1) * observationsPerSample,
      sum: (i + 1) * 7.4,
      positiveSpans: [{ offset: 0, length: bucketCount }],
      positiveBuckets: buckets.slice(),
      negativeSpans: [],
      negativeBuckets: new Float64Array(0),
      customBounds: new Float64Array(0),
      counterReset: "unknown",
    };
  });
  const columns = createSampleColumns(samplesPerChunk);
  columns.count = samplesPerChunk;
  for (let i = 0, value = 1e6; i < samplesPerChunk; i++) {
    columns.timestampsMs[i] = 1_700_000_000_000 + i * 30_000;
    columns.values[i] = value += Math.floor(chance() * 100);
  }
  const encode = (): Uint8Array => {
    if (kind === "XOR2") return encodeXor2(columns, 0, samplesPerChunk);
    const encodeAll = kind === "integer histograms" ? encodeIntegerHistograms : encodeFloatHistograms;
    return encodeAll(columns.timestampsMs, histograms)[0].data;
  };
  let data = encode();
  const encodeStartMs = nowMs();
  for (let round = 0; round < rounds; round++) data = encode();
  const encodeMs = nowMs() - encodeStartMs;

  const read = createSampleColumns(samplesPerChunk);
  const readHistograms = createHistogramColumns(samplesPerChunk);
  let sum = 0;
  const decodeStartMs = nowMs();
  for (let round = 0; round < rounds; round++) {
    read.count = 0;
    readHistograms.count = 0;
    const failure =
      kind === "XOR2"
        ? decodeChunk(4, data, read)
        : decodeHistogramChunk(kind === "integer histograms" ? 2 : 3, data, readHistograms);
    if (failure !== undefined) throw new Error(failure.kind);
    const place = round % samplesPerChunk;
    sum += kind === "XOR2" ? read.values[place] : readHistograms.histograms[place].positiveBuckets[place % bucketCount];
  }
  const decodeMs = nowMs() - decodeStartMs;
  const sampleCount = samplesPerChunk * rounds;
  return {
    encodedPerSecond: (sampleCount * 1000) / encodeMs,
    decodedPerSecond: (sampleCount * 1000) / decodeMs,
    bytesPerSample: data.length / samplesPerChunk,
    checksum: sum * data.length,
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for (const kind of histogramBenchKinds) benchHistogramChunks(kind, 2000, () => performance.now());
  for (const kind of histogramBenchKinds) {
    const bench = benchHistogramChunks(kind, 20_000, () => performance.now());
    console.log(
      `${kind.padEnd(20)} encode ${(bench.encodedPerSecond / 1e6).toFixed(2)} M/s, decode ` +
        `${(bench.decodedPerSecond / 1e6).toFixed(2)} M/s, ${bench.bytesPerSample.toFixed(2)} B/sample, checksum ${bench.checksum}`,
    );
  }
}
