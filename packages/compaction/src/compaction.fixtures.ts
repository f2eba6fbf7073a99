/** What the tests of this package share. */
import type { BlockMeta } from "@pleiad/blocks";

const hourMs = 3_600_000;

/** A block as its meta.json tells it; hours since the epoch. */
export function metaOf(
  ulid: string,
  fromHours: number,
  toHours: number,
  more: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly resolutionMs?: number;
    readonly level?: number;
    readonly sources?: readonly string[];
    readonly isFailed?: boolean;
    readonly tombstoneRatio?: number;
    readonly indexBytes?: number;
    readonly source?: string;
  } = {},
): BlockMeta {
  const seriesCount = 9999;
  return {
    ulid,
    minTimeMs: fromHours * hourMs,
    maxTimeMs: toHours * hourMs,
    stats: {
      numSamples: 100,
      numFloatSamples: 100,
      numHistogramSamples: 0,
      numSeries: seriesCount,
      numChunks: 100,
      numTombstones: Math.round((more.tombstoneRatio ?? 0) * (seriesCount + 1)),
    },
    compaction: {
      level: more.level ?? 1,
      sources: more.sources ?? [ulid],
      parents: [],
      isDeletable: false,
      isFailed: more.isFailed ?? false,
      hints: [],
    },
    thanos: {
      labels: more.labels ?? {},
      resolutionMs: more.resolutionMs ?? 0,
      source: more.source ?? "sidecar",
      files: more.indexBytes === undefined ? [] : [{ path: "index", sizeBytes: more.indexBytes }],
      indexStats: undefined,
      uploadTimeMs: undefined,
    },
  };
}
