import { labelsFromRecord, type SourceChunk, type SourceSeries } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { ProtobufWriter } from "./protobuf-writer.ts";
import { createSeriesFrameReader, createSeriesFrameWriter, type SeriesFrames } from "./series-response.ts";
import { formatWireFailure } from "./wire-failure.ts";

const chunk = (minTimeMs: number, length: number): SourceChunk => ({
  minTimeMs,
  maxTimeMs: minTimeMs + 1,
  content: { kind: "raw", encoding: 1, data: new Uint8Array(length).fill(minTimeMs) },
});
const up = (cluster: string, ...chunks: SourceChunk[]): SourceSeries => ({
  labels: labelsFromRecord({ __name__: "up", cluster, region: "a1" }),
  chunks,
});
const options = { batchSeriesMax: 1, frameBytesMax: 1 << 20, aggregates: undefined };

function read(messages: readonly Uint8Array[]): SeriesFrames {
  const frames: SeriesFrames = { series: [], warnings: [], hints: [] };
  const reader = createSeriesFrameReader();
  for (const message of messages) expect(reader.read(message, frames)).toBeUndefined();
  return frames;
}

function failureOf(write: (writer: ProtobufWriter) => void): string {
  const writer = new ProtobufWriter();
  const mark = writer.open(1);
  write(writer);
  writer.close(mark);
  const failure = createSeriesFrameReader().read(writer.view(), { series: [], warnings: [], hints: [] });
  return failure === undefined ? "read" : formatWireFailure(failure);
}

describe("series frames", () => {
  it("give equal labels as one string, so that a merge finds them equal by identity", () => {
    const writer = createSeriesFrameWriter(options);
    for (const cluster of ["a", "b"]) writer.series(up(cluster, chunk(1, 10)));
    const { series } = read(writer.take());
    expect(series).toEqual([up("a", chunk(1, 10)), up("b", chunk(1, 10))]);
  });

  it("hold a series with many chunks in several frames in a row", () => {
    const chunks = Array.from({ length: 10 }, (_, i) => chunk(i, 400));
    const writer = createSeriesFrameWriter({ ...options, frameBytesMax: 1000 });
    writer.series(up("a", ...chunks));
    const messages = writer.take();
    expect(messages).toHaveLength(4);
    expect(Math.max(...messages.map((message) => message.length))).toBeLessThan(1500);
    expect(read(messages).series.flatMap((one) => one.chunks)).toEqual(chunks);
  });

  it("are batches of the size asked for, and a warning ends a batch", () => {
    const writer = createSeriesFrameWriter({ ...options, batchSeriesMax: 2 });
    writer.series(up("a"));
    writer.series(up("b"));
    writer.series(up("c"));
    writer.warning("cluster d is away");
    writer.series(up("e"));
    const messages = writer.take();
    expect(messages.map((message) => message[0])).toEqual([0x22, 0x22, 0x12, 0x22]);
    const { series, warnings } = read(messages);
    expect(series.map((one) => one.labels[3])).toEqual(["a", "b", "c", "e"]);
    expect(warnings).toEqual(["cluster d is away"]);
  });

  it("leave out aggregates that were not asked for", () => {
    const encoded = { encoding: 1, data: Uint8Array.of(1) } as const;
    const of = new Map([["sum", encoded] as const, ["count", encoded] as const, ["max", encoded] as const]);
    const writer = createSeriesFrameWriter({ ...options, aggregates: new Set(["sum", "max"]) });
    writer.series(up("a", { minTimeMs: 0, maxTimeMs: 1, content: { kind: "aggregates", of } }));
    const content = read(writer.take()).series[0]?.chunks[0]?.content;
    expect(content?.kind === "aggregates" && [...content.of.keys()]).toEqual(["sum", "max"]);
  });

  const label = (writer: ProtobufWriter, name: string, value: string) => {
    const mark = writer.open(1);
    writer.text(1, name);
    writer.text(2, value);
    writer.close(mark);
  };
  for (const [rule, write, failure] of [
    [
      "label names out of order",
      (writer: ProtobufWriter) => {
        label(writer, "b", "1");
        label(writer, "a", "1");
      },
      "label names out of order at byte 18",
    ],
    [
      "a label name twice",
      (writer: ProtobufWriter) => {
        label(writer, "a", "1");
        label(writer, "a", "2");
      },
      "label names out of order at byte 18",
    ],
    [
      "a label without a value",
      (writer: ProtobufWriter) => label(writer, "a", ""),
      "label without name or value, or not UTF-8 at byte 7",
    ],
    ["a chunk without data", (writer: ProtobufWriter) => writer.close(writer.open(2)), "chunk without data at byte 4"],
    [
      "a chunk of a type that does not exist",
      (writer: ProtobufWriter) => {
        const chunkMark = writer.open(2);
        const dataMark = writer.open(3);
        writer.int64(1, 9);
        writer.close(dataMark);
        writer.close(chunkMark);
      },
      "chunk type 9 at byte 8",
    ],
  ] as const) {
    it(`are refused: ${rule}`, () => expect(failureOf(write)).toBe(failure));
  }
});
