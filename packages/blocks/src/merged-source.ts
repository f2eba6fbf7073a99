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
  type SourceChunk,
  type SourceFailure,
  type SourceSeries,
} from "@pleiad/model";

const batchSeriesMax = 512;
/** So many sources are looked at one after the other for each series; more of them in a tournament. */
const scannedMax = 16;

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
  #isBegun = false;
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
    if (!this.#isBegun) {
      this.#isBegun = true;
      if (!(await this.#readAnew(streams))) return this.#end();
    }
    const batch = streams.length <= scannedMax ? await this.#nextOfFew() : await this.#nextOfMany();
    return batch === undefined || batch.length === 0 ? this.#end() : batch;
  }

  /** Few sources mostly have the same series: one look at all finds the first series and all who have it. */
  async #nextOfFew(): Promise<readonly SourceSeries[] | undefined> {
    const batch: SourceSeries[] = [];
    const having: Stream[] = [];
    while (batch.length < batchSeriesMax) {
      let first: SourceSeries | undefined;
      having.length = 0;
      for (const stream of this.#streams) {
        const { current } = stream;
        if (current === undefined) continue;
        const order = first === undefined ? -1 : compareLabels(current.labels, first.labels);
        if (order > 0) continue;
        if (order < 0) {
          first = current;
          having.length = 0;
        }
        having.push(stream);
      }
      if (first === undefined) break;
      batch.push(having.length === 1 ? first : unite(having.map(({ current }) => current as SourceSeries)));
      const spent = having.filter((stream) => !stream.step());
      if (spent.length > 0 && !(await this.#readAnew(spent))) return undefined;
    }
    return batch;
  }

  async #nextOfMany(): Promise<readonly SourceSeries[] | undefined> {
    const streams = this.#streams;
    this.#tree ??= createLoserTree(streams.length, (a, b) => isBefore(streams[a], streams[b]));
    const tree = this.#tree;
    const batch: SourceSeries[] = [];
    let same: SourceSeries[] = []; // to which the next stream may have more
    for (;;) {
      const stream = streams[tree.winner] as Stream;
      const { current } = stream;
      if (current === undefined) break;
      const [whole] = same;
      if (whole !== undefined && labelsEqual(whole.labels, current.labels)) same.push(current);
      else {
        if (whole !== undefined) batch.push(same.length === 1 ? whole : unite(same));
        if (batch.length >= batchSeriesMax) return batch;
        same = [current];
      }
      if (!stream.step() && !(await this.#readAnew([stream]))) return undefined;
      tree.replay();
    }
    if (same.length > 0) batch.push(unite(same));
    return batch;
  }

  /** All at once; false where one of them ends the whole, or it was closed meanwhile. */
  async #readAnew(streams: readonly Stream[]): Promise<boolean> {
    await Promise.all(streams.map((stream) => stream.read()));
    return !this.#isClosed && !streams.some((stream) => this.#hasFailed(stream));
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

/** Series of equal labels as one: its chunks in the order of time, each once. */
function unite(parts: readonly SourceSeries[]): SourceSeries {
  const [first, ...others] = parts;
  if (first === undefined) throw new RangeError("nothing to unite");
  if (others.length === 0) return first;
  // Blocks mostly follow each other, and then nothing of one comes between what another has.
  const chunks = areInTurn(parts)
    ? first.chunks.concat(...others.map((part) => part.chunks))
    : parts.reduce<readonly SourceChunk[]>((united, part) => uniteChunks(united, part.chunks), []);
  return { labels: first.labels, chunks };
}

/** Whether each begins after all chunks of those before it have begun. */
function areInTurn(parts: readonly SourceSeries[]): boolean {
  let lastMs = -Infinity;
  for (const part of parts) {
    if (startOf(part) <= lastMs) return false;
    lastMs = part.chunks.at(-1)?.minTimeMs ?? lastMs;
  }
  return true;
}

/** Where there are none, they come nowhere. */
function startOf({ chunks }: SourceSeries): number {
  return chunks[0]?.minTimeMs ?? Infinity;
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
