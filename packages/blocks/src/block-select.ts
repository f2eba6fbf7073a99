/** Answers questions from an open block: the SeriesSource of its data. */
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
import { blockFailureOf, BlockReadError, sourceFailureOf } from "./block-failure.ts";
import type { BlockIndex } from "./block-index.ts";
import type { BlockMeta } from "./block-meta.ts";
import { sourceChunkOf } from "./chunk-record.ts";
import type { BlockWatch } from "./block-watch.ts";
import type { ChunkSegments } from "./chunk-segments.ts";
import type { DecodedCache, Selection, WholeSelection } from "./decoded-cache.ts";
import { withoutDeleted } from "./deleted-samples.ts";
import { chunkFields, StoredSeries, uniteStored } from "./stored-series.ts";
import { coversAll, touchesAny } from "./tombstones.ts";

const batchSeriesMax = 512;
/** Where series have many chunks: what is in memory for one batch stays small. */
const batchChunksMax = 16_384;
const noChunks: readonly SourceChunk[] = [];

/** An open block as its cursors see it. */
export interface BlockReader {
  readonly meta: BlockMeta;
  readonly index: BlockIndex;
  readonly segments: ChunkSegments;
  readonly cache: DecodedCache;
  readonly externalLabels: Labels;
  readonly watch: BlockWatch | undefined;
  /** Tells a cache that is shared with other blocks that this one was used. */
  readonly settle: (() => void) | undefined;
  /** Lets others run between batches. */
  readonly yield: (() => Promise<void>) | undefined;
}

export function selectSeries(reader: BlockReader, request: SelectRequest, signal: AbortSignal): SeriesCursor {
  return new BlockCursor(reader, request, signal);
}

class BlockCursor implements SeriesCursor {
  failure: SourceFailure | undefined;
  readonly warnings: readonly string[] = [];
  readonly #reader: BlockReader;
  readonly #request: SelectRequest;
  readonly #signal: AbortSignal;
  #selection: Selection | undefined;
  #at = 0;
  #isClosed = false;

  constructor(reader: BlockReader, request: SelectRequest, signal: AbortSignal) {
    this.#reader = reader;
    this.#request = request;
    this.#signal = signal;
  }

  async next(): Promise<readonly SourceSeries[] | undefined> {
    if (this.failure !== undefined || this.#isClosed) return undefined;
    try {
      if (this.#signal.aborted) throw this.#signal.reason;
      this.#selection ??= await this.#begin();
      const selection = this.#selection;
      while (this.#at < selection.length) {
        if (this.#at > 0) await this.#reader.yield?.();
        if (this.#signal.aborted) throw this.#signal.reason;
        const from = this.#at;
        const whole = from === 0 && !this.#request.skipChunks ? this.#whole(selection) : undefined;
        this.#at = whole === undefined ? this.#batchEnd(selection, from) : selection.length;
        const batch =
          whole ??
          (this.#request.skipChunks
            ? this.#labelsOnly(selection, from, this.#at)
            : await this.#withChunks(selection, from, this.#at));
        this.#reader.settle?.();
        if (batch.length > 0) return batch;
      }
    } catch (error) {
      this.failure =
        error instanceof InvalidMatcher
          ? error.failure
          : sourceFailureOf(blockFailureOf(this.#reader.meta.ulid, error, this.#signal));
    }
    this.close();
    return undefined;
  }

  close(): void {
    this.#selection = undefined;
    this.#isClosed = true;
  }

  async #begin(): Promise<Selection> {
    const { meta } = this.#reader;
    const { minTimeMs, maxTimeMs, matchers, maxResolutionMs } = this.#request;
    const isTooCoarse = (meta.thanos?.resolutionMs ?? 0) > maxResolutionMs;
    const rows = await selectRows(this.#reader, matchers, this.#request.withoutLabels, this.#signal);
    return isTooCoarse || !overlapsBlock(meta, minTimeMs, maxTimeMs) ? [] : rows;
  }

  /** As many series as a batch may have, fewer where they have many chunks. */
  #batchEnd(selection: Selection, from: number): number {
    const end = Math.min(from + batchSeriesMax, selection.length);
    if (this.#request.skipChunks) return end;
    let chunksLeft = batchChunksMax;
    for (let row = from; row < end; row++) {
      chunksLeft -= (selection[row] as StoredSeries).chunks.length / chunkFields;
      if (chunksLeft < 0 && row > from) return row;
    }
    return end;
  }

  /** All of the selection, where all its chunks are in memory and wanted. */
  #whole(selection: Selection): readonly SourceSeries[] | undefined {
    const { cache, watch } = this.#reader;
    const whole = cache.whole(selection);
    if (whole === undefined) return undefined;
    if (whole.minTimeMs < this.#request.minTimeMs || whole.maxTimeMs > this.#request.maxTimeMs) return undefined;
    watch?.touch("chunks", whole.chunkCount, whole.chunkCount, this.#signal);
    return whole.series;
  }

  #labelsOnly(selection: Selection, from: number, to: number): SourceSeries[] {
    const { minTimeMs, maxTimeMs } = this.#request;
    const batch: SourceSeries[] = [];
    for (let row = from; row < to; row++) {
      const series = selection[row] as StoredSeries;
      if (hasSamples(series, minTimeMs, maxTimeMs)) batch.push({ labels: series.labels, chunks: noChunks });
    }
    return batch;
  }

  async #withChunks(selection: Selection, from: number, to: number): Promise<SourceSeries[]> {
    const { minTimeMs, maxTimeMs } = this.#request;
    const { segments, cache, watch } = this.#reader;
    const unread = unreadChunks(selection, from, to, minTimeMs, maxTimeMs);
    if (watch !== undefined) {
      const count = countChunks(selection, from, to, minTimeMs, maxTimeMs);
      watch.touch("chunks", count, count - unread.length, this.#signal);
    }
    await segments.load(unread, this.#signal);
    const batch: SourceSeries[] = [];
    const missing = new MissingChunks();
    let freshCount = 0;
    let keptCount = 0; // series that were whole before
    for (let row = from; row < to; row++) {
      const series = selection[row] as StoredSeries;
      const { chunks: fields, read } = series;
      const lastTimeMs = fields.length === 0 ? -Infinity : (fields[fields.length - 2] as number);
      const isWhole = fields.length > 0 && (fields[0] as number) >= minTimeMs && lastTimeMs <= maxTimeMs;
      if (isWhole && series.whole !== undefined) {
        batch.push(series.whole);
        keptCount++;
        continue;
      }
      // Made with its first chunk, mostly the only one: a list that grows from nothing has room for many more.
      let chunks: SourceChunk[] | undefined;
      let isMissing = false;
      for (let k = 0, at = 0; at < fields.length; k++, at += chunkFields) {
        const chunkMinMs = fields[at] as number;
        const chunkMaxMs = fields[at + 1] as number;
        if (chunkMinMs > maxTimeMs || chunkMaxMs < minTimeMs) continue;
        let chunk = read[k];
        if (chunk === undefined) {
          if (series.deleted !== undefined && coversAll(series.deleted[k] ?? [], chunkMinMs, chunkMaxMs)) continue;
          chunk = segments.peek(chunkMinMs, chunkMaxMs, fields[at + 2] as number);
          if (chunk === undefined) {
            missing.add(series, k, (chunks ??= []));
            isMissing = true;
            continue;
          }
          freshCount++;
          this.#addChunk(series, k, chunk, (chunks ??= []));
        } else if (chunks === undefined) chunks = [chunk];
        else chunks.push(chunk);
      }
      if (chunks === undefined || (chunks.length === 0 && !isMissing)) continue;
      const whole: SourceSeries = { labels: series.labels, chunks };
      // Where all chunks are wanted and some are missing, this object is filled below.
      if (isWhole && series.deleted === undefined && !isMissing) series.whole = whole;
      batch.push(whole);
    }
    if (keptCount === selection.length && keptCount > 0) cache.keepWhole(selection, wholeOf(selection, batch));
    if (freshCount > 0) cache.addChunks(freshCount);
    if (missing.count === 0) return batch;
    await this.#fill(missing);
    return batch.filter((series) => series.chunks.length > 0);
  }

  async #fill(missing: MissingChunks): Promise<void> {
    const { segments, cache } = this.#reader;
    // Mostly they only go beyond their window; but another question may have had windows dropped meanwhile.
    await segments.load(missing.refs(), this.#signal);
    for (let i = 0; i < missing.count; i++) {
      const series = missing.series[i] as StoredSeries;
      const k = missing.numbers[i] as number;
      const at = chunkFields * k;
      const minTimeMs = series.chunks[at] as number;
      const maxTimeMs = series.chunks[at + 1] as number;
      const ref = series.chunks[at + 2] as number;
      const chunks = missing.targets[i] as SourceChunk[];
      // One that no window holds whole, or that was dropped again, comes with a read of its own, and is not kept.
      const chunk = segments.peek(minTimeMs, maxTimeMs, ref);
      if (chunk === undefined) {
        const read = await segments.read(minTimeMs, maxTimeMs, ref, this.#signal);
        for (const left of this.#withoutDeleted(series, k, read)) chunks.push(left);
      } else this.#addChunk(series, k, chunk, chunks);
      // The missing ones were found later than others of their series.
      if (chunks.length > 1) chunks.sort((a, b) => a.minTimeMs - b.minTimeMs || a.maxTimeMs - b.maxTimeMs);
    }
    cache.addChunks(missing.count);
  }

  #addChunk(series: StoredSeries, k: number, chunk: SourceChunk, chunks: SourceChunk[]): void {
    if (series.deleted === undefined) {
      series.read[k] = chunk;
      chunks.push(chunk);
      return;
    }
    const left = this.#withoutDeleted(series, k, chunk);
    if (left.length === 1) series.read[k] = left[0];
    for (const one of left) chunks.push(one);
  }

  #withoutDeleted(series: StoredSeries, k: number, chunk: SourceChunk): readonly SourceChunk[] {
    const spans = series.deleted?.[k] ?? [];
    const { minTimeMs, maxTimeMs, content } = chunk;
    if (!touchesAny(spans, minTimeMs, maxTimeMs)) return [chunk];
    const left =
      content.kind === "raw"
        ? withoutDeleted({ minTimeMs, maxTimeMs, sampleCount: 0, ...content }, spans)
        : fail("a tombstone covers part of a chunk of aggregates");
    if (!left.ok)
      throw new BlockReadError({ kind: "unsupported", block: this.#reader.meta.ulid, reason: left.failure });
    return left.value.map(({ minTimeMs, maxTimeMs, encoding, data }) => {
      const one = sourceChunkOf(minTimeMs, maxTimeMs, encoding, data);
      if (one === undefined) throw new RangeError("aggregates are not encoded here");
      return one;
    });
  }
}

function wholeOf(selection: Selection, series: readonly SourceSeries[]): WholeSelection {
  let [minTimeMs, maxTimeMs, chunkCount] = [Infinity, -Infinity, 0];
  for (const { chunks } of selection) {
    minTimeMs = Math.min(minTimeMs, chunks[0] as number);
    for (let at = 0; at < chunks.length; at += chunkFields) maxTimeMs = Math.max(maxTimeMs, chunks[at + 1] as number);
    chunkCount += chunks.length / chunkFields;
  }
  return { series, minTimeMs, maxTimeMs, chunkCount };
}

function countChunks(selection: Selection, from: number, to: number, minTimeMs: number, maxTimeMs: number): number {
  let count = 0;
  for (let row = from; row < to; row++) {
    const { chunks } = selection[row] as StoredSeries;
    for (let at = 0; at < chunks.length; at += chunkFields) {
      if ((chunks[at] as number) <= maxTimeMs && (chunks[at + 1] as number) >= minTimeMs) count++;
    }
  }
  return count;
}

/** References of the chunks within the time that are not in memory. */
function unreadChunks(selection: Selection, from: number, to: number, minTimeMs: number, maxTimeMs: number): number[] {
  const refs: number[] = [];
  for (let row = from; row < to; row++) {
    const { chunks, read, whole } = selection[row] as StoredSeries;
    if (whole !== undefined) continue;
    for (let k = 0, at = 0; at < chunks.length; k++, at += chunkFields) {
      if (read[k] !== undefined) continue;
      if ((chunks[at] as number) > maxTimeMs || (chunks[at + 1] as number) < minTimeMs) continue;
      refs.push(chunks[at + 2] as number);
    }
  }
  return refs;
}

/** Chunks that are to be read one by one, and the lists into which they go. */
class MissingChunks {
  readonly series: StoredSeries[] = [];
  readonly numbers: number[] = [];
  readonly targets: SourceChunk[][] = [];

  get count(): number {
    return this.series.length;
  }

  refs(): number[] {
    return this.series.map(({ chunks }, i) => chunks[chunkFields * (this.numbers[i] as number) + 2] as number);
  }

  add(series: StoredSeries, k: number, target: SourceChunk[]): void {
    this.series.push(series);
    this.numbers.push(k);
    this.targets.push(target);
  }
}

/** Thrown where a matcher is no matcher: a fault of the question and not of the block. */
class InvalidMatcher extends Error {
  readonly failure: SourceFailure;

  constructor(block: string, { matcher, reason }: MatcherFailure) {
    super(reason);
    this.failure = { kind: "invalid", source: `block ${block}`, reason: `${formatMatcher(matcher)}: ${reason}` };
  }
}

/** Names of labels that any matching series has. */
export async function listLabelNames(
  reader: BlockReader,
  request: LabelsRequest,
  signal: AbortSignal,
): Promise<Result<LabelsAnswer, SourceFailure>> {
  const { index, externalLabels } = reader;
  return answerLabels(reader, request, signal, "names", async () => {
    const names = new Set<string>();
    if (request.matchers.length === 0) {
      for (const name of index.table.names) names.add(name);
      for (let i = 0; i < externalLabels.length; i += 2) names.add(externalLabels[i] as string);
    } else {
      for (const { labels } of await rowsInRange(reader, request, signal)) {
        for (let i = 0; i < labels.length; i += 2) names.add(labels[i] as string);
      }
    }
    for (const name of request.withoutLabels) names.delete(name);
    return [...names].sort(compareText);
  });
}

/** Values that a label has among the matching series. */
export async function listLabelValues(
  reader: BlockReader,
  label: string,
  request: LabelsRequest,
  signal: AbortSignal,
): Promise<Result<LabelsAnswer, SourceFailure>> {
  const { index, externalLabels } = reader;
  if (request.withoutLabels.includes(label)) return ok({ values: [], warnings: [] });
  const known = request.matchers.length === 0 && !signal.aborted ? peekLabelValues(reader, label, request) : undefined;
  if (known !== undefined)
    return ok({ values: request.limit > 0 ? known.slice(0, request.limit) : known, warnings: [] });
  return answerLabels(reader, request, signal, `values ${label}`, async () => {
    const external = labelValue(externalLabels, label);
    if (request.matchers.length === 0) {
      if (external === "") return (await index.labelEntries(label, signal)).values;
      return reader.meta.stats.numSeries > 0 || index.table.names.length > 0 ? [external] : [];
    }
    const values = new Set<string>();
    for (const { labels } of await rowsInRange(reader, request, signal)) {
      values.add(external === "" ? labelValue(labels, label) : external);
      // All have the same.
      if (external !== "") break;
    }
    values.delete("");
    return [...values].sort(compareText);
  });
}

/** All values of a label, where they are in memory: there is nothing to find out then, nor to keep. */
function peekLabelValues(
  { meta, index, externalLabels }: BlockReader,
  label: string,
  { minTimeMs, maxTimeMs }: LabelsRequest,
): readonly string[] | undefined {
  if (labelValue(externalLabels, label) !== "") return undefined;
  return overlapsBlock(meta, minTimeMs, maxTimeMs) ? index.table.peek(label)?.values : [];
}

async function answerLabels(
  reader: BlockReader,
  request: LabelsRequest,
  signal: AbortSignal,
  question: string,
  answer: () => Promise<readonly string[]>,
): Promise<Result<LabelsAnswer, SourceFailure>> {
  const { meta, cache } = reader;
  const { minTimeMs, maxTimeMs, limit } = request;
  try {
    if (signal.aborted) throw signal.reason;
    if (!overlapsBlock(meta, minTimeMs, maxTimeMs)) return ok({ values: [], warnings: [] });
    const fromMs = Math.max(minTimeMs, meta.minTimeMs);
    const toMs = Math.min(maxTimeMs, meta.maxTimeMs);
    const key = `${question} ${fromMs} ${toMs} ${rowsKey(request.matchers, request.withoutLabels)}`;
    let values = cache.answer(key);
    if (values === undefined) {
      values = await answer();
      cache.keepAnswer(key, values);
    }
    reader.settle?.();
    return ok({ values: limit > 0 ? values.slice(0, limit) : values, warnings: [] });
  } catch (error) {
    if (error instanceof InvalidMatcher) return fail(error.failure);
    return fail(sourceFailureOf(blockFailureOf(meta.ulid, error, signal)));
  }
}

async function rowsInRange(reader: BlockReader, request: LabelsRequest, signal: AbortSignal): Promise<Selection> {
  const rows = await selectRows(reader, request.matchers, [], signal);
  return rows.filter((series) => hasSamples(series, request.minTimeMs, request.maxTimeMs));
}

/**
 * All series that match, whatever their times, in the order of the labels that are left, each label set once. They are
 * settled before the first is given: labels that are added or removed may change their order.
 */
async function selectRows(
  reader: BlockReader,
  matchers: readonly Matcher[],
  withoutNames: readonly string[],
  signal: AbortSignal,
): Promise<Selection> {
  const { meta, index, cache, externalLabels } = reader;
  const key = rowsKey(matchers, withoutNames);
  const kept = cache.selection(key);
  reader.watch?.touch("selection", 1, kept === undefined ? 0 : 1, signal);
  if (kept !== undefined) {
    reader.watch?.touch("series", kept.length, kept.length, signal);
    return kept;
  }
  const ownMatchers: Matcher[] = [];
  let isExcluded = false;
  for (const matcher of matchers) {
    const test = compileMatcher(matcher);
    if (!test.ok) throw new InvalidMatcher(meta.ulid, test.failure);
    const external = labelValue(externalLabels, matcher.name);
    if (external === "") ownMatchers.push(matcher);
    else if (!test.value(external)) isExcluded = true;
  }
  if (isExcluded) return [];
  const found = await index.select(ownMatchers, signal);
  if (!found.ok) throw new InvalidMatcher(meta.ulid, found.failure);
  const gone = new Set(withoutNames);
  const own = await index.seriesOf(found.value, signal);
  const rows = gone.size === 0 ? own : own.map((series) => series.renamed(withoutLabels(series.labels, gone)));
  const selection = externalLabels.length === 0 && gone.size === 0 ? rows : arrange(rows);
  cache.keepSelection(key, selection, gone.size === 0 ? 0 : selection.length);
  return selection;
}

/** Sorts series, which they mostly are, and makes those of equal labels one. */
function arrange(rows: StoredSeries[]): Selection {
  let isSorted = true;
  let hasRepeats = false;
  for (let i = 1; i < rows.length && isSorted; i++) {
    const order = compareLabels((rows[i - 1] as StoredSeries).labels, (rows[i] as StoredSeries).labels);
    if (order > 0) isSorted = false;
    else if (order === 0) hasRepeats = true;
  }
  if (isSorted && !hasRepeats) return rows;
  if (!isSorted) rows.sort((a, b) => compareLabels(a.labels, b.labels));
  const united: StoredSeries[] = [];
  for (let i = 0; i < rows.length;) {
    const first = rows[i] as StoredSeries;
    let end = i + 1;
    while (end < rows.length && labelsEqual(first.labels, (rows[end] as StoredSeries).labels)) end++;
    united.push(end === i + 1 ? first : uniteStored(rows.slice(i, end), first.labels));
    i = end;
  }
  return united;
}

function rowsKey(matchers: readonly Matcher[], withoutNames: readonly string[]): string {
  let key = withoutNames.length === 0 ? "" : JSON.stringify(withoutNames);
  for (const { type, name, value } of matchers) key += `\0${name}\0${type}${value}`;
  return key;
}

function hasSamples(series: StoredSeries, minTimeMs: number, maxTimeMs: number): boolean {
  const { chunks, deleted } = series;
  for (let k = 0, at = 0; at < chunks.length; k++, at += chunkFields) {
    const chunkMinMs = chunks[at] as number;
    const chunkMaxMs = chunks[at + 1] as number;
    if (chunkMinMs > maxTimeMs || chunkMaxMs < minTimeMs) continue;
    if (deleted === undefined || !coversAll(deleted[k] ?? [], chunkMinMs, chunkMaxMs)) return true;
  }
  return false;
}

function overlapsBlock(meta: BlockMeta, minTimeMs: number, maxTimeMs: number): boolean {
  return minTimeMs < meta.maxTimeMs && maxTimeMs >= meta.minTimeMs;
}
