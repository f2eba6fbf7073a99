/** Answers questions from the memory of a head: the SeriesSource of its data. */
import {
  compareText,
  compileMatcher,
  emptyLabels,
  fail,
  formatMatcher,
  labelValue,
  ok,
  withoutLabels,
  xorEncoding,
  type EncodedChunk,
  type Labels,
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
import type { TimedChunk } from "./chunk-clip.ts";
import type { ClosedChunk } from "./head-chunk-file.ts";
import type { HeadMemory } from "./head-memory.ts";
import { encodeOpen, isOpenHistogram, type MemorySeries, type OpenChunk } from "./memory-series.ts";

/** Few enough that the batches of all heads of a process, which are asked together, are small beside their series. */
const batchSeriesMax = 64;

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
  const selected = found.value.filter((series) => overlaps(series, request.minTimeMs, request.maxTimeMs));
  return new HeadCursor(reader, selected, request, signal, undefined);
}

class HeadCursor implements SeriesCursor {
  failure: SourceFailure | undefined;
  readonly warnings: readonly string[] = [];
  readonly #reader: HeadReader;
  readonly #request: SelectRequest;
  readonly #signal: AbortSignal;
  readonly #gone: ReadonlySet<string>;
  /** In the order of the labels that are left, so that series to be made one are neighbours. */
  #selected: readonly MemorySeries[];
  readonly #hasRepeats: boolean;
  #at = 0;

  constructor(
    reader: HeadReader,
    selected: MemorySeries[],
    request: SelectRequest,
    signal: AbortSignal,
    failure: SourceFailure | undefined,
  ) {
    this.#reader = reader;
    this.#request = request;
    this.#signal = signal;
    this.#gone = new Set(request.withoutLabels);
    const isArranged = selected.length >= arrangedMin && staysInOrder(reader.memory, this.#gone);
    this.#hasRepeats = !isArranged && arrange(selected, this.#gone);
    this.#selected = selected;
    this.failure = failure;
  }

  async next(): Promise<readonly SourceSeries[] | undefined> {
    if (this.#at > 0 && this.#at < this.#selected.length) await this.#reader.yield();
    while (this.#at < this.#selected.length) {
      if (this.#signal.aborted) {
        this.failure = { kind: "canceled", source: this.#reader.source };
        this.close();
        return undefined;
      }
      const batch = this.#readBatch();
      if (batch.length > 0) return batch;
    }
    if (this.#signal.aborted && this.failure === undefined) {
      this.failure = { kind: "canceled", source: this.#reader.source };
    }
    return undefined;
  }

  #readBatch(): SourceSeries[] {
    const { minTimeMs, maxTimeMs, skipChunks } = this.#request;
    const from = this.#at;
    const to = this.#rowEnd(Math.min(from + batchSeriesMax, this.#selected.length) - 1);
    this.#at = to;
    const page = skipChunks ? undefined : new OpenChunkPage(this.#selected, from, to, minTimeMs, maxTimeMs);
    const batch: SourceSeries[] = [];
    for (let row = from; row < to; row = this.#rowEnd(row)) {
      const chunks: SourceChunk[] = [];
      if (page !== undefined) {
        const rowEnd = this.#rowEnd(row);
        for (let i = row; i < rowEnd; i++) addChunks(this.#selected[i], minTimeMs, maxTimeMs, page, chunks);
        if (rowEnd - row > 1) chunks.sort(byTime);
        if (chunks.length === 0) continue;
      }
      batch.push({ labels: withoutLabels(labelsAt(this.#selected, row), this.#gone), chunks });
    }
    return batch;
  }

  /** Behind the last series that is one with the series at `row`: they differ in a hidden or a removed label alone. */
  #rowEnd(row: number): number {
    let end = row + 1;
    const first = this.#selected[row];
    if (!this.#hasRepeats || first === undefined) return end;
    for (let other = this.#selected[end]; other !== undefined; other = this.#selected[++end]) {
      if (compareWithout(first.labels, other.labels, this.#gone) !== 0) break;
    }
    return end;
  }

  close(): void {
    this.#selected = [];
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
export function findSeries(memory: HeadMemory, matchers: readonly Matcher[]): Result<MemorySeries[], MatcherFailure> {
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
  return series.reachesInto(minTimeMs, maxTimeMs);
}

function overlapsOpen(open: OpenChunk | undefined, minTimeMs: number, maxTimeMs: number): open is OpenChunk {
  return open !== undefined && open.count > 0 && open.minTimeMs <= maxTimeMs && open.maxTimeMs >= minTimeMs;
}

function addChunks(
  series: MemorySeries | undefined,
  minTimeMs: number,
  maxTimeMs: number,
  page: OpenChunkPage,
  chunks: SourceChunk[],
): void {
  if (series === undefined) return;
  const { closed, open, outOfOrder } = series;
  for (const chunk of closed) {
    if (chunk.minTimeMs <= maxTimeMs && chunk.maxTimeMs >= minTimeMs) chunks.push(closedSourceChunk(chunk));
  }
  if (overlapsOpen(open, minTimeMs, maxTimeMs)) {
    chunks.push(sourceChunk({ minTimeMs: open.minTimeMs, maxTimeMs: open.maxTimeMs, ...page.copyOf(open) }));
  }
  if (outOfOrder === undefined) return;
  for (const chunk of outOfOrder.closed) {
    if (chunk.minTimeMs <= maxTimeMs && chunk.maxTimeMs >= minTimeMs) chunks.push(closedSourceChunk(chunk));
  }
  const { openMinTimeMs, openMaxTimeMs } = outOfOrder;
  if (openMinTimeMs <= maxTimeMs && openMaxTimeMs >= minTimeMs) {
    const encoded = { encoding: xorEncoding, data: outOfOrder.encodeOpen() } as const;
    chunks.push(sourceChunk({ minTimeMs: openMinTimeMs, maxTimeMs: openMaxTimeMs, ...encoded }));
  }
  chunks.sort(byTime);
}

function sourceChunk({ minTimeMs, maxTimeMs, encoding, data }: TimedChunk): SourceChunk {
  return { minTimeMs, maxTimeMs, content: { kind: "raw", encoding, data } };
}

/** As `sourceChunk(timedChunk(chunk))`, without what lies between: a query makes one for each series. */
function closedSourceChunk({ minTimeMs, maxTimeMs, encoding, page, offset, length }: ClosedChunk): SourceChunk {
  const data = new Uint8Array(page.buffer, page.byteOffset + offset, length);
  return { minTimeMs, maxTimeMs, content: { kind: "raw", encoding, data } };
}

function byTime(a: SourceChunk, b: SourceChunk): number {
  return a.minTimeMs - b.minTimeMs || a.maxTimeMs - b.maxTimeMs;
}

/** Copies of the open chunks of one batch, which go on to take samples: a buffer for each costs more than its bytes. */
class OpenChunkPage {
  readonly #bytes: Uint8Array;
  #fill = 0;

  /** Of the series [from, to). */
  constructor(series: readonly MemorySeries[], from: number, to: number, minTimeMs: number, maxTimeMs: number) {
    let bytes = 0;
    for (let i = from; i < to; i++) {
      const open = series[i]?.open;
      if (overlapsOpen(open, minTimeMs, maxTimeMs) && !isOpenHistogram(open)) bytes += open.byteLength;
    }
    this.#bytes = new Uint8Array(bytes);
  }

  copyOf(open: OpenChunk): EncodedChunk {
    if (isOpenHistogram(open)) return encodeOpen(open);
    const offset = this.#fill;
    const { byteLength } = open;
    open.copyTo(this.#bytes, offset);
    this.#fill = offset + byteLength;
    return { encoding: xorEncoding, data: new Uint8Array(this.#bytes.buffer, offset, byteLength) };
  }
}

/** Below it, comparing neighbours takes less than looking at the names of all labels. */
const arrangedMin = 16;

/**
 * Whether label order is also that of what is left without the labels that are gone, and nothing of it is equal. It is where all that
 * goes are external labels, which all series have alike, no series has an own label that one of these hides, and none has an own
 * label between an external one that goes and the external one before it: two series are told apart by the same label then, with
 * and without those that go.
 */
function staysInOrder({ index, externalLabels }: HeadMemory, gone: ReadonlySet<string>): boolean {
  for (const own of index.labelNames()) {
    if (gone.has(own)) return false;
    let before = "";
    for (let i = 0; i < externalLabels.length; i += 2) {
      const external = externalLabels[i] ?? "";
      if (own === external) return false;
      if (gone.has(external) && compareText(own, before) > 0 && compareText(own, external) < 0) return false;
      before = external;
    }
  }
  return true;
}

/** Sorts series by what is left of their labels, an order that they mostly have; gives whether any two are equal then. */
function arrange(selected: MemorySeries[], gone: ReadonlySet<string>): boolean {
  let hasRepeats = false;
  for (let i = 1; i < selected.length; i++) {
    const order = compareWithout(labelsAt(selected, i - 1), labelsAt(selected, i), gone);
    if (order > 0) {
      selected.sort((a, b) => compareWithout(a.labels, b.labels, gone));
      return true;
    }
    if (order === 0) hasRepeats = true;
  }
  return hasRepeats;
}

function labelsAt(selected: readonly MemorySeries[], i: number): Labels {
  return selected[i]?.labels ?? emptyLabels;
}

/** `compareLabels` of what is left without the labels that are gone. */
function compareWithout(a: Labels, b: Labels, gone: ReadonlySet<string>): number {
  let i = 0;
  let j = 0;
  for (;;) {
    const nameA = a[i] ?? "";
    const nameB = b[j] ?? "";
    if (nameA === nameB && a[i + 1] === b[j + 1]) {
      // Equal labels are passed together, gone or not.
      if (nameA === "") return 0;
      i += 2;
      j += 2;
    } else if (gone.has(nameA)) i += 2;
    else if (gone.has(nameB)) j += 2;
    else if (nameA !== nameB) return compareText(nameA, nameB);
    else return compareText(a[i + 1] ?? "", b[j + 1] ?? "");
  }
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

export function invalidMatcher(source: string, failure: MatcherFailure): SourceFailure {
  return { kind: "invalid", source, reason: `${formatMatcher(failure.matcher)}: ${failure.reason}` };
}
