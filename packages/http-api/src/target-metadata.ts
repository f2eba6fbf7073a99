/**
 * `targets/metadata`: which target tells what of which metric. What is known of targets and what of metrics comes apart, so
 * the two are put together by the series: a target tells of a metric where it has series of it now.
 */
import {
  emptyLabels,
  fail,
  labelPairs,
  labelsToRecord,
  labelValue,
  ok,
  compileMatchers,
  formatMatcher,
  plainSelect,
  type ActiveTarget,
  type Labels,
  type Matcher,
  type MetricMetadata,
  type MonitoringSource,
  type Result,
  type SeriesSource,
} from "@pleiad/model";
import { withDeadline } from "@pleiad/ports";
import { parseSelector } from "@pleiad/promql-syntax";
import { invalidParameter, wholeAnswer, type ApiAnswer, type ApiFailure } from "./envelope.ts";
import { readCount, readMonitoringSettings } from "./monitoring-routes.ts";
import type { RequestForm } from "./request-form.ts";
import type { SourceDefaults } from "./request-settings.ts";
import type { Route, RouterPorts } from "./router.ts";
import { failureOfSource } from "./source-failure.ts";

export interface TargetMetadataOptions {
  readonly monitoring: MonitoringSource;
  readonly source: SeriesSource;
  readonly defaults: SourceDefaults;
  readonly timeoutMs: number; // of a whole request
  readonly seriesMax: number; // looked at by one request
}

/** Series with a sample since then are those that a target has now. */
const recentMs = 10 * 60_000;

/** More values than this of one label are not asked for by name. */
const namedValuesMax = 100;

export function targetMetadataRoutes(options: TargetMetadataOptions, { clock }: RouterPorts): readonly Route[] {
  const { timeoutMs } = options;
  return [
    {
      path: "/api/v1/targets/metadata",
      methods: ["GET"],
      handler: "targets_metadata",
      answer: {
        kind: "api",
        answer: async ({ form, signal }) =>
          await withDeadline(clock, timeoutMs, signal, async (deadline) =>
            listTargetMetadata(form, options, clock.wallMs(), deadline),
          ),
      },
    },
  ];
}

async function listTargetMetadata(
  form: RequestForm,
  { monitoring, source, defaults, seriesMax }: TargetMetadataOptions,
  nowMs: number,
  signal: AbortSignal,
): Promise<Result<ApiAnswer, ApiFailure>> {
  const limit = readCount(form, "limit");
  if (!limit.ok) return limit;
  const isWanted = readMatchTarget(form);
  if (!isWanted.ok) return isWanted;
  const settings = readMonitoringSettings(form, defaults);
  if (!settings.ok) return settings;
  if (monitoring.targets === undefined || monitoring.metadata === undefined) return ok(wholeAnswer([]));

  const { withoutLabels, onFailure } = settings.value;
  const metric = form.first("metric");
  const [targets, metadata] = await Promise.all([
    monitoring.targets({ state: "active", withoutLabels, onFailure }, signal),
    monitoring.metadata({ metric, limit: -1, onFailure }, signal),
  ]);
  if (!targets.ok) return fail(failureOfSource(targets.failure, signal));
  if (!metadata.ok) return fail(failureOfSource(metadata.failure, signal));
  const wanted = targets.value.active.filter(({ labels }) => isWanted.value(labels));
  const { metrics } = metadata.value;
  const warnings = new Set([...targets.value.warnings, ...metadata.value.warnings]);
  const answerWith = (entries: readonly unknown[], infos: readonly string[]) =>
    ok({ ...wholeAnswer(entries), warnings: [...warnings], infos, partial: warnings.size > 0 });
  if (wanted.length === 0 || metrics.length === 0 || limit.value === 0) return answerWith([], []);

  const told = createFamilyFinder(wanted, metrics);
  const matchers = [...(metric === "" ? [] : [nameMatcher(metric)]), ...matchersOf(wanted)];
  const span = { minTimeMs: nowMs - recentMs, maxTimeMs: nowMs };
  const request = { ...plainSelect, ...span, matchers, withoutLabels, onFailure, skipChunks: true };
  const cursor = source.select({ ...request, hints: { function: "series" } }, signal);
  let seen = 0;
  for (let batch = await cursor.next(); batch !== undefined; batch = await cursor.next()) {
    for (const { labels } of batch) told.add(labels);
    seen += batch.length;
    if (seen <= seriesMax) continue;
    cursor.close();
    const message = `more than ${seriesMax} series to look at: set metric, or narrow match_target`;
    return fail({ errorType: "execution", message });
  }
  const { failure } = cursor;
  cursor.close();
  if (failure !== undefined) return fail(failureOfSource(failure, signal));
  for (const warning of cursor.warnings) warnings.add(warning);

  const entries: unknown[] = [];
  const unclear = new Set<string>();
  for (const target of wanted) {
    // As in Prometheus, what one target tells is not cut.
    if (limit.value > 0 && entries.length >= limit.value) break;
    const families = told.familiesOf(target);
    if (families.size === 0) continue;
    const labels = labelsToRecord(target.labels);
    for (const family of metrics) {
      if (!families.has(family)) continue;
      const named = metric === "" ? { metric: family.metric } : {};
      if (family.metas.length > 1) unclear.add(family.metric);
      for (const { type, help, unit } of family.metas) entries.push({ target: labels, ...named, type, help, unit });
    }
  }
  return answerWith(entries, unclearInfos([...unclear]));
}

/** Whether a target is asked for. One selector as for series, but that it may take everything. */
function readMatchTarget(form: RequestForm): Result<(labels: Labels) => boolean, ApiFailure> {
  const text = form.first("match_target");
  if (text === "") return ok(() => true);
  const matchers = parseSelector(text);
  if (!matchers.ok) return fail(invalidParameter("match_target", matchers.failure.message));
  const test = compileMatchers(matchers.value);
  if (test.ok) return test;
  const { matcher, reason } = test.failure;
  return fail(invalidParameter("match_target", `${formatMatcher(matcher)}: ${reason}`));
}

/** What the name of a series of a family ends with, in the formats of Prometheus and of OpenMetrics. */
const familySuffix = /_(?:bucket|sum|count|total|created|info|gsum|gcount)$/;

function nameMatcher(family: string): Matcher {
  const suffixes = familySuffix.source.replace(/\$$/, "");
  return { type: "=~", name: "__name__", value: `${escapeRegex(family)}(?:${suffixes})?` };
}

/** Labels that all targets have, with their values: other series are of none of them. */
function matchersOf(targets: readonly ActiveTarget[]): readonly Matcher[] {
  const names = [...labelPairs(targets[0]?.labels ?? emptyLabels)].map(([name]) => name);
  return names.flatMap((name): readonly Matcher[] => {
    const values = new Set(targets.map(({ labels }) => labelValue(labels, name)));
    if (values.has("") || values.size > namedValuesMax) return [];
    const [only = ""] = values;
    if (values.size === 1) return [{ type: "=", name, value: only }];
    return [{ type: "=~", name, value: [...values].map(escapeRegex).join("|") }];
  });
}

interface FamilyFinder {
  /** Takes note of a series: whose it is, and of which family. */
  add(series: Labels): void;
  familiesOf(target: ActiveTarget): ReadonlySet<MetricMetadata>;
}

function createFamilyFinder(targets: readonly ActiveTarget[], metrics: readonly MetricMetadata[]): FamilyFinder {
  const familyByName = new Map(metrics.map((family) => [family.metric, family]));
  const familiesByTarget = new Map<string, Set<MetricMetadata>>();
  const keyOf = (names: readonly string[], labels: Labels) =>
    JSON.stringify(names.map((name) => [name, labelValue(labels, name)]));
  const namesOf = ({ labels }: ActiveTarget) => [...labelPairs(labels)].map(([name]) => name);
  const nameSets = new Map<string, readonly string[]>();
  for (const target of targets) {
    const names = namesOf(target);
    nameSets.set(names.join("\0"), names);
    familiesByTarget.set(keyOf(names, target.labels), new Set());
  }
  // Where the labels of one target are among those of another, a series is of the one with more.
  const fromMost = [...nameSets.values()].sort((a, b) => b.length - a.length);
  return {
    add(series) {
      const name = labelValue(series, "__name__");
      const family = familyByName.get(name) ?? familyByName.get(name.replace(familySuffix, ""));
      if (family === undefined) return;
      for (const names of fromMost) {
        const families = familiesByTarget.get(keyOf(names, series));
        if (families === undefined) continue;
        families.add(family);
        return;
      }
    },
    familiesOf: (target) => familiesByTarget.get(keyOf(namesOf(target), target.labels)) ?? new Set(),
  };
}

function unclearInfos(metrics: readonly string[]): readonly string[] {
  if (metrics.length === 0) return [];
  const first = metrics.slice(0, 3).map((metric) => JSON.stringify(metric));
  const more = metrics.length > first.length ? ` and ${metrics.length - first.length} more` : "";
  return [
    `targets say different things of ${first.join(", ")}${more}; which says what is not known, so each stands for all`,
  ];
}

function escapeRegex(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
