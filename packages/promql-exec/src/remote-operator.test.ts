/** Parts that answer, refuse, or are missing: what becomes of the query, and what is said of it. */
import {
  fail,
  labelsFromRecord,
  ok,
  type EvaluatingSource,
  type EvaluationFailure,
  type EvaluationRequest,
  type Evaluator,
  type SeriesSource,
} from "@pleiad/model";
import { manualClock, silentObservations } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { createEngine, defaultEngineOptions } from "./engine.ts";
import { engineEvaluator } from "./engine-evaluator.ts";
import { noFeatures } from "./features.ts";
import { joinedSources, loadedSource } from "./test-script-sources.ts";

const engine = createEngine(defaultEngineOptions, { clock: manualClock(), observations: silentObservations() });
const { signal } = new AbortController();

function storedIn(cluster: string, load: string): SeriesSource {
  return loadedSource(load.replaceAll("CLUSTER", cluster));
}

const gauges = `load 1m
  g{cluster="CLUSTER", pod="1"} 1+1x10
  g{cluster="CLUSTER", pod="2"} 10+1x10
`;

interface MadeUpPart {
  readonly name: string;
  readonly load?: string;
  readonly failure?: EvaluationFailure;
  /** What it fails at; all if nothing is said. */
  readonly failsAt?: RegExp;
  readonly warning?: string;
  /** What it does not evaluate: each aggregation is asked for alone then. */
  readonly refuses?: RegExp;
}

const jointly = /label_replace/;

/** Parts a and b, and what they were asked. */
function partsOf(parts: readonly MadeUpPart[]) {
  const asked: EvaluationRequest[] = [];
  let reads = 0;
  let partReads = 0; // by those who evaluate
  const evaluators = parts.map(({ name, load = gauges, failure, failsAt = /^/, warning, refuses }): Evaluator => {
    const stored = storedIn(name, load);
    const source: SeriesSource = {
      ...stored,
      select: (request, by) => {
        reads++;
        return stored.select(request, by);
      },
    };
    const counted: SeriesSource = {
      ...stored,
      select: (request, by) => {
        partReads++;
        return stored.select(request, by);
      },
    };
    const answering = engineEvaluator(engine, counted, { name, features: noFeatures });
    return {
      name,
      labelSets: [labelsFromRecord({ cluster: name })],
      source,
      evaluate: async (request, by) => {
        asked.push(request);
        const isFailing = failsAt.test(request.query);
        if (refuses?.test(request.query) === true) return fail({ kind: "refused", reason: "too much at once" });
        if (isFailing && failure !== undefined) return fail(failure);
        const answer = await answering.evaluate(request, by);
        const isWarning = isFailing && warning !== undefined;
        return answer.ok && isWarning ? ok({ ...answer.value, series: [], warnings: [warning] }) : answer;
      },
    };
  });
  const missing = parts.flatMap(({ failure }) => (failure?.kind === "missing" ? failure.texts : []));
  const source: EvaluatingSource = {
    // The whole, for who does not ask the parts.
    ...joinedSources(evaluators.map((one) => one.source)),
    partition: () => ({ evaluators, rest: undefined, missing: () => missing }),
  };
  return { source, asked, reads: () => reads, partReads: () => partReads };
}

async function ask(parts: readonly MadeUpPart[], query: string, onFailure: "warn" | "abort" = "warn") {
  const { source, asked, reads, partReads } = partsOf(parts);
  const select = { withoutLabels: ["replica"], maxResolutionMs: 0, onFailure };
  const result = await engine.instant({ query, timeMs: 300_000, select, analyze: true }, source, signal);
  if (!result.ok) return { failure: result.failure, asked, reads: reads() };
  const { value, warnings, infos, sourceWarnings, analysis } = result.value;
  const values = value.kind === "vector" ? [...value.values] : [];
  const operators = JSON.stringify(analysis?.operators);
  return { values, warnings, infos, sourceWarnings, operators, asked, reads: reads(), partReads: partReads() };
}

/** Without asking the parts. */
async function askWhole(parts: readonly MadeUpPart[], query: string) {
  const evaluating = partsOf(parts).source;
  const settings = { withoutLabels: ["replica"], maxResolutionMs: 0, onFailure: "warn" } as const;
  const source: SeriesSource = {
    select: (...request) => evaluating.select(...request),
    labelNames: async (...request) => await evaluating.labelNames(...request),
    labelValues: async (...request) => await evaluating.labelValues(...request),
  };
  const result = await engine.instant({ query, timeMs: 300_000, select: settings }, source, signal);
  if (!result.ok) throw new Error(result.failure.message);
  const { value, warnings, infos } = result.value;
  return { values: value.kind === "vector" ? [...value.values] : [], warnings, infos };
}

const both: readonly MadeUpPart[] = [{ name: "a" }, { name: "b" }];

describe("parts of an answer", () => {
  it.each(["sum(g)", "avg(g)", "topk(1, g)"])("are all asked for %s by the same request", async (query) => {
    const { asked } = await ask([...both, { name: "c" }], query);
    expect(asked.length).toBe(3);
    expect(new Set(asked).size).toBe(1);
  });

  it("are asked with all on which the answer depends, by the piece of the text at its place", async () => {
    const { values, asked } = await ask(both, "1 + # a gauge of ägypten\n  sum(g)");
    expect(values).toEqual([2 * (6 + 15) + 1]);
    const query = "\n  sum(g)";
    const request = {
      ...{ query, startMs: 300_000, endMs: 300_000, stepMs: 0, lookbackMs: 300_000, evaluationIntervalMs: 60_000 },
      ...{ features: [], withoutLabels: ["replica"], maxResolutionMs: 0, onFailure: "warn" },
      ...{ timeoutMs: 120_000, samplesMax: 50_000_000 },
    };
    expect(asked).toEqual([request, request]);
  });

  it("of an average are sums and counts, asked for at once", async () => {
    const { values, asked, partReads } = await ask(both, "1 + avg by (pod) (g)");
    expect(values).toEqual([7, 16]);
    const query = [
      "label_replace(",
      "    count by (pod) (g)",
      ', "__pleiad_question__", "0", "", "") or',
      "    sum by (pod) (g)",
    ].join("\n");
    expect(asked.map((one) => one.query)).toEqual([query, query]);
    expect(partReads).toBe(2);
  });

  it("or apart, where that is too much at once", async () => {
    const refusing = both.map((part) => ({ ...part, refuses: jointly }));
    const { values, asked, reads } = await ask(refusing, "avg by (pod) (g)");
    expect([values, reads]).toEqual([[6, 15], 0]);
    expect(
      asked
        .map(({ query }) => query)
        .filter((query) => !jointly.test(query))
        .sort(),
    ).toEqual(["count by (pod) (g)", "count by (pod) (g)", "sum by (pod) (g)", "sum by (pod) (g)"]);
  });

  it("are asked for apart where series have the label by which shares are told", async () => {
    const { values, asked } = await ask(both, 'avg(label_replace(g, "__pleiad_question__", "0", "pod", ".*"))');
    expect([values, asked.length]).toEqual([[10.5], 4]);
  });

  it("carry remarks with the positions of the query, each once", async () => {
    const { infos } = await ask(both, "sum(g) + sum(rate(g[5m]))");
    const text = 'metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "g"';
    expect(infos).toEqual([`PromQL info: ${text} (1:19)`]);
  });

  it("are told in the analysis: series, bytes, and who answered", async () => {
    const { operators } = await ask(both, "sum(g)");
    for (const { name } of both) expect(operators).toContain(`part ${name}: 1 series in 0 bytes from ${name}`);
  });
});

describe("a part that refuses", () => {
  const refusing: readonly MadeUpPart[] = [{ name: "a" }, { name: "b", failure: { kind: "refused", reason: "busy" } }];

  it("is read instead, and the analysis says so", async () => {
    const { values, sourceWarnings, reads, operators } = await ask(refusing, "sum(g)");
    expect([values, sourceWarnings, reads]).toEqual([[42], [], 1]);
    expect(operators).toContain("part b: read and evaluated here, for it refused: busy");
  });

  it("an error of the query is that of one evaluation", async () => {
    const load = `load 1m\n  x{cluster="CLUSTER"} 1x10\n  y{cluster="CLUSTER", pod="1"} 1x10\n  y{cluster="CLUSTER", pod="2"} 1x10\n`;
    const { failure } = await ask(
      [
        { name: "a", load },
        { name: "b", load },
      ],
      "x * on (cluster) y",
    );
    expect(failure?.kind).toBe("execution");
    expect(failure?.message).toMatch(/^found duplicate series for the match group \{cluster="[ab]"\} on the right/);
  });
});

describe("a part that is missing", () => {
  const lacking: readonly MadeUpPart[] = [
    { name: "a" },
    { name: "b", failure: { kind: "missing", texts: ["b is away"] } },
  ];

  it("is a warning", async () => {
    const { values, sourceWarnings, reads } = await ask(lacking, "sum(g)");
    expect([values, sourceWarnings, reads]).toEqual([[21], ["b is away"], 0]);
  });

  it("or a failure, where all or nothing was asked for", async () => {
    const { failure } = await ask(lacking, "sum(g)", "abort");
    expect(failure).toEqual({ kind: "source", message: "b is away" });
  });
});

describe("an average", () => {
  const missing = { kind: "missing", texts: ["b is away"] } as const;
  for (const [rule, failing] of [
    ["whose counts lack a part", { refuses: jointly, failure: missing, failsAt: /^count/ }],
    ["whose sums lack a part", { refuses: jointly, failure: missing, failsAt: /^sum/ }],
    ["whose counts lack something of a part", { refuses: jointly, warning: "c is away", failsAt: /^count/ }],
  ] as const) {
    it(`${rule} is made of the series`, async () => {
      const { values, reads } = await ask([{ name: "a" }, { name: "b", load: gauges, ...failing }], "avg(g)");
      expect([values, reads]).toEqual([[10.5], 2]);
    });
  }

  it("whose sums and counts lack the same is that of the others", async () => {
    const { values, reads, sourceWarnings } = await ask([{ name: "a" }, { name: "b", failure: missing }], "avg(g)");
    expect([values, reads, sourceWarnings]).toEqual([[10.5], 0, ["b is away"]]);
  });
});

describe("a deviation", () => {
  const missing = { kind: "missing", texts: ["b is away"] } as const;
  const more = `${gauges}  g{cluster="CLUSTER", pod="3"} 100+1x10\n  g{cluster="CLUSTER", pod="4"} 200+1x10\n`;

  it("is of counts, averages and variances, with remarks at the positions of the query", async () => {
    const load = `load 1m\n  g{cluster="CLUSTER", pod="1"} 1+1x10\n  g{cluster="CLUSTER", pod="2"} 10+3x10\n`;
    const parts = [
      { name: "a", load },
      { name: "b", load },
    ];
    const { values, asked, reads, infos } = await ask(parts, "1 + stddev(rate(g[5m]))");
    expect(values?.[0]).toBeCloseTo(1 + 1 / 60, 12);
    expect(reads).toBe(0);
    expect(asked.map(({ query }) => query.match(/^    \w+\(rate\(g\[5m\]\)\)$/gm)).flat()).toEqual(
      [1, 2].flatMap(() => ["count", "avg", "stdvar"].map((name) => `    ${name}(rate(g[5m]))`)),
    );
    expect(infos).toEqual([expect.stringMatching(/metric might not be a counter.* \(1:17\)$/)]);
  });

  for (const [rule, query, wanted] of [
    ["groups that one part alone has are its own", "stdvar by (pod) (g)", [0, 0, 0, 0]],
    ["parts may have many and few", "stdvar(g)", [49382 / 9]],
    ["and their root", "stddev without (pod, cluster) (g)", [Math.sqrt(49382 / 9)]],
  ] as const) {
    it(`${rule}: ${query}`, async () => {
      const parts = [{ name: "a" }, { name: "b", load: more }];
      const { values, reads } = await ask(parts, query);
      expect([values?.length, reads]).toEqual([wanted.length, 0]);
      for (const [i, value] of wanted.entries()) expect(values?.[i]).toBeCloseTo(value, 9);
    });
  }

  for (const [rule, failing] of [
    ["whose counts lack a part", { refuses: jointly, failure: missing, failsAt: /^count/ }],
    ["whose averages lack a part", { refuses: jointly, failure: missing, failsAt: /^avg/ }],
    ["whose variances lack a part", { refuses: jointly, failure: missing, failsAt: /^stdvar/ }],
    ["whose averages lack something of a part", { refuses: jointly, warning: "c is away", failsAt: /^avg/ }],
    [
      "whose counts have nothing of a part, though it says nothing",
      { refuses: jointly, warning: "PromQL info: x", failsAt: /^count/ },
    ],
  ] as const) {
    it(`${rule} is made of the series`, async () => {
      const { values, reads, sourceWarnings, infos } = await ask(
        [{ name: "a" }, { name: "b", ...failing }],
        "stddev(g)",
      );
      expect([values, reads, sourceWarnings, infos]).toEqual([[4.5], 2, [], []]);
    });
  }

  it("whose shares lack the same is that of the others", async () => {
    const { values, reads, sourceWarnings } = await ask([{ name: "a" }, { name: "b", failure: missing }], "stddev(g)");
    expect([values, reads, sourceWarnings]).toEqual([[4.5], 0, ["b is away"]]);
  });

  it("of a part that refuses one of them is made with its series", async () => {
    const refusing = { failure: { kind: "refused", reason: "busy" }, refuses: jointly, failsAt: /^avg/ } as const;
    const { values, reads } = await ask([{ name: "a" }, { name: "b", ...refusing }], "stddev(g)");
    expect([values, reads]).toEqual([[4.5], 1]);
  });

  for (const [rule, load, query] of [
    ["histograms are left out, with the same remark", "3x10|{{schema:0 sum:1 count:1 buckets:[1]}}x10", "stddev(g)"],
    [
      "nothing but histograms",
      "{{schema:0 sum:1 count:1 buckets:[1]}}x10|{{schema:0 sum:1 count:2 buckets:[2]}}x10",
      "stddev(g)",
    ],
    ["NaN spreads", "3x10|NaNx10", "stddev(g)"],
    ["so does infinity", "3x10|-Infx10", "stdvar(g)"],
    ["a small deviation of large numbers", "1000000000.1x10|1000000000.2x10", "stddev(g)"],
    ["numbers whose squares are too large", "1e200x10|-1e200x10", "stdvar(g)"],
    ["equal samples", "0.1x10|0.1x10", "stddev(g)"],
  ] as const) {
    it(`${rule}: as of all the series`, async () => {
      const [one, other] = load.split("|");
      const withOdd = `load 1m\n  g{cluster="CLUSTER", pod="1"} ${one}\n  g{cluster="CLUSTER", pod="2"} ${other}\n`;
      for (const parts of [
        [{ name: "a" }, { name: "b", load: withOdd }],
        [
          { name: "a", load: withOdd },
          { name: "b", load: withOdd },
        ],
      ]) {
        const [whole, shares] = [await askWhole(parts, query), await ask(parts, query)];
        expect([shares.values, shares.warnings, shares.infos]).toEqual([whole.values, whole.warnings, whole.infos]);
        expect(shares.asked.length).toBeGreaterThan(0);
      }
    });
  }
});

describe("aggregations of one input", () => {
  const load = `load 1m
  g{cluster="CLUSTER", pod="1"} 1+1x10
  g{cluster="CLUSTER", pod="2"} 10+3x10
  h{cluster="CLUSTER", pod="1"} {{schema:0 sum:1 count:1 buckets:[1]}}x10
  h{cluster="CLUSTER", pod="2"} 3x10
  h{cluster="CLUSTER", pod="3"} {{schema:0 sum:5 count:1 buckets:[1]}}x10
  b{cluster="CLUSTER", pod="1", le="1"} 5x10
  b{cluster="CLUSTER", pod="1", le="+Inf"} 3x10
  b{cluster="CLUSTER", pod="2", le="1"} 5x10
  b{cluster="CLUSTER", pod="2", le="+Inf"} 4x10
`;
  const parts = [
    { name: "a", load },
    { name: "b", load },
  ];
  for (const [rule, query, questionsMax] of [
    ["an average and its extremes", "avg(g) + max(g) - min(g)", 1],
    ["in lines of their own", "# of\n  max by (pod) (g)\n\n - # and\n   count by (pod) (g)", 1],
    ["with remarks on the input at the last place", "sum(rate(g[5m])) /\n  count(rate(g[5m]))", 1],
    ["and at the place of an average", "max(rate(g[5m]))\n+ avg(rate(g[5m]))", 1],
    ["with remarks of their own", "min(h)", 1],
    ["of each of them", "max(h) - min(h)", 1],
    ["of histograms and floats", "count(h) + max(h)", 1],
    ["asked for twice", "avg(g) / sum(g)", 2],
    ["deviations and averages", "(g - on () group_left () avg(g)) / on () group_left () stddev(g)", 2],
    ["below a subquery", "max_over_time((max(g) - min(g))[3m:1m])", 1],
  ] as const) {
    it(`${rule}: ${query.replaceAll("\n", "↵")}`, async () => {
      const [whole, shares] = [await askWhole(parts, query), await ask(parts, query)];
      expect([shares.warnings, shares.infos?.toSorted()]).toEqual([whole.warnings, whole.infos.toSorted()]);
      expect(shares.values?.length).toBe(whole.values.length);
      for (const [i, value] of whole.values.entries()) expect(shares.values?.[i]).toBeCloseTo(value, 9);
      expect(shares.asked.length / parts.length).toBeLessThanOrEqual(questionsMax);
    });
  }
});

describe("remarks that say how often they were seen", () => {
  const load = `load 1m
  b{cluster="CLUSTER", pod="1", le="1"} 5x10
  b{cluster="CLUSTER", pod="1", le="+Inf"} 3x10
  b{cluster="CLUSTER", pod="2", le="1"} 5x10
  b{cluster="CLUSTER", pod="2", le="+Inf"} 4x10
`;
  for (const query of [
    "avg(histogram_quantile(0.9, b))",
    "max(histogram_quantile(0.9, b)) - min(histogram_quantile(0.9, b))",
  ]) {
    it(`are those of one question each: ${query}`, async () => {
      const parts = [
        { name: "a", load },
        { name: "b", load },
      ];
      const apart = await ask(
        parts.map((part) => ({ ...part, refuses: jointly })),
        query,
      );
      const { values, warnings, infos } = await ask(parts, query);
      expect(infos).toEqual([expect.stringMatching(/needed to be fixed for monotonicity.*, over 2 samples from/)]);
      expect({ values, warnings, infos }).toEqual({
        values: apart.values,
        warnings: apart.warnings,
        infos: apart.infos,
      });
    });
  }
});

describe("sums that parts round", () => {
  const loadOf = (value: string) =>
    `load 1m\n  g{cluster="CLUSTER", pod="1"} ${value}x10\n  g{cluster="CLUSTER", pod="2"} 3x10\n`;

  for (const [rule, query, first, second, wanted] of [
    ["are made of the series where they cancel out", "sum(g)", "1e100", "-1e100", 6],
    ["so are averages", "avg(g)", "1e100", "-1e100", 1.5],
    ["and those whose sum is too large for a number", "avg(g)", "1.7e308", "1.7e308", 0.85e308],
  ] as const) {
    it(rule, async () => {
      const { values, reads } = await ask(
        [
          { name: "a", load: loadOf(first) },
          { name: "b", load: loadOf(second) },
        ],
        query,
      );
      expect(values).toEqual([wanted]);
      expect(reads).toBeGreaterThanOrEqual(2);
    });
  }
});

describe("floats and histograms of one group", () => {
  const floats = 'load 1m\n  g{cluster="CLUSTER", pod="1"} 3x10\n';
  const mixed = `${floats}  g{cluster="CLUSTER", pod="2"} {{schema:0 sum:1 count:1 buckets:[1]}}x10\n`;

  for (const query of ["sum(g)", "avg(g)"]) {
    for (const [rule, failure] of [
      ["in a part", undefined],
      ["in a part that is read here", { kind: "refused", reason: "busy" }],
    ] as const) {
      it(`${rule} are no ${query}, whatever the others have`, async () => {
        const { values, warnings } = await ask(
          [
            { name: "a", load: floats },
            { name: "b", load: mixed, ...(failure === undefined ? {} : { failure }) },
          ],
          query,
        );
        expect(values).toEqual([]);
        expect(warnings).toEqual([expect.stringContaining("encountered a mix of histograms and floats")]);
      });
    }
  }
});
