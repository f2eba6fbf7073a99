/** Writes merged samples of one kind into chunks behind each other, as large as Prometheus makes them. */
import type { BlockChunk } from "@pleiad/blocks";
import {
  createHistogramAppender,
  createSampleColumns,
  encodeXor,
  encodeXor2,
  type HistogramAppender,
  type SampleColumns,
} from "@pleiad/chunks";
import { startOf, type MixedSample } from "./mixed-samples.ts";

/** What Prometheus puts into a chunk. */
export const samplesPerChunk = 120;

/** Encodings that samples are written in; 4, 5 and 6 keep start timestamps. */
export type MergedEncoding = 1 | 2 | 3 | 4 | 5 | 6;

export interface MergedChunkWriter {
  readonly encoding: MergedEncoding;
  append(timestampMs: number, sample: MixedSample): void;
  finish(): void;
}

/** Finished chunks go to the end of `chunks`. */
export function createMergedChunkWriter(encoding: MergedEncoding, chunks: BlockChunk[]): MergedChunkWriter {
  return encoding === 1 || encoding === 4 ? floatWriter(encoding, chunks) : histogramWriter(encoding, chunks);
}

/** The whole columns as chunks of the usual length. */
export function encodeFloats(samples: SampleColumns, encoding: 1 | 4): readonly BlockChunk[] {
  const { timestampsMs, values, count } = samples;
  const chunks: BlockChunk[] = [];
  for (let from = 0; from < count; from += samplesPerChunk) {
    const to = Math.min(count, from + samplesPerChunk);
    chunks.push({
      minTimeMs: timestampsMs[from] ?? NaN,
      maxTimeMs: timestampsMs[to - 1] ?? NaN,
      sampleCount: to - from,
      encoding,
      data: encoding === 1 ? encodeXor(timestampsMs, values, from, to) : encodeXor2(samples, from, to),
    });
  }
  return chunks;
}

function floatWriter(encoding: 1 | 4, chunks: BlockChunk[]): MergedChunkWriter {
  const samples = createSampleColumns(samplesPerChunk, { startTimestamps: encoding === 4 });
  const finish = () => {
    chunks.push(...encodeFloats(samples, encoding));
    samples.count = 0;
  };
  return {
    encoding,
    append(timestampMs, sample) {
      const { content, at } = sample;
      if (content.kind !== "floats") throw new Error("a histogram in a run of floats");
      const to = samples.count++;
      samples.timestampsMs[to] = timestampMs;
      samples.valueWords[2 * to] = content.columns.valueWords[2 * at] ?? 0;
      samples.valueWords[2 * to + 1] = content.columns.valueWords[2 * at + 1] ?? 0;
      if (samples.startTimestampsMs !== undefined) samples.startTimestampsMs[to] = startOf(sample);
      if (samples.count === samplesPerChunk) finish();
    },
    finish,
  };
}

function histogramWriter(encoding: 2 | 3 | 5 | 6, chunks: BlockChunk[]): MergedChunkWriter {
  const appender: HistogramAppender = createHistogramAppender(encoding);
  const finish = () => {
    if (appender.count === 0) return;
    const { count: sampleCount, minTimeMs, maxTimeMs } = appender;
    chunks.push({ minTimeMs, maxTimeMs, sampleCount, encoding, data: appender.bytes() });
    appender.cut();
  };
  return {
    encoding,
    append(timestampMs, sample) {
      const { content, at } = sample;
      if (content.kind !== "histograms") throw new Error("a float in a run of histograms");
      const histogram = content.columns.histograms[at];
      if (histogram === undefined) throw new Error("a sample without its histogram");
      if (appender.count === samplesPerChunk) finish();
      if (appender.append(timestampMs, histogram, startOf(sample))) return;
      finish();
      appender.append(timestampMs, histogram, startOf(sample));
    },
    finish,
  };
}
