/** What meta.json says of a block. Fields: docs/format/block.md. */
import type { Result } from "@pleiad/model";
import type { BlockFailure } from "./block-failure.ts";

export interface BlockStats {
  readonly numSamples: number;
  readonly numFloatSamples: number;
  readonly numHistogramSamples: number;
  readonly numSeries: number;
  readonly numChunks: number;
  readonly numTombstones: number;
}

export interface BlockParent {
  readonly ulid: string;
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
}

export interface BlockCompaction {
  readonly level: number; // 1 as cut from a head
  readonly sources: readonly string[]; // ULIDs of the level 1 blocks that all its samples come from
  readonly parents: readonly BlockParent[];
  readonly isDeletable: boolean;
  readonly isFailed: boolean;
  readonly hints: readonly string[];
}

export interface BlockFile {
  readonly path: string; // relative to the block
  readonly sizeBytes: number | undefined;
}

/** What Thanos adds. */
export interface ThanosMeta {
  readonly labels: Readonly<Record<string, string>>; // external labels
  readonly resolutionMs: number; // 0 = raw
  readonly source: string; // sidecar, compactor, ruler …
  readonly files: readonly BlockFile[];
  readonly indexStats: { readonly seriesBytesMax: number; readonly chunkBytesMax: number } | undefined;
  readonly uploadTimeMs: number | undefined;
}

export interface BlockMeta {
  readonly ulid: string;
  readonly minTimeMs: number; // inclusive
  readonly maxTimeMs: number; // exclusive
  readonly stats: BlockStats;
  readonly compaction: BlockCompaction;
  readonly thanos: ThanosMeta | undefined;
}

/** Reads meta.json; fields that are not known are ignored, as Prometheus and Thanos do. */
export declare function parseBlockMeta(bytes: Uint8Array): Result<BlockMeta, BlockFailure>;
/** As Prometheus writes it: tab-indented, zeros left out where it leaves them out. */
export declare function formatBlockMeta(meta: BlockMeta): Uint8Array;
