/**
 * Series of replicas made one: once, where a query is evaluated. Below, replica labels are removed and the chunks of all
 * replicas put beside each other. See docs/decisions/deduplication.md.
 */
import type {
  EvaluatingSource,
  SelectRequest,
  SeriesCursor,
  SeriesSource,
  SourceChunk,
  SourceSeries,
} from "@pleiad/model";
import { mergeCounterLines, mergeLines, type TimeRange } from "./deduplicated-chunks.ts";
import {
  allOf,
  decodeSourceChunk,
  haveOverlap,
  linesWithoutContradiction,
  inOwnOrder,
  linesWithoutOverlap,
  type DecodedChunk,
} from "./replica-lines.ts";

export type DeduplicationFunction =
  /** Copies of the same samples are united as by `chain`, what was scraped by others is chosen from as by `penalty`. */
  | "auto"
  /** Thanos's: stays with one replica, goes over to another where it is silent for twice its last step. */
  | "penalty"
  /** Thanos's: every timestamp once. For replicas that hold the same samples. */
  | "chain";

export const deduplicationFunctions = ["auto", "penalty", "chain"] as const satisfies readonly DeduplicationFunction[];

/** The source with replicas made one in answers to requests that name replica labels; others get all that there is. */
export function deduplicate(source: EvaluatingSource, by: DeduplicationFunction): EvaluatingSource;
export function deduplicate(source: SeriesSource, by: DeduplicationFunction): SeriesSource;
export function deduplicate(
  source: SeriesSource & Partial<EvaluatingSource>,
  by: DeduplicationFunction,
): SeriesSource | EvaluatingSource {
  // Whoever reads the chunks of a series takes each time once: that is all that is to be done.
  if (by === "chain") return source;
  const partition = source.partition?.bind(source);
  const deduplicated: SeriesSource = {
    select(request, signal) {
      const cursor = source.select(request, signal);
      return request.skipChunks || request.withoutLabels.length === 0 ? cursor : deduplicateCursor(cursor, request, by);
    },
    labelNames: (request, signal) => source.labelNames(request, signal),
    labelValues: (label, request, signal) => source.labelValues(label, request, signal),
  };
  if (partition === undefined) return deduplicated;
  return {
    ...deduplicated,
    partition(request) {
      const whole = partition(request);
      const { evaluators, rest } = whole;
      return {
        // Who evaluates has merged its own replicas; where it refuses, its series are read here.
        evaluators: evaluators.map((one) => ({ ...one, source: deduplicate(one.source, by) })),
        rest: rest === undefined ? undefined : { ...rest, source: deduplicate(rest.source, by) },
        missing: () => whole.missing(),
      };
    },
  };
}

/** So much is decoded before others have their turn. */
const samplesTogetherMax = 60_000;

function deduplicateCursor(cursor: SeriesCursor, request: SelectRequest, by: "auto" | "penalty"): SeriesCursor {
  const { minTimeMs, maxTimeMs, hints } = request;
  const range = { minTimeMs, maxTimeMs, isCounter: counterFunctions.has(hints.function ?? "") };
  let batch: readonly SourceSeries[] = [];
  let at = 0;
  return {
    async next() {
      if (at >= batch.length) {
        const next = await cursor.next();
        if (next === undefined) return undefined;
        batch = next;
        at = 0;
      }
      const merged: SourceSeries[] = [];
      for (let samples = 0; at < batch.length && samples < samplesTogetherMax; at++) {
        const series = batch[at] as SourceSeries;
        if (!haveOverlap(series.chunks)) {
          merged.push(series);
          continue;
        }
        const decoded = allOf(series.chunks, decodeSourceChunk);
        samples += decoded?.reduce((sum, { times }) => sum + times.count, 0) ?? 0;
        merged.push(
          decoded === undefined ? series : { ...series, chunks: mergeReplicas(series.chunks, decoded, range, by) },
        );
      }
      return merged;
    },
    get failure() {
      return cursor.failure;
    },
    get warnings() {
      return cursor.warnings;
    },
    close() {
      batch = [];
      cursor.close();
    },
  };
}

/**
 * Functions that see a counter fall where a reader goes over to a replica that is behind. Thanos has `resets` among them,
 * which then finds none at all: the samples for it are not added up here.
 */
const counterFunctions: ReadonlySet<string> = new Set(["rate", "increase", "irate"]);

function mergeReplicas(
  chunks: readonly SourceChunk[],
  decoded: readonly DecodedChunk[],
  { isCounter, ...range }: TimeRange & { readonly isCounter: boolean },
  by: "auto" | "penalty",
): readonly SourceChunk[] {
  const ordered = inOwnOrder(decoded);
  const lines = by === "auto" ? linesWithoutContradiction(ordered) : linesWithoutOverlap(ordered);
  if (lines.length === 1) return chunks;
  const counters = isCounter ? mergeCounterLines(lines, range) : undefined;
  return counters ?? mergeLines(lines, range);
}
