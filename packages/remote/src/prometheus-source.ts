/**
 * A Prometheus as a source of series under its external labels, over remote read: what a sidecar serves. Where a series has
 * an external label's name itself, the external one wins, as in the blocks that are uploaded.
 */
import {
  compareLabels,
  compareText,
  cursorOf,
  fail,
  labelPairs,
  labelValue,
  ok,
  uniteNeighbours,
  withLabels,
  withoutLabels,
  type Labels,
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
import { timestampMsMax } from "@pleiad/chunks";
import { anySeries, isSelective, ownMatchers } from "./own-matchers.ts";
import type { PrometheusApi } from "./prometheus-api.ts";
import type { ReadClient } from "./read-client.ts";

export interface PrometheusSourceOptions {
  /** Named in failures and warnings. */
  readonly name: string;
  /** As they are now. */
  readonly externalLabels: () => Labels;
  /** Samples before this are another's to give, such as the bucket's; -Infinity where all are given. */
  readonly minTimeMs: number;
}

export function createPrometheusSource(
  api: PrometheusApi,
  reader: ReadClient,
  options: PrometheusSourceOptions,
): SeriesSource {
  return new PrometheusSource(api, reader, options);
}

/** What of a question Prometheus is asked; undefined where the external labels answer it: nothing matches. */
interface OwnQuestion {
  readonly matchers: readonly Matcher[];
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
}

class PrometheusSource implements SeriesSource {
  readonly #api: PrometheusApi;
  readonly #reader: ReadClient;
  readonly #options: PrometheusSourceOptions;

  constructor(api: PrometheusApi, reader: ReadClient, options: PrometheusSourceOptions) {
    this.#api = api;
    this.#reader = reader;
    this.#options = options;
  }

  select(request: SelectRequest, signal: AbortSignal): SeriesCursor {
    let failure: SourceFailure | undefined;
    let inner: SeriesCursor | undefined;
    let isClosed = false;
    return {
      get failure() {
        return failure;
      },
      warnings: [],
      next: async () => {
        if (isClosed || failure !== undefined) return undefined;
        if (inner === undefined) {
          const series = signal.aborted ? fail(this.#canceled()) : await this.#select(request, signal);
          if (!series.ok) {
            ({ failure } = series);
            return undefined;
          }
          inner = cursorOf(series.value);
        }
        return await inner.next();
      },
      close() {
        isClosed = true;
        inner?.close();
      },
    };
  }

  async labelNames(request: LabelsRequest, signal: AbortSignal): Promise<Result<LabelsAnswer, SourceFailure>> {
    return await this.#list(request, signal, async (question) => {
      const names = await this.#api.labelNames(question, signal);
      if (!names.ok || names.value.length === 0) return names;
      const external = Array.from(labelPairs(this.#options.externalLabels()), ([name]) => name);
      const hidden = new Set(request.withoutLabels);
      return ok([...names.value, ...external].filter((name) => !hidden.has(name)));
    });
  }

  async labelValues(
    label: string,
    request: LabelsRequest,
    signal: AbortSignal,
  ): Promise<Result<LabelsAnswer, SourceFailure>> {
    if (request.withoutLabels.includes(label)) return ok({ values: [], warnings: [] });
    const external = labelValue(this.#options.externalLabels(), label);
    return await this.#list(request, signal, async (question) => {
      if (external === "") return await this.#api.labelValues(label, question, signal);
      // Every series has it: whether there is one is all that Prometheus has to tell.
      const names = await this.#api.labelNames(question, signal);
      return names.ok && names.value.length > 0 ? ok([external]) : names;
    });
  }

  /** All series of the answer, in label order: attached labels change the order that Prometheus gives. */
  async #select(request: SelectRequest, signal: AbortSignal): Promise<Result<readonly SourceSeries[], SourceFailure>> {
    const question = this.#ownQuestion(request);
    if (!question.ok) return question;
    if (question.value === undefined) return ok([]);
    const found = request.skipChunks
      ? await this.#listSeries(question.value, signal)
      : await this.#reader.read(readable(question.value), signal);
    if (!found.ok) return found;
    const external = this.#options.externalLabels();
    const hidden = new Set(request.withoutLabels);
    const series = found.value.map(({ labels, chunks }) => ({
      labels: withoutLabels(withLabels(labels, external), hidden),
      chunks,
    }));
    return ok(uniteNeighbours(series.sort((a, b) => compareLabels(a.labels, b.labels))));
  }

  async #listSeries(
    question: OwnQuestion,
    signal: AbortSignal,
  ): Promise<Result<readonly SourceSeries[], SourceFailure>> {
    const matchers = isSelective(question.matchers) ? question.matchers : [...question.matchers, anySeries];
    const found = await this.#api.series({ ...question, matchers }, signal);
    return found.ok ? ok(found.value.map((labels) => ({ labels, chunks: [] }))) : found;
  }

  async #list(
    request: LabelsRequest,
    signal: AbortSignal,
    ask: (question: OwnQuestion) => Promise<Result<readonly string[], SourceFailure>>,
  ): Promise<Result<LabelsAnswer, SourceFailure>> {
    if (signal.aborted) return fail(this.#canceled());
    const question = this.#ownQuestion(request);
    if (!question.ok) return question;
    if (question.value === undefined) return ok({ values: [], warnings: [] });
    const { matchers } = question.value;
    // Without matchers all labels are meant, and Prometheus is told so by none.
    const isAll = request.matchers.length === 0 || isSelective(matchers);
    const found = await ask({ ...question.value, matchers: isAll ? matchers : [...matchers, anySeries] });
    if (!found.ok) return found;
    const values = [...new Set(found.value)].sort(compareText);
    return ok({ values: request.limit > 0 ? values.slice(0, request.limit) : values, warnings: [] });
  }

  /** Fails where an expression does not compile. */
  #ownQuestion({
    matchers,
    minTimeMs,
    maxTimeMs,
  }: Pick<SelectRequest, "matchers" | "minTimeMs" | "maxTimeMs">): Result<OwnQuestion | undefined, SourceFailure> {
    const own = ownMatchers(matchers, this.#options.externalLabels(), this.#options.name);
    if (!own.ok || own.value === undefined) return own.ok ? ok(undefined) : own;
    const fromMs = Math.max(minTimeMs, this.#options.minTimeMs);
    if (fromMs > maxTimeMs) return ok(undefined);
    return ok({ matchers: own.value, minTimeMs: fromMs, maxTimeMs });
  }

  #canceled(): SourceFailure {
    return { kind: "canceled", source: this.#options.name };
  }
}

/** Remote read selects nothing where there is no matcher, and takes no time beyond that of a sample. */
function readable({ matchers, minTimeMs, maxTimeMs }: OwnQuestion): OwnQuestion {
  return {
    matchers: matchers.length === 0 ? [anySeries] : matchers,
    minTimeMs: Math.max(minTimeMs, -timestampMsMax),
    maxTimeMs: Math.min(maxTimeMs, timestampMsMax),
  };
}
