/** Sources that hold one another's continuation in time, as one: head and blocks of a data folder. */
import {
  compareLabels,
  compareText,
  fail,
  formatSourceFailure,
  labelsEqual,
  ok,
  type LabelsAnswer,
  type LabelsRequest,
  type Result,
  type SeriesCursor,
  type SelectRequest,
  type SourceChunk,
  type SourceFailure,
  type SourceSeries,
} from "@pleiad/model";
import { readTooSlowly, type Reader } from "./reader-set.ts";

const batchSeriesMax = 512;

/** A cursor and the series that it gives next. */
interface Run {
  readonly cursor: SeriesCursor;
  batch: readonly SourceSeries[];
  at: number;
}

/**
 * Series in label order; those of equal labels are one, with the chunks of all. `gaps` tell what is missing before anything
 * is read. `reader` ends with the cursor.
 */
export function mergedCursor(
  cursors: readonly SeriesCursor[],
  gaps: readonly SourceFailure[],
  { onFailure }: Pick<SelectRequest, "onFailure">,
  source: string,
  reader: Reader,
): SeriesCursor {
  return new MergedCursor(cursors, gaps, onFailure, source, reader);
}

class MergedCursor implements SeriesCursor {
  failure: SourceFailure | undefined;
  readonly warnings: string[] = [];
  readonly #onFailure: "warn" | "abort";
  readonly #source: string;
  readonly #reader: Reader;
  /** A heap: the run whose series comes first is at the top. */
  #runs: Run[];
  #hasBegun = false;
  #isClosed = false;

  constructor(
    cursors: readonly SeriesCursor[],
    gaps: readonly SourceFailure[],
    onFailure: "warn" | "abort",
    source: string,
    reader: Reader,
  ) {
    this.#runs = cursors.map((cursor) => ({ cursor, batch: [], at: 0 }));
    this.#onFailure = onFailure;
    this.#source = source;
    this.#reader = reader;
    for (const gap of gaps) this.#take(gap);
  }

  async next(): Promise<readonly SourceSeries[] | undefined> {
    if (this.#isClosed) return undefined;
    if (this.failure === undefined && !this.#hasBegun) await this.#begin();
    const merged = this.failure === undefined ? await this.#merge() : [];
    if (this.#reader.isExpired && this.failure === undefined) {
      this.failure = readTooSlowly(this.#source);
    }
    if (this.failure !== undefined || merged.length === 0) {
      this.close();
      return undefined;
    }
    return merged;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { cursor } of this.#runs) cursor.close();
    this.#runs = [];
    this.#reader.end();
  }

  async #begin(): Promise<void> {
    this.#hasBegun = true;
    const runs = this.#runs;
    const hasMore = await Promise.all(runs.map(async (run) => await this.#refill(run)));
    // Closed meanwhile, it has none.
    this.#runs = this.#isClosed ? [] : runs.filter((_, i) => hasMore[i]);
    for (let i = (this.#runs.length >> 1) - 1; i >= 0; i--) this.#sink(i);
  }

  async #merge(): Promise<readonly SourceSeries[]> {
    const merged: SourceSeries[] = [];
    while (this.#runs[0] !== undefined && merged.length < batchSeriesMax) {
      const first = this.#takeFirst();
      if (first === undefined) break;
      if (this.#isTopSpent()) await this.#renewTop();
      let chunks: readonly SourceChunk[] | undefined;
      for (let top = this.#runs[0]; top !== undefined; top = this.#runs[0]) {
        const same = top.batch[top.at];
        if (same === undefined || !labelsEqual(same.labels, first.labels)) break;
        chunks = uniteChunks(chunks ?? first.chunks, same.chunks);
        this.#takeFirst();
        if (this.#isTopSpent()) await this.#renewTop();
        if (this.failure !== undefined) break;
      }
      if (this.failure !== undefined) return [];
      merged.push(chunks === undefined ? first : { labels: first.labels, chunks });
    }
    return this.failure === undefined ? merged : [];
  }

  /** The series at the top. Where it was the last of its batch, the heap is in order again after `#renewTop` only. */
  #takeFirst(): SourceSeries | undefined {
    const top = this.#runs[0];
    const series = top?.batch[top.at];
    if (top === undefined || series === undefined) return undefined;
    top.at++;
    if (top.at < top.batch.length) this.#sink(0);
    return series;
  }

  #isTopSpent(): boolean {
    const top = this.#runs[0];
    return top !== undefined && top.at === top.batch.length;
  }

  async #renewTop(): Promise<void> {
    const top = this.#runs[0];
    if (top === undefined) return;
    if (!(await this.#refill(top))) {
      const last = this.#runs.pop();
      if (last !== undefined && last !== top && this.#runs.length > 0) this.#runs[0] = last;
    }
    this.#sink(0);
  }

  /** Whether the run has more. Its end may be a failure. */
  async #refill(run: Run): Promise<boolean> {
    const batch = await run.cursor.next();
    run.batch = batch ?? [];
    run.at = 0;
    if (batch !== undefined) return true;
    this.warnings.push(...run.cursor.warnings);
    if (run.cursor.failure !== undefined) this.#take(run.cursor.failure);
    return false;
  }

  /** A failure of one source: the end, or a part of the answer that is missing and said so. */
  #take(failure: SourceFailure): void {
    const isMissingPart = failure.kind === "unavailable" || failure.kind === "corrupt" || failure.kind === "timeout";
    if (this.#onFailure === "warn" && isMissingPart) this.warnings.push(formatSourceFailure(failure));
    else this.failure ??= failure;
  }

  #sink(from: number): void {
    const runs = this.#runs;
    const run = runs[from];
    if (run === undefined) return;
    let at = from;
    for (;;) {
      let least = 2 * at + 1;
      const right = runs[least + 1];
      let child = runs[least];
      if (child === undefined) break;
      if (right !== undefined && isBefore(right, child)) {
        child = right;
        least++;
      }
      if (!isBefore(child, run)) break;
      runs[at] = child;
      at = least;
    }
    runs[at] = run;
  }
}

function isBefore(a: Run, b: Run): boolean {
  const x = a.batch[a.at];
  const y = b.batch[b.at];
  return x !== undefined && (y === undefined || compareLabels(x.labels, y.labels) < 0);
}

/** Chunks of two sources by start, then end; one that both have byte for byte is there once. */
function uniteChunks(a: readonly SourceChunk[], b: readonly SourceChunk[]): readonly SourceChunk[] {
  const last = a.at(-1);
  const first = b[0];
  if (last === undefined) return b;
  if (first === undefined) return a;
  // One is the other's continuation, as a rule.
  if (last.maxTimeMs < first.minTimeMs) return [...a, ...b];
  const all = [...a, ...b].sort((x, y) => x.minTimeMs - y.minTimeMs || x.maxTimeMs - y.maxTimeMs);
  return all.filter((chunk, i) => {
    for (let j = i - 1; j >= 0; j--) {
      const other = all[j];
      if (other === undefined || other.minTimeMs !== chunk.minTimeMs || other.maxTimeMs !== chunk.maxTimeMs)
        return true;
      if (isSame(other, chunk)) return false;
    }
    return true;
  });
}

function isSame({ content: a }: SourceChunk, { content: b }: SourceChunk): boolean {
  if (a.kind !== "raw" || b.kind !== "raw") return false;
  if (a.encoding !== b.encoding || a.data.length !== b.data.length) return false;
  return a.data.every((byte, i) => byte === b.data[i]);
}

/** The answers of all sources to a question for names or values, as one. */
export async function mergedLabels(
  answers: readonly Promise<Result<LabelsAnswer, SourceFailure>>[],
  gaps: readonly SourceFailure[],
  { onFailure, limit }: Pick<LabelsRequest, "onFailure" | "limit">,
): Promise<Result<LabelsAnswer, SourceFailure>> {
  const values = new Set<string>();
  const warnings: string[] = [];
  const failures = [...gaps];
  for (const answer of await Promise.all(answers)) {
    if (!answer.ok) {
      failures.push(answer.failure);
      continue;
    }
    for (const value of answer.value.values) values.add(value);
    warnings.push(...answer.value.warnings);
  }
  for (const failure of failures) {
    const isMissingPart = failure.kind === "unavailable" || failure.kind === "corrupt" || failure.kind === "timeout";
    if (onFailure === "abort" || !isMissingPart) return fail(failure);
    warnings.push(formatSourceFailure(failure));
  }
  const sorted = [...values].sort(compareText);
  return ok({ values: limit > 0 ? sorted.slice(0, limit) : sorted, warnings });
}
