/** Rules as a Prometheus or a ruler tells of them, and how those of many become one list: the order is Thanos's. */
import { compareInstants, type Instant } from "./instant.ts";
import { compareLabels, labelsFromPairs, labelPairs, withoutLabels, type Labels } from "./labels.ts";
import { compileMatchers, type Matcher, type MatcherFailure } from "./matchers.ts";
import { ok, type Result } from "./failures.ts";
import { compareText } from "./text-order.ts";

/** From harmless to harmful. `unknown`: not evaluated yet. */
export const alertStates = ["unknown", "inactive", "pending", "firing"] as const;
export type AlertState = (typeof alertStates)[number];

export interface AlertInstance {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly state: AlertState;
  readonly activeAt: Instant | undefined;
  readonly keepFiringSince: Instant | undefined;
  readonly value: string; // a float as Go's `%e` prints it
  readonly onFailure: "warn" | "abort"; // of the rule that made it; Thanos's rulers have both
}

interface RuleFields {
  readonly name: string;
  readonly query: string;
  readonly labels: Labels; // as in the rule file, external labels besides; values may be templates
  readonly health: string; // `ok`, `err`, `unknown`
  readonly lastError: string; // "" = none
  readonly evaluationSeconds: number;
  readonly lastEvaluation: Instant;
}

export interface RecordingRule extends RuleFields {
  readonly kind: "recording";
}

export interface AlertingRule extends RuleFields {
  readonly kind: "alerting";
  readonly state: AlertState; // the most harmful of its instances
  readonly durationSeconds: number; // `for`
  readonly keepFiringForSeconds: number;
  readonly annotations: Labels;
  readonly alerts: readonly AlertInstance[];
}

export type Rule = RecordingRule | AlertingRule;

export interface RuleGroup {
  readonly name: string;
  readonly file: string;
  readonly rules: readonly Rule[];
  readonly intervalSeconds: number;
  readonly limit: number;
  readonly evaluationSeconds: number;
  readonly lastEvaluation: Instant;
  readonly onFailure: "warn" | "abort";
}

/** Which rules are wanted. Several names, groups or files are alternatives, as are sets of matchers; none means all. */
export interface RuleFilter {
  readonly type: "all" | "alert" | "record";
  readonly matcherSets: readonly (readonly Matcher[])[]; // on the labels of rules that are no templates
  readonly ruleNames: readonly string[];
  readonly groupNames: readonly string[];
  readonly files: readonly string[];
}

export const everyRule: RuleFilter = { type: "all", matcherSets: [], ruleNames: [], groupNames: [], files: [] };

/**
 * Groups of one file and name are one, in the order of both; what is told of the group as a whole is the first one's. Of
 * rules that are equal once the labels are taken away, the most harmful alert stays, and among those the last evaluated.
 */
export function uniteRuleGroups(groups: readonly RuleGroup[], removed: readonly string[]): readonly RuleGroup[] {
  const names = new Set(removed);
  const united = new Map<string, { readonly group: RuleGroup; readonly rules: Rule[] }>();
  for (const group of groups) {
    const key = JSON.stringify([group.file, group.name]);
    const rules = group.rules.map((rule) => ({ ...rule, labels: withoutLabels(rule.labels, names) }));
    const known = united.get(key);
    if (known === undefined) united.set(key, { group, rules });
    else for (const rule of rules) known.rules.push(rule);
  }
  return [...united.values()]
    .map(({ group, rules }) => ({ ...group, rules: uniteRules(rules) }))
    .sort((a, b) => compareText(`${a.file};${a.name}`, `${b.file};${b.name}`));
}

/** Fails where an expression does not compile. Groups stay, but for those of which a filter by rule leaves nothing. */
export function filterRuleGroups(
  groups: readonly RuleGroup[],
  filter: RuleFilter,
): Result<readonly RuleGroup[], MatcherFailure> {
  const tests: ((labels: Labels) => boolean)[] = [];
  for (const matchers of filter.matcherSets) {
    const test = compileMatchers(matchers);
    if (!test.ok) return test;
    tests.push(test.value);
  }
  const [ruleNames, groupNames, files] = [filter.ruleNames, filter.groupNames, filter.files].map(wantedTexts);
  const kind = { all: undefined, alert: "alerting", record: "recording" }[filter.type];
  const isWanted = (rule: Rule) =>
    (kind === undefined || rule.kind === kind) &&
    ruleNames?.(rule.name) !== false &&
    (tests.length === 0 || tests.some((test) => test(plainLabels(rule.labels))));
  const filtersRules = tests.length > 0 || filter.ruleNames.length > 0;
  return ok(
    groups
      .filter(({ name, file }) => groupNames?.(name) !== false && files?.(file) !== false)
      .map((group) => ({ ...group, rules: group.rules.filter(isWanted) }))
      .filter(({ rules }) => !filtersRules || rules.length > 0),
  );
}

function wantedTexts(texts: readonly string[]): (text: string) => boolean {
  const wanted = new Set(texts);
  return (text) => wanted.size === 0 || wanted.has(text);
}

/** Without those of which the value is known only once the rule is evaluated. */
function plainLabels(labels: Labels): Labels {
  return labelsFromPairs([...labelPairs(labels)].filter(([, value]) => !value.includes("{{")));
}

function uniteRules(rules: Rule[]): readonly Rule[] {
  rules.sort(compareRules);
  const kept: Rule[] = [];
  for (const rule of rules) {
    const last = kept.at(-1);
    if (last === undefined || compareRules(last, rule) !== 0) kept.push(rule);
    else if (isTelling(rule, last)) kept[kept.length - 1] = rule;
  }
  return kept;
}

/** Alerts first, then by name, labels, query and, for alerts, how long they wait. */
function compareRules(a: Rule, b: Rule): number {
  if (a.kind !== b.kind) return a.kind === "alerting" ? -1 : 1;
  const order = compareText(a.name, b.name) || compareLabels(a.labels, b.labels) || compareText(a.query, b.query);
  if (order !== 0 || a.kind !== "alerting" || b.kind !== "alerting") return order;
  return a.durationSeconds - b.durationSeconds;
}

/** Whether a rule tells more than another one that is the same. */
function isTelling(rule: Rule, other: Rule): boolean {
  if (rule.kind === "alerting" && other.kind === "alerting" && rule.state !== other.state) {
    return alertStates.indexOf(rule.state) > alertStates.indexOf(other.state);
  }
  return compareInstants(rule.lastEvaluation, other.lastEvaluation) > 0;
}
