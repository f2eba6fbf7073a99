/** Head and blocks of a data folder as one source of series, whatever the head is. */
import { mergeSources, wantedValuesOf } from "@pleiad/blocks";
import {
  cursorOf,
  fail,
  ok,
  type LabelsAnswer,
  type LabelsRequest,
  type Matcher,
  type Result,
  type SelectRequest,
  type SeriesCursor,
  type SeriesSource,
  type SourceFailure,
  type SourceSeries,
} from "@pleiad/model";
import { KeptLabelValues } from "./kept-label-values.ts";
import type { LocalBlock, LocalBlocks } from "./local-blocks.ts";
import { readTooSlowly, type Reader, type ReaderSet } from "./reader-set.ts";

interface HavingBlocks {
  readonly of: readonly LocalBlock[];
  readonly having: readonly LocalBlock[];
  usesLeft: number;
}

/** Then it is looked up again: of blocks whose label values have been read since, more is known. */
const havingUsesMax = 50;

/** Blocks are asked for their time, the head for what is behind them: no sample comes twice. */
export class FolderSource implements SeriesSource {
  readonly #name: string;
  readonly #blocks: LocalBlocks;
  readonly #head: SeriesSource;
  readonly #readers: ReaderSet;
  readonly #headFromMs: () => number;
  readonly #keptValues = new KeptLabelValues();
  readonly #havingOf = new WeakMap<readonly Matcher[], HavingBlocks>();

  /** `headFromMs` tells where the blocks end that have what the head has below. */
  constructor(name: string, blocks: LocalBlocks, head: SeriesSource, readers: ReaderSet, headFromMs: () => number) {
    this.#name = name;
    this.#blocks = blocks;
    this.#head = head;
    this.#readers = readers;
    this.#headFromMs = headFromMs;
  }

  select(request: SelectRequest, signal: AbortSignal): SeriesCursor {
    const cursor = this.#sourceFor(request).select(request, signal);
    return new ReaderCursor(cursor, this.#readers.begin(), this.#name);
  }

  async labelNames(request: LabelsRequest, signal: AbortSignal): Promise<Result<LabelsAnswer, SourceFailure>> {
    const reader = this.#readers.begin();
    return await this.#inTime(reader, this.#sourceFor(request).labelNames(request, signal));
  }

  async labelValues(
    label: string,
    request: LabelsRequest,
    signal: AbortSignal,
  ): Promise<Result<LabelsAnswer, SourceFailure>> {
    const blocks = this.#blocks.all;
    const isOfBlocks = this.#isOfBlocks(request);
    const kept = isOfBlocks ? this.#keptValues.of(label, request, blocks) : undefined;
    if (kept !== undefined && !signal.aborted) {
      return ok({ values: request.limit > 0 ? kept.slice(0, request.limit) : kept, warnings: [] });
    }
    const reader = this.#readers.begin();
    const answer = await this.#inTime(reader, this.#sourceFor(request).labelValues(label, request, signal));
    if (isOfBlocks && request.limit === 0 && answer.ok && answer.value.warnings.length === 0) {
      this.#keptValues.keep(label, request, blocks, answer.value.values);
    }
    return answer;
  }

  /** Whether blocks alone answer, and all of their series count. */
  #isOfBlocks({ maxTimeMs, matchers, withoutLabels }: LabelsRequest): boolean {
    if (matchers.length > 0 || withoutLabels.length > 0) return false;
    return this.#blocks.gapCount === 0 && this.#headFromMs() > maxTimeMs;
  }

  async #inTime<T>(reader: Reader, asked: Promise<Result<T, SourceFailure>>): Promise<Result<T, SourceFailure>> {
    try {
      const answer = await asked;
      return reader.isExpired ? fail(readTooSlowly(this.#name)) : answer;
    } finally {
      reader.end();
    }
  }

  /** What must be asked, as one source: of many blocks mostly few have what a question names. */
  #sourceFor({ minTimeMs, maxTimeMs, matchers }: Pick<SelectRequest, "minTimeMs" | "maxTimeMs" | "matchers">) {
    const isOfTime = ({ meta }: LocalBlock) => meta.minTimeMs <= maxTimeMs && meta.maxTimeMs > minTimeMs;
    const parts: SeriesSource[] = this.#blocks.gapsIn(minTimeMs, maxTimeMs).map(failingSource);
    for (const one of this.#having(matchers)) if (isOfTime(one)) parts.push(one.block);
    const headFromMs = this.#headFromMs();
    if (headFromMs <= maxTimeMs) parts.push(headFromMs <= minTimeMs ? this.#head : sourceFrom(this.#head, headFromMs));
    // Somebody has to look at the question, which may be wrong.
    const passedOver = parts.length === 0 ? this.#blocks.all.find(isOfTime) : undefined;
    return passedOver?.block ?? mergeSources(parts);
  }

  /** Blocks that may have what the matchers name: those of one query are the same however often it is asked. */
  #having(matchers: readonly Matcher[]): readonly LocalBlock[] {
    const { all } = this.#blocks;
    const known = this.#havingOf.get(matchers);
    if (known !== undefined && known.of === all && known.usesLeft-- > 0) return known.having;
    const wanted = wantedValuesOf(matchers);
    const having = all.filter(({ block }) => block.mayHave(wanted));
    this.#havingOf.set(matchers, { of: all, having, usesLeft: havingUsesMax });
    return having;
  }
}

/** A source whose earlier part others have. */
function sourceFrom(source: SeriesSource, fromMs: number): SeriesSource {
  const later = <T extends { readonly minTimeMs: number }>(request: T): T => ({ ...request, minTimeMs: fromMs });
  return {
    select: (request, signal) => source.select(later(request), signal),
    labelNames: (request, signal) => source.labelNames(later(request), signal),
    labelValues: (label, request, signal) => source.labelValues(label, later(request), signal),
  };
}

/** Data that is missing, as the others see it: a source that fails. */
function failingSource(failure: SourceFailure): SeriesSource {
  return {
    select: () => cursorOf([], { failure }),
    labelNames: async () => fail(failure),
    labelValues: async () => fail(failure),
  };
}

/** A cursor that fails once its data has moved on. */
class ReaderCursor implements SeriesCursor {
  readonly #cursor: SeriesCursor;
  readonly #reader: Reader;
  readonly #source: string;
  #failure: SourceFailure | undefined;

  constructor(cursor: SeriesCursor, reader: Reader, source: string) {
    this.#cursor = cursor;
    this.#reader = reader;
    this.#source = source;
  }

  get failure(): SourceFailure | undefined {
    return this.#cursor.failure ?? this.#failure;
  }

  get warnings(): readonly string[] {
    return this.#cursor.warnings;
  }

  async next(): Promise<readonly SourceSeries[] | undefined> {
    if (this.#failure !== undefined) return undefined;
    const batch = await this.#cursor.next();
    if (this.#reader.isExpired) this.#failure = readTooSlowly(this.#source);
    if (batch !== undefined && this.#failure === undefined) return batch;
    this.close();
    return undefined;
  }

  close(): void {
    this.#cursor.close();
    this.#reader.end();
  }
}
