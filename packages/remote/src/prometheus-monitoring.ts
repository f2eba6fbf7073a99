/**
 * What a Prometheus tells beside its series, over its HTTP API: rules, targets, metadata and exemplars. As in Thanos's
 * sidecar, its external labels are put on rules, on targets and on the series of exemplars: Prometheus itself leaves them
 * out.
 */
import {
  alertStates,
  fail,
  filterRuleGroups,
  formatMatcher,
  formatMatchers,
  ok,
  parseFloatText,
  parseInstant,
  targetHealths,
  uniteActiveTargets,
  uniteDroppedTargets,
  uniteExemplars,
  uniteMetadata,
  uniteRuleGroups,
  withLabels,
  zeroInstant,
  type ActiveTarget,
  type AlertInstance,
  type DroppedTarget,
  type ExemplarsRequest,
  type Instant,
  type Labels,
  type MetricMetadata,
  type MonitoringSource,
  type Result,
  type Rule,
  type RuleGroup,
  type SeriesExemplars,
  type SourceFailure,
} from "@pleiad/model";
import { anySeries, isSelective, ownMatchers } from "./own-matchers.ts";
import {
  askApi,
  labelsIn,
  numberIn,
  readAnswer,
  recordOf,
  recordsOf,
  refuse,
  secondsOf,
  textIn,
  wordIn,
  type JsonRecord,
} from "./prometheus-answer.ts";
import type { PrometheusClient } from "./prometheus-client.ts";

export interface PrometheusMonitoringOptions {
  /** As they are now. */
  readonly externalLabels: () => Labels;
  readonly answerBytesMax: number;
}

export function createPrometheusMonitoring(
  client: PrometheusClient,
  { externalLabels, answerBytesMax }: PrometheusMonitoringOptions,
): Required<MonitoringSource> {
  const { name: source } = client;
  const warnings: readonly string[] = [];

  /** Asks, and reads the answer. A path may have a query. */
  async function ask<T>(
    path: string,
    form: URLSearchParams | undefined,
    signal: AbortSignal,
    read: (data: unknown) => T,
  ): Promise<Result<T, SourceFailure>> {
    const data = await askApi(client, path, form, answerBytesMax, signal);
    return data.ok ? readAnswer(source, path, () => read(data.value)) : data;
  }

  return {
    async rules(request, signal) {
      const type = request.type === "all" ? "" : `?type=${request.type}`;
      const found = await ask(`/api/v1/rules${type}`, undefined, signal, (data) =>
        recordsOf(recordOf(data, "data")["groups"], "groups").map((group) => readGroup(group, externalLabels())),
      );
      if (!found.ok) return found;
      const groups = filterRuleGroups(found.value, request);
      if (!groups.ok) {
        const { matcher, reason } = groups.failure;
        return fail({ kind: "invalid", source, reason: `${formatMatcher(matcher)}: ${reason}` });
      }
      return ok({ groups: uniteRuleGroups(groups.value, request.withoutLabels), warnings });
    },
    async targets({ state, withoutLabels }, signal) {
      const found = await ask(`/api/v1/targets?state=${state}`, undefined, signal, (value) => {
        const data = recordOf(value, "data");
        const external = externalLabels();
        return {
          active: recordsOf(data["activeTargets"], "activeTargets").map((target) => readActive(target, external)),
          dropped: recordsOf(data["droppedTargets"], "droppedTargets").map((target) => readDropped(target, external)),
        };
      });
      if (!found.ok) return found;
      const { active, dropped } = found.value;
      return ok({
        active: state === "dropped" ? [] : uniteActiveTargets(active, withoutLabels),
        dropped: state === "active" ? [] : uniteDroppedTargets(dropped, withoutLabels),
        warnings,
      });
    },
    async metadata({ metric, limit }, signal) {
      // Of a limit Prometheus gives any metrics that are so many: others here and there, where the first of all are wanted.
      const query = metric === "" ? "" : `?${new URLSearchParams({ metric }).toString()}`;
      const found = await ask(`/api/v1/metadata${query}`, undefined, signal, (data) =>
        Object.entries(recordOf(data, "data")).map(([name, metas]) => readMetadata(name, metas)),
      );
      return found.ok ? ok({ metrics: uniteMetadata(found.value, limit), warnings }) : found;
    },
    async exemplars(request, signal) {
      const query = ownQuery(request, externalLabels(), source);
      if (!query.ok) return query;
      if (query.value === "") return ok({ series: [], warnings });
      const times = { start: secondsOf(request.minTimeMs), end: secondsOf(request.maxTimeMs) };
      const form = new URLSearchParams({ query: query.value, ...times });
      const found = await ask("/api/v1/query_exemplars", form, signal, (data) =>
        recordsOf(data, "data").map((series) => readSeries(series, externalLabels())),
      );
      return found.ok ? ok({ series: uniteExemplars(found.value, request.withoutLabels), warnings }) : found;
    },
  };
}

/** The selectors that Prometheus is asked by, as one expression; "" where the external labels exclude all of them. */
function ownQuery({ selectors }: ExemplarsRequest, external: Labels, source: string): Result<string, SourceFailure> {
  const texts: string[] = [];
  for (const matchers of selectors) {
    const own = ownMatchers(matchers, external, source);
    if (!own.ok) return own;
    if (own.value !== undefined)
      texts.push(formatMatchers(isSelective(own.value) ? own.value : [...own.value, anySeries]));
  }
  return ok(texts.join(" + "));
}

function readGroup(group: JsonRecord, external: Labels): RuleGroup {
  return {
    name: textIn(group, "name"),
    file: textIn(group, "file"),
    rules: recordsOf(group["rules"], "rules").map((rule) => readRule(rule, external)),
    intervalSeconds: numberIn(group, "interval"),
    limit: numberIn(group, "limit"),
    evaluationSeconds: numberIn(group, "evaluationTime"),
    lastEvaluation: instantIn(group, "lastEvaluation") ?? zeroInstant,
    onFailure: "warn",
  };
}

function readRule(rule: JsonRecord, external: Labels): Rule {
  const told = {
    name: textIn(rule, "name"),
    query: textIn(rule, "query"),
    labels: withLabels(labelsIn(rule, "labels"), external),
    health: textIn(rule, "health"),
    lastError: textIn(rule, "lastError"),
    evaluationSeconds: numberIn(rule, "evaluationTime"),
    lastEvaluation: instantIn(rule, "lastEvaluation") ?? zeroInstant,
  };
  if (wordIn(rule, "type", ["alerting", "recording"]) === "recording") return { kind: "recording", ...told };
  return {
    kind: "alerting",
    ...told,
    state: wordIn(rule, "state", alertStates),
    durationSeconds: numberIn(rule, "duration"),
    keepFiringForSeconds: numberIn(rule, "keepFiringFor"),
    annotations: labelsIn(rule, "annotations"),
    alerts: recordsOf(rule["alerts"], "alerts").map(readAlert),
  };
}

function readAlert(alert: JsonRecord): AlertInstance {
  return {
    labels: labelsIn(alert, "labels"),
    annotations: labelsIn(alert, "annotations"),
    state: wordIn(alert, "state", alertStates),
    activeAt: instantIn(alert, "activeAt"),
    keepFiringSince: instantIn(alert, "keepFiringSince"),
    value: textIn(alert, "value"),
    onFailure: "warn",
  };
}

function readActive(target: JsonRecord, external: Labels): ActiveTarget {
  return {
    discoveredLabels: withLabels(labelsIn(target, "discoveredLabels"), external),
    labels: withLabels(labelsIn(target, "labels"), external),
    scrapePool: textIn(target, "scrapePool"),
    scrapeUrl: textIn(target, "scrapeUrl"),
    globalUrl: textIn(target, "globalUrl"),
    lastError: textIn(target, "lastError"),
    lastScrape: instantIn(target, "lastScrape") ?? zeroInstant,
    lastScrapeSeconds: numberIn(target, "lastScrapeDuration"),
    health: wordIn(target, "health", targetHealths),
  };
}

function readDropped(target: JsonRecord, external: Labels): DroppedTarget {
  return { discoveredLabels: withLabels(labelsIn(target, "discoveredLabels"), external) };
}

function readMetadata(metric: string, metas: unknown): MetricMetadata {
  return {
    metric,
    metas: recordsOf(metas, metric).map((meta) => ({
      type: textIn(meta, "type"),
      help: textIn(meta, "help"),
      unit: textIn(meta, "unit"),
    })),
  };
}

function readSeries(series: JsonRecord, external: Labels): SeriesExemplars {
  return {
    labels: withLabels(labelsIn(series, "seriesLabels"), external),
    exemplars: recordsOf(series["exemplars"], "exemplars").map((exemplar) => ({
      timestampMs: Math.round(numberIn(exemplar, "timestamp") * 1000),
      value: parseFloatText(textIn(exemplar, "value")) ?? refuse("value is no number"),
      labels: labelsIn(exemplar, "labels"),
    })),
  };
}

function instantIn(record: JsonRecord, name: string): Instant | undefined {
  const text = textIn(record, name);
  return text === "" ? undefined : (parseInstant(text) ?? refuse(`${name} is no time`));
}
