/** Decoding and encoding of series frames as a querier does it: many series of ten labels and two chunks, 500 bytes each. */
import { labelsFromRecord, type SourceSeries } from "@pleiad/model";
import { createLabelTable } from "./label-table.ts";
import { createSeriesFrameReader, createSeriesFrameWriter, type SeriesFrames } from "./series-response.ts";

export interface SeriesFramesBench {
  readonly bytes: number;
  readonly seriesCount: number; // a checksum: decoded again from what was encoded
  readonly encodeMs: number;
  readonly decodeMs: number;
}

export function benchSeriesFrames(seriesCount: number, nowMs: () => number): SeriesFramesBench {
  const chunk = (minTimeMs: number) =>
    ({
      minTimeMs,
      maxTimeMs: minTimeMs + 3_600_000,
      content: { kind: "raw", encoding: 1, data: new Uint8Array(120).fill(7) },
    }) as const;
  const series = Array.from({ length: seriesCount }, (_, i): SourceSeries => ({
    labels: labelsFromRecord({
      __name__: "container_memory_working_set_bytes",
      cluster: `cluster-${String(i % 220).padStart(3, "0")}`,
      cluster_group: "a",
      container: `app-${i % 17}`,
      instance: `10.0.${i % 40}.17:10250`,
      job: "kubelet",
      namespace: `team-${i % 31}`,
      pod: `app-${i % 17}-7d4b9c6f5-${(i * 7919).toString(36).padStart(6, "0")}`,
      region: "a1",
      replica: "0",
    }),
    chunks: [chunk(1_700_000_000_000), chunk(1_700_003_600_000)],
  }));
  const writer = createSeriesFrameWriter({ batchSeriesMax: 1, frameBytesMax: 1 << 20, aggregates: undefined });
  const messages: Uint8Array[] = [];
  const startMs = nowMs();
  for (const one of series) {
    writer.series(one);
    if (writer.byteLength >= 64 << 10) messages.push(...writer.take());
  }
  messages.push(...writer.take());
  const encodedMs = nowMs();
  const reader = createSeriesFrameReader(createLabelTable());
  const frames: SeriesFrames = { series: [], warnings: [], hints: [] };
  for (const message of messages) reader.read(message, frames);
  return {
    bytes: messages.reduce((sum, message) => sum + message.length, 0),
    seriesCount: frames.series.length,
    encodeMs: encodedMs - startMs,
    decodeMs: nowMs() - encodedMs,
  };
}

if (import.meta.main) {
  const [seriesCount = 50_000] = process.argv.slice(2).map(Number);
  for (let round = 0; round < 8; round++) {
    const { bytes, encodeMs, decodeMs } = benchSeriesFrames(seriesCount, () => performance.now());
    const rate = (ms: number) => `${(bytes / 1000 / ms).toFixed(0)} MB/s, ${((1000 * ms) / seriesCount).toFixed(2)} us`;
    console.log(`${bytes} bytes: encode ${rate(encodeMs)} a series; decode ${rate(decodeMs)} a series`);
  }
}
