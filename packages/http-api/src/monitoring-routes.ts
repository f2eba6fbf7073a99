/** `rules`, `alerts`, `targets` and `metadata`: what is known beside the series. Without a source, the answers are empty. */
import {
  everyRule,
  fail,
  labelPairs,
  labelsFromPairs,
  ok,
  type AlertInstance,
  type Matcher,
  type MonitoringSource,
  type Result,
  type Rule,
  type RuleFilter,
  type SourceFailure,
  type TargetsRequest,
  withLabels,
} from "@pleiad/model";
import { withDeadline } from "@pleiad/ports";
import { parseSelector, selectsEverything } from "@pleiad/promql-syntax";
import { badData, invalidParameter, wholeAnswer, type ApiAnswer, type ApiFailure } from "./envelope.ts";
import { alertJson, groupJson, metadataJson, poolOf, targetsJson } from "./monitoring-json.ts";
import type { RequestForm } from "./request-form.ts";
import { matcherSetsMax, readSourceSettings, type SourceDefaults } from "./request-settings.ts";
import type { Route, RouteRequest, RouterPorts } from "./router.ts";
import { readRulePage, rulePageOf } from "./rule-pages.ts";
import { failureOfSource } from "./source-failure.ts";

export interface MonitoringRoutesOptions {
  readonly monitoring: MonitoringSource;
  readonly defaults: SourceDefaults;
  readonly timeoutMs: number; // of a whole request
}

export function monitoringRoutes(
  { monitoring, defaults, timeoutMs }: MonitoringRoutesOptions,
  { clock }: Pick<RouterPorts, "clock">,
): readonly Route[] {
  const route = (name: string, answer: (request: Asked) => Promise<Result<ApiAnswer, ApiFailure>>): Route => ({
    path: `/api/v1/${name}`,
    methods: ["GET"],
    handler: name,
    answer: {
      kind: "api",
      answer: async ({ form, signal }: RouteRequest) => {
        const settings = readMonitoringSettings(form, defaults);
        if (!settings.ok) return settings;
        return await withDeadline(clock, timeoutMs, signal, async (deadline) =>
          answer({ form, settings: settings.value, monitoring, signal: deadline }),
        );
      },
    },
  });
  return [
    route("rules", listRules),
    route("alerts", listAlerts),
    route("targets", listTargets),
    route("metadata", listMetadata),
  ];
}

/** `dedup`, `replicaLabels[]` and `partial_response`, as for queries. */
export function readMonitoringSettings(
  form: RequestForm,
  defaults: SourceDefaults,
): Result<MonitoringSettings, ApiFailure> {
  // Thanos passes over it here. But a filter that is not heeded answers more than was asked.
  if (form.all("storeMatch[]").length > 0)
    return fail(badData(`parameter "storeMatch[]" is for queries and series only`));
  const settings = readSourceSettings(form, defaults, 0);
  if (!settings.ok) return settings;
  const { withoutLabels, onFailure } = settings.value;
  return ok({ withoutLabels, onFailure });
}

type MonitoringSettings = Pick<TargetsRequest, "withoutLabels" | "onFailure">;

interface Asked {
  readonly form: RequestForm;
  readonly settings: MonitoringSettings;
  readonly monitoring: MonitoringSource;
  readonly signal: AbortSignal;
}

async function listRules({ form, settings, monitoring, signal }: Asked): Promise<Result<ApiAnswer, ApiFailure>> {
  const filter = readRuleFilter(form);
  if (!filter.ok) return filter;
  const wanted = readRulePage(form);
  if (!wanted.ok) return wanted;
  if (monitoring.rules === undefined) return ok(wholeAnswer({ groups: [] }));
  const found = await monitoring.rules({ ...filter.value, ...settings }, signal);
  if (!found.ok) return answerOf(found, signal, () => undefined);
  const page = rulePageOf(found.value.groups, wanted.value);
  if (!page.ok) return page;
  const { groups, nextToken } = page.value;
  const token = nextToken === undefined ? {} : { groupNextToken: nextToken };
  return answerOf(found, signal, () => ({ groups: groups.map(groupJson), ...token }));
}

/** Those that are pending or fire. Each tells what its rule adds for all of them, such as the cluster that it is of. */
async function listAlerts({ settings, monitoring, signal }: Asked): Promise<Result<ApiAnswer, ApiFailure>> {
  if (monitoring.rules === undefined) return ok(wholeAnswer({ alerts: [] }));
  const found = await monitoring.rules({ ...everyRule, type: "alert", ...settings }, signal);
  return answerOf(found, signal, ({ groups }) => ({
    alerts: groups.flatMap(({ rules }) => rules.flatMap(alertsOf)).map(alertJson),
  }));
}

async function listTargets({ form, settings, monitoring, signal }: Asked): Promise<Result<ApiAnswer, ApiFailure>> {
  const state = form.first("state").toLowerCase();
  const pool = form.first("scrapePool");
  const wanted = state === "" ? "any" : state;
  // As in Prometheus, another state is one that no target has.
  if (monitoring.targets === undefined || !isTargetState(wanted)) return ok(wholeAnswer(targetsJson([], [])));
  const found = await monitoring.targets({ state: wanted, ...settings }, signal);
  return answerOf(found, signal, ({ active, dropped }) =>
    targetsJson(
      active.filter(({ scrapePool }) => pool === "" || scrapePool === pool),
      dropped.filter((target) => pool === "" || poolOf(target) === pool),
    ),
  );
}

async function listMetadata({ form, settings, monitoring, signal }: Asked): Promise<Result<ApiAnswer, ApiFailure>> {
  const limit = readCount(form, "limit");
  if (!limit.ok) return limit;
  const limitPerMetric = readCount(form, "limit_per_metric");
  if (!limitPerMetric.ok) return limitPerMetric;
  if (monitoring.metadata === undefined) return ok(wholeAnswer({}));
  const { onFailure } = settings;
  const found = await monitoring.metadata({ metric: form.first("metric"), limit: limit.value, onFailure }, signal);
  return answerOf(found, signal, ({ metrics }) => metadataJson(metrics, limitPerMetric.value));
}

function answerOf<Answer extends { readonly warnings: readonly string[] }>(
  found: Result<Answer, SourceFailure>,
  signal: AbortSignal,
  dataOf: (answer: Answer) => unknown,
): Result<ApiAnswer, ApiFailure> {
  if (!found.ok) return fail(failureOfSource(found.failure, signal));
  const { warnings } = found.value;
  return ok({ ...wholeAnswer(dataOf(found.value)), warnings, partial: warnings.length > 0 });
}

function readRuleFilter(form: RequestForm): Result<RuleFilter, ApiFailure> {
  const type = form.first("type").toLowerCase();
  if (type !== "" && type !== "alert" && type !== "record") {
    return fail(invalidParameter("type", `not supported value ${JSON.stringify(type)}`));
  }
  const matcherSets = readRuleMatchers(form.all("match[]"));
  if (!matcherSets.ok) return matcherSets;
  return ok({
    type: type === "" ? "all" : type,
    matcherSets: matcherSets.value,
    ruleNames: form.all("rule_name[]"),
    groupNames: form.all("rule_group[]"),
    files: form.all("file[]"),
  });
}

/** The same as for series, but that Prometheus does not name the parameter. */
function readRuleMatchers(texts: readonly string[]): Result<readonly (readonly Matcher[])[], ApiFailure> {
  if (texts.length > matcherSetsMax)
    return fail(badData(`${texts.length} selectors, at most ${matcherSetsMax} are read`));
  const sets: (readonly Matcher[])[] = [];
  for (const text of texts) {
    const matchers = parseSelector(text);
    if (!matchers.ok) return fail(badData(matchers.failure.message));
    if (selectsEverything(matchers.value)) {
      return fail(badData("match[] must contain at least one non-empty matcher"));
    }
    sets.push(matchers.value);
  }
  return ok(sets);
}

/** A whole number; -1 where there is none, as for any that is negative. */
export function readCount(form: RequestForm, name: string): Result<number, ApiFailure> {
  const text = form.first(name);
  if (text === "") return ok(-1);
  const count = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(count)) return fail(badData(`${name} must be a number`));
  return ok(Math.max(-1, Math.min(count, countMax)));
}

/** What has a place on the wire. */
const countMax = 2 ** 31 - 1;

function isTargetState(state: string): state is TargetsRequest["state"] {
  return state === "any" || state === "active" || state === "dropped";
}

function alertsOf(rule: Rule): readonly AlertInstance[] {
  if (rule.kind !== "alerting") return [];
  const plain = labelsFromPairs([...labelPairs(rule.labels)].filter(([, value]) => !value.includes("{{")));
  return rule.alerts.map((alert) => ({ ...alert, labels: withLabels(plain, alert.labels) }));
}
