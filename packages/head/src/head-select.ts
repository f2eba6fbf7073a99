/** Answers questions from the memory of a head: the SeriesSource of its data. */
import {
  compareLabels,
  compareText,
  compileMatcher,
  fail,
  formatMatcher,
  labelsEqual,
  labelValue,
  ok,
  withoutLabels,
  type LabelsAnswer,
  type LabelsRequest,
  type Matcher,
  type MatcherFailure,
  type Result,
  type SelectRequest,
  type SeriesCursor,
  type SourceChunk,
  type SourceFailure,
  type SourceSeries,
} from "@pleiad/model";
import type { HeadMemory } from "./head-memory.ts";
import type { MemorySeries } from "./memory-series.ts";

const batchSeries = 256;

/** Where the answer comes from: the head, and the name by which failures call it. */
export interface HeadReader {
  readonly memory: HeadMemory;
  readonly source: string;
  /** Lets others run between batches. */
  readonly yield: () => Promise<void>;
}

/**
 * Series in label order. Which series there are is settled now, their chunks when a batch is read: a batch sees whole
 * commits only.
 */
export function selectSeries(reader: HeadReader, request: SelectRequest, signal: AbortSignal): SeriesCursor {
  const { source } = reader;
  const found = findSeries(reader.memory, request.matchers);
  if (!found.ok) return new HeadCursor(reader, [], request, signal, invalidMatcher(source, found.failure));
  const isInRange = (series: MemorySeries) => overlaps(series, request.minTimeMs, request.maxTimeMs);
  const rows = found.value.filter(isInRange).map((series) => ({ labels: series.labels, series: [series] }));
  if (request.withoutLabels.length > 0) {
    const gone = new Set(request.withoutLabels);
    for (const row of rows) row.labels = withoutLabels(row.labels, gone);
    rows.sort((a, b) => compareLabels(a.labels, b.labels));
  }
  // Series that differed in a hidden or a removed label are one.
  let last = -1;
  for (const row of rows) {
    const before = rows[last];
    if (before !== undefined && labelsEqual(before.labels, row.labels)) before.series.push(...row.series);
    else rows[++last] = row;
  }
  rows.length = last + 1;
  return new HeadCursor(reader, rows, request, signal, undefined);
}

interface Row {
  labels: SourceSeries["labels"];
  readonly series: MemorySeries[];
}

class HeadCursor implements SeriesCursor {
  failure: SourceFailure | undefined;
  readonly warnings: readonly string[] = [];
  readonly #reader: HeadReader;
  readonly #request: SelectRequest;
  readonly #signal: AbortSignal;
  #rows: readonly Row[];
  #at = 0;

  constructor(
    reader: HeadReader,
    rows: readonly Row[],
    request: SelectRequest,
    signal: AbortSignal,
    failure: SourceFailure | undefined,
  ) {
    this.#reader = reader;
    this.#rows = rows;
    this.#request = request;
    this.#signal = signal;
    this.failure = failure;
  }

  async next(): Promise<readonly SourceSeries[] | undefined> {
    if (this.#at > 0 && this.#at < this.#rows.length) await this.#reader.yield();
    while (this.#at < this.#rows.length) {
      if (this.#signal.aborted) {
        this.failure = { kind: "canceled", source: this.#reader.source };
        this.close();
        return undefined;
      }
      const batch: SourceSeries[] = [];
      const { minTimeMs, maxTimeMs, skipChunks } = this.#request;
      for (const { labels, series } of this.#rows.slice(this.#at, this.#at + batchSeries)) {
        const chunks = skipChunks ? [] : chunksOf(series, minTimeMs, maxTimeMs);
        if (skipChunks || chunks.length > 0) batch.push({ labels, chunks });
      }
      this.#at += batchSeries;
      if (batch.length > 0) return batch;
    }
    if (this.#signal.aborted && this.failure === undefined) {
      this.failure = { kind: "canceled", source: this.#reader.source };
    }
    return undefined;
  }

  close(): void {
    this.#rows = [];
    this.#at = 0;
  }
}

/** Names of labels that any matching series in the range has. */
export function listLabelNames(
  reader: HeadReader,
  request: LabelsRequest,
  signal: AbortSignal,
): Result<LabelsAnswer, SourceFailure> {
  const { memory, source } = reader;
  if (signal.aborted) return fail({ kind: "canceled", source });
  const names = new Set<string>();
  if (asksForAll(memory, request)) {
    for (const name of memory.index.labelNames()) names.add(name);
    if (names.size > 0)
      for (let i = 0; i < memory.externalLabels.length; i += 2) names.add(memory.externalLabels[i] ?? "");
  } else {
    const found = findSeries(memory, request.matchers);
    if (!found.ok) return fail(invalidMatcher(source, found.failure));
    for (const series of found.value) {
      if (!overlaps(series, request.minTimeMs, request.maxTimeMs)) continue;
      for (let i = 0; i < series.labels.length; i += 2) names.add(series.labels[i] ?? "");
    }
  }
  for (const name of request.withoutLabels) names.delete(name);
  return ok(sortedAnswer(names, request.limit));
}

/** Values that a label has among the matching series in the range. */
export function listLabelValues(
  reader: HeadReader,
  label: string,
  request: LabelsRequest,
  signal: AbortSignal,
): Result<LabelsAnswer, SourceFailure> {
  const { memory, source } = reader;
  if (signal.aborted) return fail({ kind: "canceled", source });
  if (request.withoutLabels.includes(label)) return ok({ values: [], warnings: [] });
  const isExternal = labelValue(memory.externalLabels, label) !== "";
  const values = new Set<string>();
  if (asksForAll(memory, request) && !isExternal) {
    for (const value of memory.index.labelValues(label)) values.add(value);
  } else {
    const found = findSeries(memory, request.matchers);
    if (!found.ok) return fail(invalidMatcher(source, found.failure));
    for (const series of found.value) {
      if (!overlaps(series, request.minTimeMs, request.maxTimeMs)) continue;
      values.add(labelValue(series.labels, label));
      // All have the same.
      if (isExternal) break;
    }
    values.delete("");
  }
  return ok(sortedAnswer(values, request.limit));
}

/** Visible series whose labels, external ones included, fulfil all matchers; in label order. */
function findSeries(memory: HeadMemory, matchers: readonly Matcher[]): Result<MemorySeries[], MatcherFailure> {
  const own: Matcher[] = [];
  let isExcluded = false;
  for (const matcher of matchers) {
    const external = labelValue(memory.externalLabels, matcher.name);
    if (external === "") {
      own.push(matcher);
      continue;
    }
    const test = compileMatcher(matcher);
    if (!test.ok) return test;
    if (!test.value(external)) isExcluded = true;
  }
  // Even then the other matchers are compiled: a bad expression is bad for every head.
  const found = memory.index.select(own);
  return found.ok && isExcluded ? ok([]) : found;
}

function overlaps(series: MemorySeries, minTimeMs: number, maxTimeMs: number): boolean {
  const { open, closed } = series;
  if (open !== undefined && open.count > 0 && open.minTimeMs <= maxTimeMs && open.maxTimeMs >= minTimeMs) return true;
  return closed.some((chunk) => chunk.minTimeMs <= maxTimeMs && chunk.maxTimeMs >= minTimeMs);
}

function chunksOf(list: readonly MemorySeries[], minTimeMs: number, maxTimeMs: number): SourceChunk[] {
  const chunks: SourceChunk[] = [];
  for (const { closed, open } of list) {
    for (const chunk of closed) {
      if (chunk.minTimeMs > maxTimeMs || chunk.maxTimeMs < minTimeMs) continue;
      const { encoding, page, offset, length } = chunk;
      const data = page.subarray(offset, offset + length);
      chunks.push({
        minTimeMs: chunk.minTimeMs,
        maxTimeMs: chunk.maxTimeMs,
        content: { kind: "raw", encoding, data },
      });
    }
    if (open === undefined || open.count === 0) continue;
    if (open.minTimeMs > maxTimeMs || open.maxTimeMs < minTimeMs) continue;
    chunks.push({
      minTimeMs: open.minTimeMs,
      maxTimeMs: open.maxTimeMs,
      content: { kind: "raw", encoding: 1, data: open.bytes() },
    });
  }
  if (list.length > 1) chunks.sort((a, b) => a.minTimeMs - b.minTimeMs || a.maxTimeMs - b.maxTimeMs);
  return chunks;
}

/** Whether an answer needs no look at single series. */
function asksForAll(memory: HeadMemory, request: LabelsRequest): boolean {
  return (
    request.matchers.length === 0 && request.minTimeMs <= memory.minTimeMs && request.maxTimeMs >= memory.maxTimeMs
  );
}

function sortedAnswer(texts: ReadonlySet<string>, limit: number): LabelsAnswer {
  const values = [...texts].sort(compareText);
  return { values: limit > 0 ? values.slice(0, limit) : values, warnings: [] };
}

function invalidMatcher(source: string, failure: MatcherFailure): SourceFailure {
  return { kind: "invalid", source, reason: `${formatMatcher(failure.matcher)}: ${failure.reason}` };
}
