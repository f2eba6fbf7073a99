/** Many sources as one: series in label order, what several have of one series joined in time order. */
import {
  compareLabels,
  createLoserTree,
  fail,
  formatSourceFailure,
  labelsEqual,
  ok,
  uniteChunks,
  uniteTexts,
  type LabelsAnswer,
  type LabelsRequest,
  type LoserTree,
  type Result,
  type SelectRequest,
  type SeriesCursor,
  type SeriesSource,
  type SourceFailure,
  type SourceSeries,
} from "@pleiad/model";

const batchSeriesMax = 512;

/**
 * The union of the sources: blocks of one folder, blocks and a head. One that fails makes the answer partial, with a
 * warning, or ends it, as the request says; a question that is wrong, canceled or over a limit always ends it.
 */
export function mergeSources(sources: readonly SeriesSource[]): SeriesSource {
  const [only] = sources;
  if (only !== undefined && sources.length === 1) return only;
  return {
    select: (request, signal) =>
      new MergedCursor(
        sources.map((source) => source.select(request, signal)),
        request,
      ),
    labelNames: (request, signal) =>
      mergeAnswers(
        sources.map((source) => source.labelNames(request, signal)),
        request,
      ),
    labelValues: (label, request, signal) =>
      mergeAnswers(
        sources.map((source) => source.labelValues(label, request, signal)),
        request,
      ),
  };
}

/** One cursor, and the series of it that comes next. */
class Stream {
  readonly cursor: SeriesCursor;
  current: SourceSeries | undefined;
  #batch: readonly SourceSeries[] = [];
  #at = 0;

  constructor(cursor: SeriesCursor) {
    this.cursor = cursor;
  }

  /** Steps within the batch; false where a new one must be read. */
  step(): boolean {
    this.current = this.#batch[++this.#at];
    return this.current !== undefined;
  }

  async read(): Promise<void> {
    this.#batch = (await this.cursor.next()) ?? [];
    this.#at = 0;
    this.current = this.#batch[0];
  }
}

class MergedCursor implements SeriesCursor {
  failure: SourceFailure | undefined;
  readonly #streams: readonly Stream[];
  readonly #onFailure: SelectRequest["onFailure"];
  readonly #failures: string[] = [];
  #tree: LoserTree | undefined;
  #isClosed = false;

  constructor(cursors: readonly SeriesCursor[], request: SelectRequest) {
    this.#streams = cursors.map((cursor) => new Stream(cursor));
    this.#onFailure = request.onFailure;
  }

  get warnings(): readonly string[] {
    return [...this.#failures, ...this.#streams.flatMap(({ cursor }) => cursor.warnings)];
  }

  async next(): Promise<readonly SourceSeries[] | undefined> {
    const streams = this.#streams;
    if (this.#isClosed || streams.length === 0) return undefined;
    if (this.#tree === undefined) {
      await Promise.all(streams.map((stream) => stream.read()));
      // Closed meanwhile, they have ended.
      if (this.#isClosed || streams.some((stream) => this.#hasFailed(stream))) return this.#end();
      this.#tree = createLoserTree(streams.length, (a, b) => isBefore(streams[a], streams[b]));
    }
    const tree = this.#tree;
    const batch: SourceSeries[] = [];
    let whole: SourceSeries | undefined; // to which the next stream may have more chunks
    for (;;) {
      const stream = streams[tree.winner] as Stream;
      const { current } = stream;
      if (current === undefined) break;
      if (whole !== undefined && labelsEqual(whole.labels, current.labels)) {
        whole = { labels: whole.labels, chunks: uniteChunks(whole.chunks, current.chunks) };
      } else {
        if (whole !== undefined) batch.push(whole);
        whole = undefined;
        if (batch.length >= batchSeriesMax) return batch;
        whole = current;
      }
      if (!stream.step()) {
        await stream.read();
        if (this.#isClosed || this.#hasFailed(stream)) return this.#end();
      }
      tree.replay();
    }
    if (whole !== undefined) batch.push(whole);
    return batch.length > 0 ? batch : this.#end();
  }

  close(): void {
    this.#isClosed = true;
    for (const { cursor } of this.#streams) cursor.close();
  }

  #end(): undefined {
    this.close();
    return undefined;
  }

  /** Whether a stream has ended in a way that ends the whole. */
  #hasFailed({ current, cursor }: Stream): boolean {
    if (current !== undefined || cursor.failure === undefined) return false;
    if (endsAll(cursor.failure, this.#onFailure)) {
      this.failure ??= cursor.failure;
      return true;
    }
    this.#failures.push(formatSourceFailure(cursor.failure));
    return false;
  }
}

function isBefore(a: Stream | undefined, b: Stream | undefined): boolean {
  const x = a?.current;
  const y = b?.current;
  // A stream that has ended comes after all others.
  if (x === undefined) return false;
  return y === undefined || compareLabels(x.labels, y.labels) < 0;
}

function endsAll(failure: SourceFailure, onFailure: SelectRequest["onFailure"]): boolean {
  return onFailure === "abort" || failure.kind === "invalid" || failure.kind === "canceled" || failure.kind === "limit";
}

async function mergeAnswers(
  answers: readonly Promise<Result<LabelsAnswer, SourceFailure>>[],
  request: LabelsRequest,
): Promise<Result<LabelsAnswer, SourceFailure>> {
  const lists: (readonly string[])[] = [];
  const warnings: string[] = [];
  for (const answer of await Promise.all(answers)) {
    if (answer.ok) {
      lists.push(answer.value.values);
      for (const warning of answer.value.warnings) warnings.push(warning);
    } else if (endsAll(answer.failure, request.onFailure)) return fail(answer.failure);
    else warnings.push(formatSourceFailure(answer.failure));
  }
  const values = uniteTexts(lists);
  return ok({ values: request.limit > 0 ? values.slice(0, request.limit) : values, warnings });
}
