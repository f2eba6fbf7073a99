/** Rules, targets, metadata and exemplars of all endpoints that tell of them, as one source. */
import {
  compileMatcher,
  fail,
  filterRuleGroups,
  formatMatcher,
  labelValue,
  ok,
  uniteActiveTargets,
  uniteDroppedTargets,
  uniteExemplars,
  uniteMetadata,
  uniteRuleGroups,
  type Labels,
  type Matcher,
  type MonitoringService,
  type MonitoringSource,
  type Result,
  type SourceFailure,
} from "@pleiad/model";
import type { Endpoint } from "./endpoint.ts";
import type { ByteBudget, MonitoringAnswer } from "./monitoring-client.ts";
import { anyOf, compileQuestion, type Question } from "./question.ts";
import type { MissingReport } from "./missing-report.ts";
import { concernedClusters, type ReplicaSet } from "./replica-set.ts";
import { anyTime } from "./store-identity.ts";
import { askAll, type AskedReplicas, type UnaryFanoutParts } from "./unary-fanout.ts";

export interface MonitoringFanoutParts extends UnaryFanoutParts {
  sets(): readonly ReplicaSet[];
  readonly responseBytesMax: number; // of one request, from all endpoints
  /** Told of every request: what it was about, and how it ended. */
  observe(service: MonitoringService, outcome: "whole" | "partial" | SourceFailure["kind"]): void;
}

export function monitoringFanout(parts: MonitoringFanoutParts): Required<MonitoringSource> {
  const { name: source } = parts;

  async function ask<Item>(
    service: MonitoringService,
    question: Question,
    onFailure: "warn" | "abort",
    call: (endpoint: Endpoint, budget: ByteBudget, signal: AbortSignal) => Promise<AnswerOf<Item>>,
    signal: AbortSignal,
  ): Promise<AnswerOf<Item>> {
    const budget: ByteBudget = { left: parts.responseBytesMax };
    const found = await askAll(
      {
        ...parts,
        assign: (sets, about, report) =>
          parts.assign(sets, about, report).flatMap((asked) => onlyServing(asked, service, about, report)),
      },
      {
        // Whoever has never told of rules lacks none, also while it is away.
        sets: parts.sets().filter(({ endpoints }) => endpoints.some((endpoint) => endpoint.mayServe(service))),
        question,
        onFailure,
        ask: async (endpoint, whole) => await call(endpoint, budget, whole),
      },
      signal,
    );
    if (!found.ok) {
      parts.observe(service, found.failure.kind);
      return found;
    }
    const { answers, warnings, isPartial } = found.value;
    parts.observe(service, isPartial ? "partial" : "whole");
    return ok({ items: answers.flatMap(({ items }) => items), warnings });
  }

  return {
    async rules(request, signal) {
      const whole = compileFilter(request.matcherSets, source);
      if (!whole.ok) return whole;
      const found = await ask(
        "rules",
        anything,
        request.onFailure,
        ({ client }, budget, callSignal) => client.monitoring.rules(request, budget, callSignal),
        signal,
      );
      if (!found.ok) return found;
      const groups = filterRuleGroups(found.value.items, request);
      if (!groups.ok) return fail(invalidMatcher(groups.failure, source));
      return ok({ groups: uniteRuleGroups(groups.value, request.withoutLabels), warnings: found.value.warnings });
    },
    async targets(request, signal) {
      const found = await ask(
        "targets",
        anything,
        request.onFailure,
        ({ client }, budget, callSignal) => client.monitoring.targets(request, budget, callSignal),
        signal,
      );
      if (!found.ok) return found;
      const { items, warnings } = found.value;
      const active = items.filter((item) => "scrapeUrl" in item);
      const dropped = items.filter((item) => !("scrapeUrl" in item));
      return ok({
        active: request.state === "dropped" ? [] : uniteActiveTargets(active, request.withoutLabels),
        dropped: request.state === "active" ? [] : uniteDroppedTargets(dropped, request.withoutLabels),
        warnings,
      });
    },
    async metadata(request, signal) {
      const found = await ask(
        "metadata",
        anything,
        request.onFailure,
        ({ client }, budget, callSignal) => client.monitoring.metadata(request, budget, callSignal),
        signal,
      );
      if (!found.ok) return found;
      const { items, warnings } = found.value;
      const wanted = request.metric === "" ? items : items.filter(({ metric }) => metric === request.metric);
      return ok({ metrics: uniteMetadata(wanted, request.limit), warnings });
    },
    async exemplars(request, signal) {
      const question = questionOf(request.selectors, request, source);
      if (!question.ok) return question;
      if (question.value === undefined) return ok({ series: [], warnings: [] });
      const found = await ask(
        "exemplars",
        question.value,
        request.onFailure,
        async (endpoint, budget, callSignal) => {
          const selectors = selectorsFor(request.selectors, endpoint.identity?.labelSets ?? []);
          if (selectors.length === 0) return ok({ items: [], warnings: [] });
          return await endpoint.client.monitoring.exemplars({ ...request, selectors }, budget, callSignal);
        },
        signal,
      );
      if (!found.ok) return found;
      return ok({
        series: uniteExemplars(found.value.items, request.withoutLabels),
        warnings: found.value.warnings,
      });
    },
  };
}

type AnswerOf<Item> = Result<MonitoringAnswer<Item>, SourceFailure>;

/** What every endpoint that tells of the matter is concerned with. */
const anything: Question = { ...anyTime, couldMatch: () => true };

/** Those of the replicas that tell of the matter. Where the only ones that do are away, they are missing. */
function onlyServing(
  asked: AskedReplicas,
  service: MonitoringService,
  question: Question,
  report: MissingReport,
): readonly AskedReplicas[] {
  const { set } = asked;
  const replicas = asked.replicas.filter(({ identity }) => identity?.serves?.includes(service) === true);
  if (replicas.length > 0) return [{ ...asked, replicas }];
  const away = set.endpoints.filter((endpoint) => !endpoint.healthy && endpoint.mayServe(service));
  if (away.length > 0) {
    const troubles = away.map((endpoint) => endpoint.trouble());
    report.missing({ ...set, clusters: concernedClusters(set, question), troubles });
  }
  return [];
}

/** Fails where an expression does not compile: no endpoint has to be asked to know that. */
function compileFilter(matcherSets: readonly (readonly Matcher[])[], source: string): Result<undefined, SourceFailure> {
  for (const matcher of matcherSets.flat()) {
    const test = compileMatcher(matcher);
    if (!test.ok) return fail(invalidMatcher(test.failure, source));
  }
  return ok(undefined);
}

function invalidMatcher(
  { matcher, reason }: { readonly matcher: Matcher; readonly reason: string },
  source: string,
): SourceFailure {
  return { kind: "invalid", source, reason: `${formatMatcher(matcher)}: ${reason}` };
}

function questionOf(
  selectors: readonly (readonly Matcher[])[],
  times: { readonly minTimeMs: number; readonly maxTimeMs: number },
  source: string,
): Result<Question | undefined, SourceFailure> {
  const questions: Question[] = [];
  for (const matchers of selectors) {
    const question = compileQuestion({ ...times, matchers }, source);
    if (!question.ok) return question;
    questions.push(question.value);
  }
  return ok(anyOf(questions));
}

const everySeries: Matcher = { type: "!=", name: "__name__", value: "" };

/**
 * The selectors as an endpoint is asked by them. Thanos's sidecars pass them to Prometheus, which knows nothing of its
 * external labels: where an endpoint has one set of these, its matchers are judged here. One that has several is asked as
 * it is: what one of its sets fulfils, another may not.
 */
function selectorsFor(
  selectors: readonly (readonly Matcher[])[],
  labelSets: readonly Labels[],
): readonly (readonly Matcher[])[] {
  const [labels, ...others] = labelSets;
  if (labels === undefined || others.length > 0) return selectors;
  return selectors.flatMap((matchers) => {
    const own: Matcher[] = [];
    for (const matcher of matchers) {
      const value = labelValue(labels, matcher.name);
      if (value === "") {
        own.push(matcher);
        continue;
      }
      const test = compileMatcher(matcher);
      if (!test.ok || !test.value(value)) return [];
    }
    // A selector that could match a series without any label is none to Prometheus.
    return [own.some(isSelective) ? own : [...own, everySeries]];
  });
}

/** Whether a matcher does not match the empty text. */
function isSelective(matcher: Matcher): boolean {
  const test = compileMatcher(matcher);
  return test.ok && !test.value("");
}
