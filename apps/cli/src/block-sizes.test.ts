import type { BlockMeta } from "@pleiad/blocks";
import { describe, expect, it } from "vitest";
import { bucketSizes } from "./block-sizes.ts";

const hour = 3_600_000;

interface MadeBlock {
  readonly hours: readonly [from: number, to: number];
  readonly level: number;
  readonly sources: readonly string[];
  readonly samples: number;
  readonly chunks: number; // bytes
  readonly index: number; // bytes
  readonly resolutionMs?: number;
  readonly cluster?: string;
}

function meta(block: MadeBlock): BlockMeta {
  return {
    ulid: block.sources.join("+"),
    minTimeMs: block.hours[0] * hour,
    maxTimeMs: block.hours[1] * hour,
    stats: {
      numSamples: block.samples,
      numFloatSamples: block.samples,
      numHistogramSamples: 0,
      numSeries: 10,
      numChunks: 10,
      numTombstones: 0,
    },
    compaction: {
      level: block.level,
      sources: block.sources,
      parents: [],
      isDeletable: false,
      isFailed: false,
      hints: [],
    },
    thanos: {
      labels: { cluster: block.cluster ?? "one" },
      resolutionMs: block.resolutionMs ?? 0,
      source: "sidecar",
      files: [
        { path: "chunks/000001", sizeBytes: block.chunks },
        { path: "index", sizeBytes: block.index },
        { path: "meta.json", sizeBytes: undefined },
      ],
      indexStats: undefined,
      uploadTimeMs: undefined,
    },
  };
}

describe("the sizes of a bucket", () => {
  const first = meta({ hours: [0, 2], level: 1, sources: ["a"], samples: 100, chunks: 150, index: 50 });
  const second = meta({ hours: [2, 4], level: 1, sources: ["b"], samples: 100, chunks: 130, index: 70 });
  const merged = meta({ hours: [0, 4], level: 2, sources: ["a", "b"], samples: 200, chunks: 240, index: 60 });
  const five = meta({
    hours: [0, 4],
    level: 2,
    sources: ["a", "b"],
    samples: 480,
    chunks: 900,
    index: 60,
    resolutionMs: 300_000,
  });
  const foreign = meta({ hours: [0, 9], level: 1, sources: ["z"], samples: 1, chunks: 9, index: 9, cluster: "other" });
  const sizes = bucketSizes(
    [
      { meta: first, isMarked: true },
      { meta: second, isMarked: true },
      { meta: merged, isMarked: false },
      { meta: five, isMarked: false },
      { meta: foreign, isMarked: false },
    ],
    new Set(["one"]),
  );

  for (const [rule, found, expected] of [
    ["what is marked for deletion is no block any more, and others' are none", sizes.blocks, 2],
    ["chunks by sample, in blocks as they came", sizes.chunkBytesPerSample, 280 / 200],
    ["index by series, in blocks as they came", sizes.indexBytesPerSeries, 120 / 20],
    ["all files by sample, in merged blocks", sizes.rawBytesPerSample, 300 / 200],
    ["all files by point: 10 series, 48 times five minutes", sizes.fiveMinuteBytesPerPoint, 960 / 480],
    ["spans by resolution, in seconds", sizes.spanSeconds, { raw: 14_400, fiveMinutes: 14_400, oneHour: 0 }],
    [
      "uploads by the time that they cover",
      sizes.streams,
      [{ cluster: "one", wholeBlockBytesMean: 200, uploadedBytesPerDay: 12 * 200 }],
    ],
  ] as const) {
    it(rule, () => expect(found).toEqual(expected));
  }

  it("nothing uploaded is left: its size is not known", () => {
    const { streams, chunkBytesPerSample } = bucketSizes([{ meta: merged, isMarked: false }], new Set(["one"]));
    expect(streams).toEqual([{ cluster: "one", wholeBlockBytesMean: undefined, uploadedBytesPerDay: undefined }]);
    expect(chunkBytesPerSample).toBeUndefined();
  });

  it("a block that history began within is no block of two hours, and counts by its time", () => {
    const part = meta({ hours: [3, 4], level: 1, sources: ["p"], samples: 50, chunks: 80, index: 60 });
    const blocks = [first, part].map((one) => ({ meta: one, isMarked: false }));
    const [stream] = bucketSizes(blocks, new Set(["one"])).streams;
    expect(stream).toEqual({ cluster: "one", wholeBlockBytesMean: 200, uploadedBytesPerDay: (340 / 3) * 24 });
  });
});
