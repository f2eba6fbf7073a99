/** What one question has taken so far, and how much it may take. */
import { BlockReadError, type TouchedKind } from "@pleiad/blocks";
import type { SourceFailure } from "@pleiad/model";

/** For one question, over all its blocks; 0 = no limit. */
export interface QuestionLimits {
  readonly seriesMax: number; // counted in each block
  /** A chunk counts for 120, as many as Prometheus cuts it at. */
  readonly samplesMax: number;
  readonly bytesMax: number; // read from the bucket
}

export const samplesPerChunk = 120;

/** Items of one kind: how many were needed, and how many of those were not in memory. */
interface Touched {
  count: number;
  fetchedCount: number;
}

export class Question {
  readonly limits: QuestionLimits;
  /** Set where a limit ended the question. */
  exceeded: { readonly of: "series" | "samples" | "bytes"; readonly max: number } | undefined;
  readonly touched: Record<TouchedKind, Touched> = {
    selection: { count: 0, fetchedCount: 0 },
    postings: { count: 0, fetchedCount: 0 },
    series: { count: 0, fetchedCount: 0 },
    chunks: { count: 0, fetchedCount: 0 },
  };
  fetchedBytes = 0;

  constructor(limits: QuestionLimits) {
    this.limits = limits;
  }

  touch(kind: TouchedKind, count: number, keptCount: number): void {
    const touched = this.touched[kind];
    touched.count += count;
    touched.fetchedCount += count - keptCount;
    const { seriesMax, samplesMax } = this.limits;
    if (kind === "series" && seriesMax > 0 && touched.count > seriesMax) this.#exceed("series", seriesMax);
    if (kind === "chunks" && samplesMax > 0 && touched.count * samplesPerChunk > samplesMax) {
      this.#exceed("samples", samplesMax);
    }
  }

  fetch(byteCount: number): void {
    this.fetchedBytes += byteCount;
    const { bytesMax } = this.limits;
    if (bytesMax > 0 && this.fetchedBytes > bytesMax) this.#exceed("bytes", bytesMax);
  }

  /** The failure in Thanos's words, if a limit ended the question. */
  limitFailure(source: string): SourceFailure | undefined {
    if (this.exceeded === undefined) return undefined;
    const { of, max } = this.exceeded;
    return { kind: "limit", source: `${source}: exceeded ${of} limit`, of, max };
  }

  #exceed(of: "series" | "samples" | "bytes", max: number): never {
    this.exceeded ??= { of, max };
    throw new BlockReadError({ kind: "limit", block: "", of: of === "samples" ? "chunks" : of, max });
  }
}
