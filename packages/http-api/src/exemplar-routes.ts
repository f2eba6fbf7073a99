/** `query_exemplars`: samples that stand for many, and what they were seen with. */
import {
  compareLabels,
  fail,
  formatFloat,
  formatSourceFailure,
  labelsKey,
  labelsToRecord,
  ok,
  type Labels,
  type Matcher,
  type Result,
  type SourceFailure,
} from "@pleiad/model";
import { childExpressions, parseExpression, type Expression } from "@pleiad/promql-syntax";
import { badData, wholeAnswer, type ApiAnswer, type ApiFailure } from "./envelope.ts";
import { timeMaxMs, timeMinMs } from "./parameter-text.ts";
import { readTime } from "./request-settings.ts";
import type { Route, RouteRequest } from "./router.ts";

/** Of one series, by time. */
export interface SeriesExemplars {
  readonly labels: Labels;
  readonly exemplars: readonly { readonly timestampMs: number; readonly value: number; readonly labels: Labels }[];
}

/** Whoever keeps exemplars: a head, say. */
export interface ExemplarSource {
  /** Of the series that fulfil all matchers, from `minTimeMs` to `maxTimeMs`. */
  exemplars(
    matchers: readonly Matcher[],
    minTimeMs: number,
    maxTimeMs: number,
  ): Result<readonly SeriesExemplars[], SourceFailure>;
}

/** Without a source the answer is empty. Grafana probes: any success tells it that it may ask. */
export function exemplarRoutes(source: ExemplarSource | undefined): readonly Route[] {
  return [
    {
      path: "/api/v1/query_exemplars",
      methods: ["GET", "POST"],
      handler: "exemplars",
      answer: { kind: "api", answer: async (request) => listExemplars(request, source) },
    },
  ];
}

function listExemplars({ form }: RouteRequest, source: ExemplarSource | undefined): Result<ApiAnswer, ApiFailure> {
  const start = readTime(form, "start", timeMinMs);
  if (!start.ok) return start;
  const end = readTime(form, "end", timeMaxMs);
  if (!end.ok) return end;
  if (end.value < start.value) return fail(badData("end timestamp must not be before start timestamp"));
  const query = parseExpression(form.first("query"));
  if (!query.ok) return fail(badData(query.failure.message));
  if (source === undefined) return ok(wholeAnswer([]));
  const found = new Map<string, SeriesExemplars>();
  for (const matchers of selectorsOf(query.value)) {
    const some = source.exemplars(matchers, start.value, end.value);
    if (!some.ok) return fail({ errorType: "execution", message: formatSourceFailure(some.failure) });
    for (const one of some.value) found.set(labelsKey(one.labels), one);
  }
  const series = [...found.values()].sort((a, b) => compareLabels(a.labels, b.labels));
  return ok(wholeAnswer(series.map(seriesJson)));
}

/** The matchers of every selector in an expression. */
function selectorsOf(root: Expression): readonly (readonly Matcher[])[] {
  const selectors: (readonly Matcher[])[] = [];
  // Level by level: a chain of operators is deeper than the stack.
  for (let level: readonly Expression[] = [root]; level.length > 0; level = level.flatMap(childExpressions)) {
    for (const expression of level) if (expression.kind === "vector-selector") selectors.push(expression.matchers);
  }
  return selectors;
}

function seriesJson({ labels, exemplars }: SeriesExemplars) {
  return {
    seriesLabels: labelsToRecord(labels),
    exemplars: exemplars.map((exemplar) => ({
      labels: labelsToRecord(exemplar.labels),
      value: formatFloat(exemplar.value),
      timestamp: exemplar.timestampMs / 1000,
    })),
  };
}
