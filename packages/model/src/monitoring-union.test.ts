/** How rules, targets, metadata and exemplars of several sources become one answer. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { uniteExemplars, type SeriesExemplars } from "./exemplars.ts";
import { zeroInstant } from "./instant.ts";
import { emptyLabels, formatLabels, labelsFromRecord } from "./labels.ts";
import { uniteMetadata } from "./metric-metadata.ts";
import {
  alertStates,
  everyRule,
  filterRuleGroups,
  uniteRuleGroups,
  type AlertState,
  type Rule,
  type RuleFilter,
  type RuleGroup,
} from "./rules.ts";
import { uniteActiveTargets, uniteDroppedTargets, type ActiveTarget } from "./scrape-targets.ts";

const told = { query: "up", health: "ok", lastError: "", evaluationSeconds: 0 };
const at = (seconds: number) => ({ seconds, nanos: 0 });

const recording = (name: string, labels: Record<string, string> = {}, seconds = 0): Rule => ({
  ...told,
  kind: "recording",
  name,
  labels: labelsFromRecord(labels),
  lastEvaluation: at(seconds),
});
const alerting = (name: string, state: AlertState, labels: Record<string, string> = {}, seconds = 0): Rule => ({
  ...recording(name, labels, seconds),
  kind: "alerting",
  state,
  durationSeconds: 60,
  keepFiringForSeconds: 0,
  annotations: emptyLabels,
  alerts: [],
});
const group = (file: string, name: string, ...rules: readonly Rule[]): RuleGroup => ({
  ...{ name, file, rules, intervalSeconds: 30, limit: 0, evaluationSeconds: 0 },
  ...{ lastEvaluation: zeroInstant, onFailure: "warn" },
});
const describeRule = (rule: Rule) =>
  `${rule.kind === "alerting" ? rule.state : "record"} ${rule.name}${formatLabels(rule.labels)} @${rule.lastEvaluation.seconds}`;
const describeGroups = (groups: readonly RuleGroup[]) =>
  groups.map(({ file, name, rules }) => `${file};${name}: ${rules.map(describeRule).join(", ")}`);

describe("rule groups are united", () => {
  for (const [rule, groups, united] of [
    [
      "by file and name, in the order of both",
      [group("b", "g"), group("a", "z"), group("a", "g", recording("x")), group("b", "g", recording("y"))],
      ["a;g: record x{} @0", "a;z: ", "b;g: record y{} @0"],
    ],
    [
      "alerts before records, each by name and labels",
      [group("a", "g", recording("a"), alerting("z", "firing"), alerting("b", "inactive", { cluster: "2" }))],
      ['a;g: inactive b{cluster="2"} @0, firing z{} @0, record a{} @0'],
    ],
    [
      "of replicas, an alert that fires before one that does not, whoever evaluated last",
      [
        group("a", "g", alerting("x", "firing", { replica: "0" }, 10)),
        group("a", "g", alerting("x", "pending", { replica: "1" }, 20)),
      ],
      ["a;g: firing x{} @10"],
    ],
    [
      "of replicas that agree, the one that evaluated last",
      [
        group("a", "g", recording("x", { replica: "0" }, 10), alerting("y", "pending", { replica: "0" }, 10)),
        group("a", "g", recording("x", { replica: "1" }, 20), alerting("y", "pending", { replica: "1" }, 5)),
      ],
      ["a;g: pending y{} @10, record x{} @20"],
    ],
    [
      "but not over clusters",
      [group("a", "g", recording("x", { cluster: "1" })), group("a", "g", recording("x", { cluster: "2" }))],
      ['a;g: record x{cluster="1"} @0, record x{cluster="2"} @0'],
    ],
    [
      "and rules that differ in their query stay two",
      [group("a", "g", recording("x")), group("a", "g", { ...recording("x"), query: "down" })],
      ["a;g: record x{} @0, record x{} @0"],
    ],
  ] as const) {
    it(rule, () => expect(describeGroups(uniteRuleGroups(groups, ["replica"]))).toEqual(united));
  }

  it("to the same, in whatever order and grouping they come", () => {
    const rules = fc.array(
      fc
        .tuple(
          fc.constantFrom("a", "b"),
          fc.constantFrom(...alertStates),
          fc.constantFrom("0", "1"),
          fc.nat(3),
          fc.boolean(),
        )
        .map(([name, state, replica, seconds, isAlert]) =>
          isAlert ? alerting(name, state, { replica }, seconds) : recording(name, { replica }, seconds),
        ),
      { maxLength: 8 },
    );
    const groups = fc.array(fc.tuple(rules, fc.constantFrom("f", "g")), { maxLength: 4 });
    fc.assert(
      fc.property(groups, (all) => {
        const parts = all.map(([some, file]) => group(file, "g", ...some));
        const once = describeGroups(uniteRuleGroups(parts, ["replica"]));
        const split = parts.toReversed().flatMap((one) => one.rules.map((rule) => group(one.file, "g", rule)));
        const empty = parts.map((one) => group(one.file, "g"));
        expect(describeGroups(uniteRuleGroups([...split, ...empty], ["replica"]))).toEqual(once);
        const tiers = uniteRuleGroups(uniteRuleGroups(parts, []), ["replica"]);
        expect(describeGroups(tiers)).toEqual(once);
      }),
    );
  });
});

describe("rules are filtered", () => {
  const groups = [
    group("a", "g", alerting("up", "firing", { team: "x" }), recording("sum", { team: "y" })),
    group("b", "h", recording("sum", { team: "{{ $labels.team }}" })),
    group("c", "empty"),
  ];
  const matcher = (type: "=" | "!=" | "=~", value: string) => ({ type, name: "team", value });
  for (const [rule, filter, left] of [
    ["not at all", {}, ["a;g: up sum", "b;h: sum", "c;empty: "]],
    ["by type, and groups stay", { type: "alert" }, ["a;g: up", "b;h: ", "c;empty: "]],
    ["by file and group", { files: ["a", "b"], groupNames: ["h", "empty"] }, ["b;h: sum"]],
    ["by name, and what is empty goes", { ruleNames: ["up", "down"] }, ["a;g: up"]],
    ["by labels, of which one set is enough", { matcherSets: [[matcher("=", "x")], [matcher("=", "z")]] }, ["a;g: up"]],
    [
      "by labels, of which all of a set must hold",
      { matcherSets: [[matcher("=~", ".+"), matcher("!=", "x")]] },
      ["a;g: sum"],
    ],
    ["by labels, of which templates are none", { matcherSets: [[matcher("=", "")]] }, ["b;h: sum"]],
  ] as readonly (readonly [string, Partial<RuleFilter>, readonly string[]])[]) {
    it(rule, () => {
      const found = filterRuleGroups(groups, { ...everyRule, ...filter });
      const seen =
        found.ok && found.value.map((one) => `${one.file};${one.name}: ${one.rules.map(({ name }) => name).join(" ")}`);
      expect(seen).toEqual(left);
    });
  }

  it("and an expression that does not compile is a failure", () => {
    expect(filterRuleGroups(groups, { ...everyRule, matcherSets: [[matcher("=~", "(")]] }).ok).toBe(false);
  });
});

describe("targets are united", () => {
  const target = (url: string, health: ActiveTarget["health"], replica: string, seconds: number): ActiveTarget => ({
    discoveredLabels: labelsFromRecord({ __address__: url, replica }),
    labels: labelsFromRecord({ job: "node", replica }),
    ...{ scrapePool: "node", scrapeUrl: url, globalUrl: url, lastError: "", lastScrapeSeconds: 0 },
    lastScrape: at(seconds),
    health,
  });
  for (const [rule, targets, united] of [
    ["by URL", [target("b", "up", "0", 1), target("a", "up", "0", 1)], ["a up 1", "b up 1"]],
    ["of replicas, the one that is down", [target("a", "up", "0", 9), target("a", "down", "1", 1)], ["a down 1"]],
    ["of replicas that agree, the last scraped", [target("a", "up", "0", 1), target("a", "up", "1", 9)], ["a up 9"]],
    [
      "of replicas, one that was scraped at all",
      [target("a", "unknown", "0", 0), target("a", "up", "1", 1)],
      ["a up 1"],
    ],
  ] as const) {
    it(rule, () => {
      const found = uniteActiveTargets(targets, ["replica"]);
      expect(found.map((one) => `${one.scrapeUrl} ${one.health} ${one.lastScrape.seconds}`)).toEqual(united);
      for (const { labels, discoveredLabels } of found) {
        expect(formatLabels(labels) + formatLabels(discoveredLabels)).not.toContain("replica");
      }
    });
  }

  it("dropped ones by their labels", () => {
    const dropped = ["b", "a", "b"].map((name, i) => ({
      discoveredLabels: labelsFromRecord({ name, replica: String(i) }),
    }));
    const found = uniteDroppedTargets(dropped, ["replica"]);
    expect(found.map((one) => formatLabels(one.discoveredLabels))).toEqual(['{name="a"}', '{name="b"}']);
    expect(uniteDroppedTargets(dropped, [])).toHaveLength(3);
  });
});

describe("metadata is united", () => {
  const meta = (help: string) => ({ type: "counter", help, unit: "" });
  const parts = [
    { metric: "b", metas: [meta("1"), meta("2")] },
    { metric: "a", metas: [meta("1")] },
    { metric: "b", metas: [meta("2"), meta("3"), meta("1")] },
  ];
  it("by metric, and every saying once", () => {
    const [a, b] = uniteMetadata(parts, -1);
    expect([a?.metric, b?.metric]).toEqual(["a", "b"]);
    expect(b?.metas.map(({ help }) => help)).toEqual(["1", "2", "3"]);
  });
  it("up to a number of metrics, of which none is one", () => {
    expect([0, 1, 2, 3, -1].map((limit) => uniteMetadata(parts, limit).length)).toEqual([0, 1, 2, 2, 2]);
  });
});

describe("exemplars are united", () => {
  const exemplar = (timestampMs: number, value: number, trace: string) => ({
    timestampMs,
    value,
    labels: labelsFromRecord({ trace }),
  });
  const series = (replica: string, ...exemplars: SeriesExemplars["exemplars"]): SeriesExemplars => ({
    labels: labelsFromRecord({ __name__: "x", replica }),
    exemplars,
  });
  it("by series once replica labels are away, by time, each once", () => {
    const parts = [
      series("0", exemplar(2, NaN, "b"), exemplar(1, 1, "a")),
      series("1", exemplar(1, 1, "a"), exemplar(2, NaN, "b"), exemplar(1, 2, "a"), exemplar(3, 1, "c")),
      { labels: labelsFromRecord({ __name__: "a" }), exemplars: [exemplar(9, 9, "z")] },
      { labels: labelsFromRecord({ __name__: "nothing" }), exemplars: [] },
    ];
    const found = uniteExemplars(parts, ["replica"]);
    expect(found.map((one) => [formatLabels(one.labels), one.exemplars.map((e) => [e.timestampMs, e.value])])).toEqual([
      ["a", [[9, 9]]],
      [
        "x",
        [
          [1, 1],
          [1, 2],
          [2, NaN],
          [3, 1],
        ],
      ],
    ]);
    expect(uniteExemplars(parts, []).map((one) => one.exemplars.length)).toEqual([1, 2, 4]);
  });
});
