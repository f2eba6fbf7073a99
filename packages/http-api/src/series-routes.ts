/** `series`, `labels` and `label/<name>/values`: what there is, without samples. */
import {
  compareLabels,
  emptyLabels,
  fail,
  labelsKey,
  ok,
  plainSelect,
  uniteTexts,
  type Labels,
  type LabelsAnswer,
  type LabelsRequest,
  type Matcher,
  type Result,
  type SeriesSource,
  type SourceFailure,
} from "@pleiad/model";
import { withDeadline } from "@pleiad/ports";
import {
  badData,
  invalidParameter,
  limitWarning,
  type ApiAnswer,
  type ApiFailure,
  type JsonPiece,
} from "./envelope.ts";
import { quoteJson } from "./json-text.ts";
import { labelNameOfPath } from "./label-name.ts";
import { parseLimit } from "./parameter-text.ts";
import type { RequestForm } from "./request-form.ts";
import { readMatcherSets, readMetadataRange, readSourceSettings, type SourceDefaults } from "./request-settings.ts";
import type { Route, RouteRequest, RouterPorts } from "./router.ts";
import { selectSource, type SelectableSource } from "./store-selection.ts";
import { failureOfSource } from "./source-failure.ts";
import { sampleTextWriter } from "./sample-text.ts";

export interface SeriesRoutesOptions extends SelectableSource {
  readonly defaults: SourceDefaults;
  readonly timeoutMs: number;
  readonly seriesMax: number; // held in memory by one request
}

export function seriesRoutes(options: SeriesRoutesOptions, { clock }: RouterPorts): readonly Route[] {
  const ofStores = async (
    { form, signal }: RouteRequest,
    answer: (source: SeriesSource, deadline: AbortSignal) => Promise<Result<ApiAnswer, ApiFailure>>,
  ) => {
    const source = selectSource(form, options);
    if (!source.ok) return source;
    return await withDeadline(
      clock,
      options.timeoutMs,
      signal,
      async (deadline) => await answer(source.value, deadline),
    );
  };
  const series = (request: RouteRequest) =>
    ofStores(request, (source, deadline) => listSeries(request.form, { ...options, source }, deadline));
  const labelNames = (request: RouteRequest) =>
    ofStores(request, (source, deadline) =>
      listTexts(request.form, options, deadline, (asked) => source.labelNames(asked, deadline)),
    );
  const labelValues = (request: RouteRequest) =>
    ofStores(request, (source, deadline) => {
      const name = labelNameOfPath(request.segment);
      return listTexts(request.form, options, deadline, (asked) => source.labelValues(name, asked, deadline));
    });
  return [
    {
      path: "/api/v1/series",
      methods: ["GET", "POST"],
      handler: "series",
      answer: { kind: "api", answer: series },
    },
    {
      path: "/api/v1/labels",
      methods: ["GET", "POST"],
      handler: "label_names",
      answer: { kind: "api", answer: labelNames },
    },
    {
      path: "/api/v1/label/*/values",
      methods: ["GET"],
      handler: "label_values",
      answer: { kind: "api", answer: labelValues },
    },
  ];
}

async function listSeries(
  form: RequestForm,
  { source, defaults, seriesMax }: SeriesRoutesOptions,
  signal: AbortSignal,
): Promise<Result<ApiAnswer, ApiFailure>> {
  if (form.all("match[]").length === 0) return fail(badData("no match[] parameter provided"));
  const asked = readListing(form, defaults);
  if (!asked.ok) return asked;
  const { limit, range, matcherSets, settings } = asked.value;
  // One more than the limit, to know whether something was cut.
  const wantedMax = limit === 0 ? 0 : limit + 1;
  const found = new Map<string, Labels>();
  const warnings: string[] = [];
  for (const matchers of matcherSets) {
    const request = { ...plainSelect, ...range, ...settings, matchers, skipChunks: true, seriesMax: wantedMax };
    const cursor = source.select({ ...request, hints: { function: "series" } }, signal);
    let taken = 0;
    for (let batch = await cursor.next(); batch !== undefined; batch = await cursor.next()) {
      for (const { labels } of batch) {
        found.set(labelsKey(labels), labels);
        taken++;
      }
      if (found.size > seriesMax) {
        cursor.close();
        const message = `more than ${seriesMax} series match: narrow match[] or set a limit`;
        return fail({ errorType: "execution", message });
      }
      if (wantedMax > 0 && taken >= wantedMax) break;
    }
    const { failure } = cursor;
    cursor.close();
    if (failure !== undefined) return fail(failureOfSource(failure, signal));
    warnings.push(...cursor.warnings);
  }
  const series = [...found.values()];
  if (matcherSets.length > 1) series.sort(compareLabels);
  const truncated = limit > 0 && series.length > limit;
  return ok({
    data: seriesText(truncated ? series.slice(0, limit) : series),
    warnings: truncated ? [...warnings, limitWarning] : warnings,
    infos: [],
    partial: warnings.length > 0,
  });
}

/** Names or values, of one question for each set of matchers. */
async function listTexts(
  form: RequestForm,
  { defaults }: SeriesRoutesOptions,
  signal: AbortSignal,
  ask: (request: LabelsRequest) => Promise<Result<LabelsAnswer, SourceFailure>>,
): Promise<Result<ApiAnswer, ApiFailure>> {
  const asked = readListing(form, defaults);
  if (!asked.ok) return asked;
  const { limit, range, matcherSets, settings } = asked.value;
  const lists: (readonly string[])[] = [];
  const warnings: string[] = [];
  for (const matchers of matcherSets.length === 0 ? [[]] : matcherSets) {
    const answer = await ask({
      ...range,
      matchers,
      // As in Thanos, replica labels can be looked up although queries do not show them.
      withoutLabels: [],
      onFailure: settings.onFailure,
      limit: limit === 0 ? 0 : limit + 1,
    });
    if (!answer.ok) return fail(failureOfSource(answer.failure, signal));
    lists.push(answer.value.values);
    warnings.push(...answer.value.warnings);
  }
  const texts = uniteTexts(lists);
  const truncated = limit > 0 && texts.length > limit;
  return ok({
    data: [truncated ? quoteJson(texts.slice(0, limit)) : quoteTexts(texts)],
    warnings: truncated ? [...warnings, limitWarning] : warnings,
    infos: [],
    partial: warnings.length > 0,
  });
}

/** JSON of lists for as long as sources keep them. */
const quoted = new WeakMap<readonly string[], string>();
const quotedLengthMax = 65_536;

function quoteTexts(texts: readonly string[]): string {
  const kept = quoted.get(texts);
  if (kept !== undefined) return kept;
  const json = quoteJson(texts);
  if (json.length <= quotedLengthMax) quoted.set(texts, json);
  return json;
}

interface Listing {
  readonly limit: number;
  readonly range: { readonly minTimeMs: number; readonly maxTimeMs: number };
  readonly matcherSets: readonly (readonly Matcher[])[];
  readonly settings: Pick<LabelsRequest, "withoutLabels" | "onFailure">;
}

function readListing(form: RequestForm, defaults: SourceDefaults): Result<Listing, ApiFailure> {
  const limit = parseLimit(form.first("limit"));
  if (!limit.ok) return fail(invalidParameter("limit", limit.failure));
  const range = readMetadataRange(form);
  if (!range.ok) return range;
  const matcherSets = readMatcherSets(form);
  if (!matcherSets.ok) return matcherSets;
  const settings = readSourceSettings(form, defaults, 0);
  if (!settings.ok) return settings;
  const { withoutLabels, onFailure } = settings.value;
  return ok({
    limit: limit.value,
    range: range.value,
    matcherSets: matcherSets.value,
    settings: { withoutLabels, onFailure },
  });
}

function* seriesText(series: readonly Labels[]): Generator<JsonPiece> {
  const writer = sampleTextWriter();
  writer.text("[");
  for (let i = 0; i < series.length; i++) {
    if (i > 0) writer.text(",");
    writer.labels(series[i] ?? emptyLabels);
    if (writer.isFull) yield* writer.take();
  }
  writer.text("]");
  yield* writer.take();
}
