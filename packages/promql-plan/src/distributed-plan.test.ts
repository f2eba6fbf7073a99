/** What of a query goes to the parts, as plans in one line. */
import { labelsFromRecord } from "@pleiad/model";
import { experimentalParseOptions, parseExpression } from "@pleiad/promql-syntax";
import { describe, expect, it } from "vitest";
import { distributePlan, type PlanPartition } from "./distributed-plan.ts";
import { formatPlan } from "./format-plan.ts";
import { planQuery, type QueryWindow } from "./plan-query.ts";

const part = (name: string, ...clusters: readonly string[]) => ({
  name,
  labelSets: clusters.map((cluster) => labelsFromRecord({ cluster, region: name })),
});
const twoParts: PlanPartition = {
  number: 0,
  parts: [part("a", "a1", "a2"), part("b", "b1")],
  restLabelSets: undefined,
};
const withRest: PlanPartition = { ...twoParts, restLabelSets: [labelsFromRecord({ cluster: "c1", region: "c" })] };
const onePart: PlanPartition = { ...twoParts, parts: [part("a", "a1", "a2")] };
const onlyRest: PlanPartition = { ...twoParts, parts: [], restLabelSets: [labelsFromRecord({ cluster: "a1" })] };
/** The names of labels tell nothing apart. */
const alike: PlanPartition = {
  ...twoParts,
  parts: [
    { name: "a", labelSets: [labelsFromRecord({ cluster: "1" })] },
    { name: "b", labelSets: [labelsFromRecord({ zone: "1" })] },
  ],
};

const instant: QueryWindow = {
  startMs: 3_600_000,
  endMs: 3_600_000,
  stepMs: 0,
  lookbackMs: 300_000,
  evaluationIntervalMs: 60_000,
};
const hour: QueryWindow = { ...instant, startMs: 0, stepMs: 60_000 };

function distributed(query: string, partition: PlanPartition = twoParts, window = instant): string {
  const parsed = parseExpression(query, experimentalParseOptions);
  if (!parsed.ok) throw new Error(parsed.failure.message);
  const plan = planQuery(parsed.value, window);
  if (!plan.ok) throw new Error(plan.failure.message);
  const before = formatPlan(plan.value);
  const result = formatPlan(distributePlan(plan.value, { window, text: query, partitionOf: () => partition }));
  expect(formatPlan(plan.value)).toBe(before);
  // Selectors of one metric are told by its name.
  return result.replaceAll(/\{__name__="(\w+)"\}/g, "$1");
}

const cases: readonly (readonly [rule: string, query: string, plan: string])[] = [
  ["sums are summed once more", "sum(rate(x[5m]))", "sum by () (remote(a, b: sum by () (rate(x[5m]))))"],
  ["counts are summed", "count by (code) (x)", "sum by (code) (remote(a, b: count by (code) (x)))"],
  ["the least is the least of the least", "min(x)", "min by () (remote(a, b: min by () (x)))"],
  [
    "the greatest likewise",
    "max without (pod, cluster, region) (x)",
    "max without (pod, cluster, region) (remote(a, b: max without (pod, cluster, region) (x)))",
  ],
  ["a group is a group of groups", "group by (code) (x)", "group by (code) (remote(a, b: group by (code) (x)))"],
  [
    "an average is a sum by a count",
    "avg by (code) (x)",
    "(sum by (code) (remote(a, b: count, sum by (code) (x))) / sum by (code) (remote(a, b: sum, count by (code) (x))))",
  ],
  [
    "what is made of one input is asked for at once",
    "max(rate(x[5m])) - min(rate(x[5m]))",
    "(max by () (remote(a, b: min, max by () (rate(x[5m])))) - min by () (remote(a, b: max, min by () (rate(x[5m])))))",
  ],
  [
    "but not by other groups",
    "sum by (a) (x) / on () sum(x)",
    "(sum by (a) (remote(a, b: sum by (a) (x))) / on () sum by () (remote(a, b: sum by () (x))))",
  ],
  [
    "nor twice the same",
    "sum(x) / sum(x)",
    "(sum by () (remote(a, b: sum by () (x))) / sum by () (remote(a, b: sum by () (x))))",
  ],
  ["but not where a group keeps its name", "avg by (__name__) (x)", "avg by (__name__) (x)"],
  [
    "the best are among the best of each part",
    "topk(3, rate(x[5m]))",
    "topk by () (3, remote(a, b: topk by () (3, rate(x[5m]))))",
  ],
  [
    "where the order of equal ones is not that of labels, they are ranked here",
    "topk(3, sum by (code) (x))",
    "topk by () (3, sum by (code) (remote(a, b: sum by (code) (x))))",
  ],
  ["a number of best that series decide on is known here", "topk(scalar(y), x)", "topk by () (scalar(y), x)"],
  ["values are counted in parts", 'count_values("v", x)', 'sum by (v) (remote(a, b: count_values by () ("v", x)))'],
  ["quantiles have no parts", "quantile(0.9, rate(x[5m]))", "quantile by () (0.9, remote(a, b: rate(x[5m])))"],
  [
    "a standard deviation is of counts, averages and variances",
    "stddev(rate(x[5m]))",
    "stddev by () (remote(a, b: count, avg, stdvar by () (rate(x[5m]))))",
  ],
  [
    "a variance likewise, whatever the groups keep",
    "stdvar by (__name__) (x)",
    "stdvar by (__name__) (remote(a, b: count, avg, stdvar by (__name__) (x)))",
  ],
  [
    "but not of what parts have shares of",
    "stddev(sum by (code) (x))",
    "stddev by () (sum by (code) (remote(a, b: sum by (code) (x))))",
  ],
  ["which are the first is known here", "limitk(2, x)", "limitk by () (2, x)"],
  [
    "groups within a part are all its own, whatever is done with them",
    "quantile by (cluster) (0.9, rate(x[5m]))",
    "remote(a, b: quantile by (cluster) (0.9, rate(x[5m])))",
  ],
  [
    "so is what is made of them",
    "sum by (cluster) (rate(x[5m])) / count by (cluster) (x) > 0.5",
    "remote(a, b: ((sum by (cluster) (rate(x[5m])) / count by (cluster) (x)) > 0.5))",
  ],
  [
    "groups without other labels keep the parts apart",
    "stddev without (pod) (x)",
    "remote(a, b: stddev without (pod) (x))",
  ],
  [
    "a join by a label of the parts is theirs",
    "sum(x * on (cluster, pod) group_left (node) y)",
    "sum by () (remote(a, b: sum by () ((x * on (cluster, pod) group_left (node) y))))",
  ],
  [
    "another join is made here",
    "x * on (pod) group_left (node) sum by (pod, node) (y)",
    "(x * on (pod) group_left (node) sum by (pod, node) (remote(a, b: sum by (pod, node) (y))))",
  ],
  [
    "and needs both sides to have the label",
    "rate(x[5m]) and sum(y)",
    "(remote(a, b: rate(x[5m])) and sum by () (remote(a, b: sum by () (y))))",
  ],
  [
    "sets within a part",
    "sum(x unless on (cluster) y)",
    "sum by () (remote(a, b: sum by () ((x unless on (cluster) y))))",
  ],
  [
    "labels that are overwritten tell nothing apart",
    'sum(label_replace(label_replace(x, "cluster", "", "", ""), "region", "", "", ""))',
    'sum by () (label_replace(remote(a, b: label_replace(x, "cluster", "", "", "")), "region", "", "", ""))',
  ],
  [
    "another label may tell them apart still",
    'count(label_replace(rate(x[5m]), "pod", "$1", "instance", "(.*)"))',
    'sum by () (remote(a, b: count by () (label_replace(rate(x[5m]), "pod", "$1", "instance", "(.*)"))))',
  ],
  ["absence is of all series", "absent(sum(x))", "absent(sum by () (remote(a, b: sum by () (x))))"],
  ["so is the absence of samples", "absent_over_time(x[5m])", "absent_over_time(x[5m])"],
  ["an order is made here", "sort(rate(x[5m]))", "sort(remote(a, b: rate(x[5m])))"],
  ["a scalar is of all series", "x > scalar(sum(y))", "(x > scalar(sum by () (remote(a, b: sum by () (y)))))"],
  [
    "numbers and times are the same everywhere",
    "sum(x * time() + pi())",
    "sum by () (remote(a, b: sum by () (((x * time()) + 3.141592653589793))))",
  ],
  ["nothing of info series", "info(rate(x[5m]))", "info(remote(a, b: rate(x[5m])), {})"],
  ["a plain selector is read", "x", "x"],
  [
    "the input of a subquery goes at its steps",
    "max_over_time(sum(rate(x[5m]))[30m:1m])",
    "max_over_time((sum by () (remote(a, b: sum by () (rate(x[5m])))))[30m:1m])",
  ],
  [
    "or with all of it",
    "max_over_time(sum by (cluster) (x)[30m:1m])",
    "remote(a, b: max_over_time((sum by (cluster) (x))[30m:1m]))",
  ],
  [
    "but not where it tells of the query's own steps",
    "max_over_time(sum(x @ end())[30m:1m])",
    "max_over_time((once(sum by () (x @ 3600.000)))[30m:1m])",
  ],
  [
    "of histograms whose buckets nobody needs, parts know nothing",
    "histogram_count(sum(x))",
    "histogram_count(sum by () (x))",
  ],
  [
    "but for their rates",
    "histogram_count(sum(rate(x[5m])))",
    "histogram_count(sum by () (remote(a, b: sum by () (rate(x[5m])))))",
  ],
  [
    "and where they see the function themselves",
    "sum(histogram_count(x))",
    "sum by () (remote(a, b: sum by () (histogram_count(x))))",
  ],
  ["negated", "-sum(x)", "-(sum by () (remote(a, b: sum by () (x))))"],
  [
    "buckets of a part",
    "histogram_quantile(0.9, sum by (le, cluster) (rate(x[5m])))",
    "remote(a, b: histogram_quantile(0.9, sum by (le, cluster) (rate(x[5m]))))",
  ],
  [
    "buckets of all",
    "histogram_quantile(0.9, sum by (le) (rate(x[5m])))",
    "histogram_quantile(0.9, sum by (le) (remote(a, b: sum by (le) (rate(x[5m])))))",
  ],
  [
    "samples that are filled in are looked for here",
    "x + on (cluster) fill (0) y",
    "(x + on (cluster) fill_left (0) fill_right (0) y)",
  ],
];

describe("over two parts that their labels tell apart", () => {
  for (const [rule, query, plan] of cases) {
    it(`${rule}: ${query}`, () =>
      expect(distributed(query).replace(/info\((.*), \{.*\}\)/, "info($1, {})")).toBe(plan));
  }
});

describe("depending on the parts", () => {
  it("what no part has is evaluated here beside them", () => {
    expect(distributed("sum(x)", withRest)).toBe("sum by () (remote(a, b, the rest: sum by () (x)))");
  });

  it("one that has everything evaluates everything", () => {
    const query = "absent(quantile(0.9, x) > stddev(y))";
    expect(distributed(query, onePart)).toBe("remote(a: absent((quantile by () (0.9, x) > stddev by () (y))))");
  });

  it("but for an order, and for what gives no vector", () => {
    expect(distributed("sort(sum by (pod) (x))", onePart)).toBe("sort(remote(a: sum by (pod) (x)))");
    expect(distributed("scalar(sum(x))", onePart)).toBe("scalar(remote(a: sum by () (x)))");
    expect(distributed("x[5m]", onePart)).toBe("x[5m]");
  });

  it("nothing is pushed where no part evaluates", () => {
    expect(distributed("sum(x)", onlyRest)).toBe("sum by () (x)");
  });

  it("nothing is pushed where no label tells the parts apart", () => {
    expect(distributed("sum(x)", alike)).toBe("sum by () (x)");
  });

  it("labels together may tell apart what none of them does alone", () => {
    const sets = (name: string, ...pairs: readonly (readonly [string, string])[]) => ({
      name,
      labelSets: pairs.map(([cluster, zone]) => labelsFromRecord({ cluster, zone })),
    });
    const partition = { ...twoParts, parts: [sets("a", ["1", "1"], ["2", "2"]), sets("b", ["1", "2"], ["2", "1"])] };
    expect(distributed("stddev by (cluster, zone) (x)", partition)).toBe("remote(a, b: stddev by (cluster, zone) (x))");
    expect(distributed("limitk by (cluster) (1, x)", partition)).toBe("limitk by (cluster) (1, x)");
  });
});

describe("depending on the steps", () => {
  it("values at many steps may take more room than the samples: these are read, not evaluated", () => {
    expect(distributed("rate(x[5m])", twoParts, hour)).toBe("rate(x[5m])");
    expect(distributed("rate(x[5m])", twoParts, { ...hour, stepMs: 600_000 })).toBe("remote(a, b: rate(x[5m]))");
  });

  it("what reduces the series is evaluated at however many steps", () => {
    expect(distributed("sum by (cluster) (rate(x[5m]))", twoParts, { ...hour, stepMs: 1000 })).toBe(
      "remote(a, b: sum by (cluster) (rate(x[5m])))",
    );
  });

  it("a query that takes too many selectors apart to place is placed by pieces", () => {
    const many = Array.from({ length: 70 }, (_, i) => `sum(x${i})`).join(" + ");
    const plan = distributed(many);
    expect(plan.match(/remote\(/g)).toHaveLength(70);
  });
});
