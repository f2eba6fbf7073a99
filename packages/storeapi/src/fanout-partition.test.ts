/** Who evaluates by itself, and what is evaluated here: a table of endpoints, and replicas that fail. */
import { formatLabels, labelsFromRecord, ok, type EvaluationRequest, type Labels, type Matcher } from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { createFanout, defaultFanout } from "./fanout.ts";
import { defaultQueryHandlers, queryHandlers } from "./query-handlers.ts";
import { storeHandlers } from "./store-handlers.ts";
import type { StoreIdentity } from "./store-identity.ts";
import { memorySource, seriesOf } from "./testing.ts";

const hourMs = 3_600_000;
const nowMs = 1_700_000_000_000;
const none = new Float64Array(0);
const { signal } = new AbortController();

/** An endpoint by what it says; `sets` are label sets with the hours before now in which it has them. */
interface TableEndpoint {
  readonly name: string;
  readonly evaluates?: boolean;
  readonly group?: string;
  readonly expects?: readonly string[]; // clusters
  readonly isAway?: boolean;
  readonly sets?: readonly (readonly [labels: Readonly<Record<string, string>>, fromHours: number, toHours: number])[];
  readonly warnings?: readonly string[];
}

const cluster = (name: string, fromHours = 2, toHours = 0, more: Readonly<Record<string, string>> = {}) =>
  [{ cluster: name, ...more }, fromHours, toHours] as const;

function identityOf({ sets = [], evaluates = true }: TableEndpoint): StoreIdentity {
  const tsdbInfos = sets.map(([labels, fromHours, toHours]) => ({
    labels: labelsFromRecord(labels),
    minTimeMs: nowMs - fromHours * hourMs,
    maxTimeMs: nowMs - toHours * hourMs,
  }));
  return {
    componentType: "any",
    labelSets: tsdbInfos.map(({ labels }) => labels),
    // As a store without a block has it: a range that is empty.
    minTimeMs: Math.min(Number.MAX_SAFE_INTEGER, ...tsdbInfos.map(({ minTimeMs }) => minTimeMs)),
    maxTimeMs: Math.max(-Number.MAX_SAFE_INTEGER, ...tsdbInfos.map(({ maxTimeMs }) => maxTimeMs)),
    tsdbInfos,
    query: evaluates ? "exact" : "none",
  };
}

async function fanoutOf(table: readonly TableEndpoint[]) {
  const ports = testPorts({ startMs: nowMs });
  const asked: string[] = [];
  const endpoints = [];
  for (const [i, one] of table.entries()) {
    const address = `127.0.0.1:${i + 1}`;
    const answered = { warnings: one.warnings ?? [], samplesRead: 0, samplesPeak: 0, answeredBy: "", receivedBytes: 0 };
    const series = [
      {
        labels: labelsFromRecord({ by: one.name }),
        timestampsMs: Float64Array.of(nowMs),
        values: Float64Array.of(1),
        histogramTimestampsMs: none,
        histograms: [],
      },
    ];
    const evaluator = {
      name: one.name,
      evaluate: async () => {
        asked.push(one.name);
        return ok({ series, ...answered });
      },
    };
    const stored = (one.sets ?? []).map(([labels]) =>
      seriesOf(labelsFromRecord({ __name__: "x", ...labels }), [[nowMs, 1]]),
    );
    const handlers = new Map([
      ...storeHandlers(memorySource(stored), () => identityOf(one)),
      ...queryHandlers(evaluator, () => true, defaultQueryHandlers, ports.clock),
    ]);
    if (one.isAway !== true) await ports.network.serveRpc(address, handlers);
    endpoints.push({
      address,
      name: one.name,
      expects: (one.expects ?? []).map((name) => ({ name, labels: labelsFromRecord({ cluster: name }) })),
      ...(one.group === undefined ? {} : { group: one.group }),
    });
  }
  const fanout = createFanout({ ...defaultFanout, endpoints, replicaLabels: ["replica"] }, ports);
  await fanout.refresh();
  return { fanout, ports, asked };
}

interface Asked {
  readonly hours?: number; // back from now
  readonly matchers?: readonly Matcher[];
  readonly withoutLabels?: readonly string[];
}

async function partitionOf(
  table: readonly TableEndpoint[],
  { hours = 1, matchers = [], withoutLabels = ["replica"] }: Asked = {},
) {
  const { fanout } = await fanoutOf(table);
  const request = { minTimeMs: nowMs - hours * hourMs, maxTimeMs: nowMs, selections: [matchers], withoutLabels };
  const { evaluators, rest } = fanout.partition(request);
  const texts = (sets: readonly Labels[]) => sets.map((labels) => formatLabels(labels)).join(" ");
  return {
    evaluators: evaluators.map(({ name, labelSets }) => `${name}: ${texts(labelSets)}`),
    rest: rest && texts(rest.labelSets),
  };
}

describe("who evaluates", () => {
  const cases: readonly (readonly [
    rule: string,
    table: readonly TableEndpoint[],
    asked: Asked,
    evaluators: readonly string[],
    rest: string | undefined,
  ])[] = [
    [
      "endpoints that have clusters of their own",
      [
        { name: "a", sets: [cluster("1"), cluster("2")] },
        { name: "b", sets: [cluster("3")] },
      ],
      {},
      ['a: {cluster="1"} {cluster="2"}', 'b: {cluster="3"}'],
      undefined,
    ],
    [
      "what does not evaluate is the rest",
      [
        { name: "a", sets: [cluster("1")] },
        { name: "store", evaluates: false, sets: [cluster("2")] },
      ],
      {},
      ['a: {cluster="1"}'],
      '{cluster="2"}',
    ],
    [
      "nobody whose older part somebody else has, where the question goes back so far",
      [
        { name: "a", sets: [cluster("1", 2)] },
        { name: "b", sets: [cluster("2", 2)] },
        { name: "history", evaluates: false, sets: [cluster("1", 1000, 2)] },
      ],
      { hours: 24 },
      ['b: {cluster="2"}'],
      '{cluster="1"} {cluster="1"}',
    ],
    [
      "but everybody for the newest part alone",
      [
        { name: "a", sets: [cluster("1", 3)] },
        { name: "history", evaluates: false, sets: [cluster("1", 1000, 2)] },
      ],
      { hours: 1 },
      ['a: {cluster="1"}'],
      undefined,
    ],
    [
      "a region that has its history itself, however far back",
      [{ name: "a", sets: [cluster("1", 2), cluster("1", 1000, 2)] }],
      { hours: 500 },
      ['a: {cluster="1"}'],
      undefined,
    ],
    [
      "no two replicas that are endpoints of their own: their series are one",
      [
        { name: "a-0", sets: [cluster("1", 2, 0, { replica: "0" })] },
        { name: "a-1", sets: [cluster("1", 2, 0, { replica: "1" })] },
      ],
      {},
      [],
      '{cluster="1"} {cluster="1"}',
    ],
    [
      "unless they are asked for as two",
      [
        { name: "a-0", sets: [cluster("1", 2, 0, { replica: "0" })] },
        { name: "a-1", sets: [cluster("1", 2, 0, { replica: "1" })] },
      ],
      { withoutLabels: [] },
      ['a-0: {cluster="1", replica="0"}', 'a-1: {cluster="1", replica="1"}'],
      undefined,
    ],
    [
      "replicas of a group as one",
      [
        { name: "a-0", group: "a", sets: [cluster("1")] },
        { name: "a-1", group: "a", sets: [cluster("1")] },
      ],
      {},
      ['a: {cluster="1"}'],
      undefined,
    ],
    [
      "nobody beside one that may have anything",
      [
        { name: "a", sets: [cluster("1")] },
        { name: "unlabelled", evaluates: false, sets: [[{}, 2, 0]] },
      ],
      {},
      [],
      '{cluster="1"} {}',
    ],
    [
      "whoever is beside one that has nothing",
      [
        { name: "a", sets: [cluster("1")] },
        { name: "empty", evaluates: false },
      ],
      {},
      ['a: {cluster="1"}'],
      undefined,
    ],
    [
      "only those whom the conditions concern",
      [
        { name: "a", sets: [cluster("1"), cluster("2")] },
        { name: "b", sets: [cluster("3")] },
        { name: "store", evaluates: false, sets: [cluster("3")] },
      ],
      { matchers: [{ type: "=", name: "cluster", value: "1" }] },
      ['a: {cluster="1"}'],
      undefined,
    ],
    [
      "not one that is away: who is asked for the rest says so",
      [
        { name: "a", sets: [cluster("1")] },
        { name: "b", isAway: true, expects: ["2"] },
      ],
      {},
      ['a: {cluster="1"}'],
      '{cluster="2"}',
    ],
    [
      "nobody by an expression that does not compile",
      [{ name: "a", sets: [cluster("1")] }],
      { matchers: [{ type: "=~", name: "x", value: "(" }] },
      [],
      "{}",
    ],
  ];
  for (const [rule, table, asked, evaluators, rest] of cases) {
    it(rule, async () => expect(await partitionOf(table, asked)).toEqual({ evaluators, rest }));
  }

  it("a querier above is not told of stores that have nothing", async () => {
    const { fanout } = await fanoutOf([
      { name: "a", sets: [cluster("1")] },
      { name: "empty", evaluates: false },
    ]);
    const { labelSets, tsdbInfos } = fanout.identity();
    expect([labelSets, tsdbInfos.length]).toEqual([[labelsFromRecord({ cluster: "1" })], 1]);
  });
});

const request: EvaluationRequest = {
  query: "sum(x)",
  startMs: nowMs,
  endMs: nowMs,
  stepMs: 0,
  lookbackMs: 300_000,
  evaluationIntervalMs: 60_000,
  features: [],
  withoutLabels: ["replica"],
  maxResolutionMs: 0,
  onFailure: "warn",
  timeoutMs: 120_000,
  samplesMax: 1000,
};

describe("replicas of a group", () => {
  const pair: readonly TableEndpoint[] = ["a-0", "a-1"].map((name) => ({
    name,
    group: "a",
    expects: ["1"],
    sets: [cluster("1")],
  }));
  const partition = { minTimeMs: nowMs - hourMs, maxTimeMs: nowMs, selections: [[]], withoutLabels: ["replica"] };

  it("one of them evaluates, the other one where it is out of reach", async () => {
    const { fanout, ports, asked } = await fanoutOf(pair);
    const [evaluator] = fanout.partition(partition).evaluators;
    expect(await evaluator?.evaluate(request, signal)).toMatchObject({ ok: true });
    const [first = ""] = asked;
    ports.network.unplug(first === "a-0" ? "127.0.0.1:1" : "127.0.0.1:2");
    expect(await evaluator?.evaluate(request, signal)).toMatchObject({ ok: true });
    expect(asked).toEqual([first, first === "a-0" ? "a-1" : "a-0"]);
  });

  it("are missing together, in the words of a fan-out", async () => {
    const { fanout, ports } = await fanoutOf(pair);
    const [evaluator] = fanout.partition(partition).evaluators;
    for (const port of [1, 2]) ports.network.unplug(`127.0.0.1:${port}`);
    const answer = await evaluator?.evaluate(request, signal);
    const [text] = answer?.ok === false && answer.failure.kind === "missing" ? answer.failure.texts : [];
    expect(text).toMatch(/^clusters missing from the answer: 1 of a: 1 \(.*127\.0\.0\.1:1.*127\.0\.0\.1:2.*\)$/);
  });

  it("clusters that are expected and not announced are told, unless the answer tells of them", async () => {
    const table = (warnings: readonly string[]) => [{ name: "a", expects: ["1", "2"], sets: [cluster("1")], warnings }];
    const away = ["clusters missing from the answer: 2 (away 127.0.0.1:9)"];
    const notAnnounced = ["clusters missing from the answer: 2 (not announced by 127.0.0.1:1)"];
    for (const [warnings, missing] of [
      [[], notAnnounced],
      [away, []],
    ] as const) {
      const { fanout } = await fanoutOf(table(warnings));
      const parts = fanout.partition(partition);
      const [evaluator] = parts.evaluators;
      expect(await evaluator?.evaluate(request, signal)).toMatchObject({ ok: true, value: { warnings } });
      expect(parts.missing()).toEqual(missing);
      const whole = await evaluator?.evaluate({ ...request, onFailure: "abort" }, signal);
      if (missing.length > 0) expect(whole).toMatchObject({ ok: false, failure: { kind: "missing", texts: missing } });
    }
  });

  it("parts that are missing for the same reason are told in one sentence", async () => {
    const names = ["1", "2", "3", "4", "5"];
    const { fanout, ports } = await fanoutOf(names.map((name) => ({ name, expects: [name], sets: [cluster(name)] })));
    const parts = fanout.partition(partition);
    for (const [i] of names.entries()) ports.network.unplug(`127.0.0.1:${i + 1}`);
    await Promise.all(parts.evaluators.map(async (one) => await one.evaluate(request, signal)));
    expect(parts.missing()).toEqual([
      expect.stringMatching(
        /^clusters missing from the answer: 1, 2, 3 and 2 more \(connection refused by .* and 2 more\)$/,
      ),
    ]);
  });
});
