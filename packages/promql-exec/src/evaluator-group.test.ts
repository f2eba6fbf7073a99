/** Evaluators that evaluate over the sources of all: when they do, and that it is the same as a region's answer. */
import { labelsFromRecord, labelsToRecord, type EvaluationRequest, type SeriesSource } from "@pleiad/model";
import { manualClock, silentObservations } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { createEngine, defaultEngineOptions } from "./engine.ts";
import { engineEvaluators } from "./evaluator-group.ts";
import { joinedSources, loadedSource } from "./test-script-sources.ts";

const engine = createEngine(defaultEngineOptions, { clock: manualClock(), observations: silentObservations() });
const { signal } = new AbortController();
const request: EvaluationRequest = {
  query: "sum by (region) (g)",
  ...{ startMs: 300_000, endMs: 300_000, stepMs: 0 },
  ...{ lookbackMs: 300_000, evaluationIntervalMs: 60_000, features: undefined },
  ...{ withoutLabels: ["replica"], maxResolutionMs: 0, onFailure: "warn", timeoutMs: 120_000, samplesMax: Infinity },
};

function storedWith(labels: string, from: number): SeriesSource {
  return loadedSource(`load 1m\n  g{${labels}, pod="1"} ${from}+1x10\n  g{${labels}, pod="2"} ${from}0+1x10\n`);
}

function openGroup(labelSets: readonly Readonly<Record<string, string>>[]) {
  const group = engineEvaluators(engine, defaultEngineOptions, joinedSources);
  const members = labelSets.map((labels, i) => {
    const text = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
    return group.add(storedWith(text.join(", "), i + 1), labelsFromRecord(labels), `member ${i}`);
  });
  return { group, members };
}

const region = [
  { cluster: "a", region: "eu" },
  { cluster: "b", region: "eu" },
  { cluster: "c", region: "us" },
];

describe("evaluators of one process", () => {
  it.each([
    [
      "sum by (region) (g)",
      [
        ["eu", 53],
        ["us", 43],
      ],
    ],
    ["count(g)", [[undefined, 6]]],
    ["topk(1, g)", [["us", 35]]],
    [`max by (region) (g{cluster!="c"})`, [["eu", 25]]],
  ] as const)("give one answer to %s", async (query, expected) => {
    const { group, members } = openGroup(region);
    const result = await group.together(members, request)?.evaluate({ ...request, query }, signal);
    if (result?.ok !== true) throw new Error("no answer");
    const got = result.value.series.map(({ labels, values }) => [labelsToRecord(labels)["region"], values[0]]);
    expect(got).toEqual(expected);
  });

  it("answers only for those that are asked", async () => {
    const { group, members } = openGroup(region);
    const result = await group.together(members.slice(1), request)?.evaluate({ ...request, query: "count(g)" }, signal);
    expect(result).toMatchObject({ ok: true, value: { series: [{ values: Float64Array.of(4) }] } });
  });

  it.each([
    ["external labels are the same", [{ cluster: "a" }, { cluster: "a" }]],
    [
      "replica labels alone tell them apart",
      [
        { cluster: "a", replica: "0" },
        { cluster: "a", replica: "1" },
      ],
    ],
    [
      "one has a label more, which a series of the other may have, too",
      [{ cluster: "a" }, { cluster: "a", region: "eu" }],
    ],
    ["one has none", [{ cluster: "a" }, {}]],
  ] as const)("are asked by themselves where %s", (_rule, labelSets) => {
    const group = engineEvaluators(engine, defaultEngineOptions, joinedSources);
    const members = labelSets.map((labels) => group.add(joinedSources([]), labelsFromRecord(labels), "one"));
    expect(group.together(members, request)).toBeUndefined();
    expect(group.together(members, request)).toBeUndefined();
  });

  it("are told apart by replica labels where those are kept", () => {
    const { group, members } = openGroup([
      { cluster: "a", replica: "0" },
      { cluster: "a", replica: "1" },
    ]);
    expect(group.together(members, { ...request, withoutLabels: [] })).toBeDefined();
    expect(group.together(members, request)).toBeUndefined();
  });

  it("have nothing together with those of another group", () => {
    const { group, members } = openGroup(region);
    const other = openGroup(region);
    expect(group.together([...members.slice(0, 2), ...other.members.slice(2)], request)).toBeUndefined();
  });
});
