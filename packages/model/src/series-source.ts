import type { Result, SourceFailure } from "./failures.ts";
import type { Labels } from "./labels.ts";
import type { Matcher } from "./matchers.ts";

/** Chunk encodings, numbered as in Prometheus's block files. StoreAPI's number is one less. */
export type ChunkEncoding = 1 | 2 | 3 | 4 | 5 | 6;
export const xorEncoding = 1 satisfies ChunkEncoding;

/** Encoded samples: the payload that follows the encoding byte in a block. Never changed once handed out. */
export interface EncodedChunk {
  readonly encoding: ChunkEncoding;
  readonly data: Uint8Array;
}

/** What a downsampled chunk holds: one value a window for each aggregate. */
export type Aggregate = "count" | "sum" | "min" | "max" | "counter";

/** One chunk of a series. Its times, both inclusive, may stick out of the range that was asked for: the reader clips. */
export interface SourceChunk {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  /** Raw samples, or the aggregates of downsampled ones; a chunk has one or the other. */
  readonly content:
    | ({ readonly kind: "raw" } & EncodedChunk)
    | { readonly kind: "aggregates"; readonly of: ReadonlyMap<Aggregate, EncodedChunk> };
}

export interface SourceSeries {
  readonly labels: Labels;
  readonly chunks: readonly SourceChunk[]; // by minTimeMs, then maxTimeMs; may overlap; empty if chunks were not asked
}

/** What the caller will do with the series. A source may ignore all of it but must not answer less than asked. */
export interface SelectHints {
  readonly stepMs?: number;
  readonly rangeMs?: number;
  readonly function?: string; // rate, sum, max_over_time …: decides the aggregate read from downsampled chunks
  readonly grouping?: { readonly by: boolean; readonly labels: readonly string[] };
}

export interface SelectRequest {
  readonly minTimeMs: number; // inclusive
  readonly maxTimeMs: number; // inclusive
  readonly matchers: readonly Matcher[]; // all must hold; empty selects every series
  readonly skipChunks: boolean; // labels only
  readonly withoutLabels: readonly string[]; // replica labels: removed before sorting
  readonly maxResolutionMs: number; // 0 = raw samples only
  /** Whether a source that fails makes the answer partial (and warns), or makes the whole answer fail. */
  readonly onFailure: "warn" | "abort";
  readonly seriesMax: number; // 0 = no limit; a source may give more
  readonly hints: SelectHints;
}

/**
 * Series in label order, streamed in batches. Use: call `next` until it gives undefined, then read `failure` and
 * `warnings`. One label set appears once. What a batch holds belongs to the reader and is never changed by the source.
 */
export interface SeriesCursor {
  /** The next series in label order, at least one; undefined at the end. Never rejects. */
  next(): Promise<readonly SourceSeries[] | undefined>;
  /** Set at the end where the source could not give all: the answer is then no answer. */
  readonly failure: SourceFailure | undefined;
  /** What is missing from the answer, or odd about it; whole at the end. Each names its source. */
  readonly warnings: readonly string[];
  /** Ends early and frees what the cursor holds; may be called at any time and more than once. */
  close(): void;
}

export interface LabelsRequest {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly matchers: readonly Matcher[];
  readonly withoutLabels: readonly string[];
  readonly onFailure: "warn" | "abort";
  readonly limit: number; // 0 = none
}

export interface LabelsAnswer {
  readonly values: readonly string[]; // sorted by UTF-8 bytes, each once
  readonly warnings: readonly string[];
}

/**
 * Anything that can be asked for series: head, block, store client, fan-out, deduplication. The engine and the
 * StoreAPI server are its readers. `runSeriesSourceAcceptance` is its specification.
 */
export interface SeriesSource {
  /** Aborting the signal ends the cursor with a failure of kind "canceled". */
  select(request: SelectRequest, signal: AbortSignal): SeriesCursor;
  labelNames(request: LabelsRequest, signal: AbortSignal): Promise<Result<LabelsAnswer, SourceFailure>>;
  labelValues(label: string, request: LabelsRequest, signal: AbortSignal): Promise<Result<LabelsAnswer, SourceFailure>>;
}

/** A request for everything that matches, raw, failing softly: the usual one, to be spread and changed. */
export const plainSelect: SelectRequest = {
  minTimeMs: -8.64e15,
  maxTimeMs: 8.64e15,
  matchers: [],
  skipChunks: false,
  withoutLabels: [],
  maxResolutionMs: 0,
  onFailure: "warn",
  seriesMax: 0,
  hints: {},
};

/** A cursor over series that are all there. `series` must be in label order. */
export function cursorOf(
  series: readonly SourceSeries[],
  ending: { readonly failure?: SourceFailure; readonly warnings?: readonly string[] } = {},
): SeriesCursor {
  let at = 0;
  const batchSeriesMax = 512;
  return {
    failure: ending.failure,
    warnings: ending.warnings ?? [],
    async next() {
      if (at >= series.length) return undefined;
      const batch = series.slice(at, at + batchSeriesMax);
      at += batch.length;
      return batch;
    },
    close() {
      at = series.length;
    },
  };
}

/** Reads a cursor to its end. */
export async function collectSeries(cursor: SeriesCursor): Promise<{
  readonly series: readonly SourceSeries[];
  readonly failure: SourceFailure | undefined;
  readonly warnings: readonly string[];
}> {
  const series: SourceSeries[] = [];
  for (let batch = await cursor.next(); batch !== undefined; batch = await cursor.next()) {
    for (const one of batch) series.push(one);
  }
  return { series, failure: cursor.failure, warnings: cursor.warnings };
}
