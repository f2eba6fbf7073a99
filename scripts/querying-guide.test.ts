/** What the guide to querying promises, held against what is built. */
import { readFileSync } from "node:fs";
import { defaultHttpApiLimits } from "@pleiad/http-api";
import { cursorOf, ok, type SeriesSource } from "@pleiad/model";
import { manualClock, silentObservations } from "@pleiad/ports/testing";
import { allFeatures, createEngine, defaultEngineOptions, defaultLimits, featuresOf } from "@pleiad/promql-exec";
import { defaultParseOptions } from "@pleiad/promql-syntax";
import { expect, it } from "vitest";

const guide = readFileSync(new URL("../docs/guide/querying.md", import.meta.url), "utf8");

/** The cells of the rows whose first cell is code, or begins with the given words. */
function rowOf(words: string): readonly string[] {
  const line = guide.split("\n").find((one) => one.startsWith(`| ${words}`));
  return (line ?? "").split("|").map((cell) => cell.trim());
}

it("names all features, and no others", () => {
  const named = [...guide.matchAll(/^\| `([a-z-]+)` /gm)].map(([, name]) => name ?? "");
  expect(featuresOf(named)).toEqual(ok(allFeatures));
  expect(new Set(named).size).toBe(Object.keys(allFeatures).length);
});

it.each([
  ["text of a query", `${defaultParseOptions.textBytesMax / 2 ** 20} MiB`],
  ["levels of parentheses", String(defaultParseOptions.nestingMax)],
  ["operands of a chain", String(defaultParseOptions.treeDepthMax)],
  ["steps of a range query", defaultLimits.stepsMax.toLocaleString("en")],
  ["samples in memory", `${defaultLimits.samplesMax / 1e6} M`],
  ["memory", `${(defaultLimits.memoryBytesMax / 2 ** 20).toLocaleString("en")} MiB`],
  ["time", `${defaultLimits.timeoutMs / 1000} s`],
  ["queries at once", String(defaultHttpApiLimits.concurrentQueriesMax)],
])("has the limit of %s", (what, limit) => {
  expect(rowOf(what)[2]).toBe(limit);
});

it("says how many queries wait", () => {
  expect(rowOf("queries at once")[3]).toContain(`next ${defaultHttpApiLimits.waitingQueriesMax} wait`);
});

it("explains its example as it is explained", () => {
  const none = async () => ok({ values: [], warnings: [] });
  const source: SeriesSource = { select: () => cursorOf([]), labelNames: none, labelValues: none };
  const engine = createEngine(defaultEngineOptions, { clock: manualClock(), observations: silentObservations() });
  const query = /pleiad query '(.*)' --step 60 --analyze/.exec(guide)?.[1] ?? "";
  const select = { withoutLabels: [], maxResolutionMs: 0, onFailure: "warn" } as const;
  const explained = engine.explain({ query, startMs: 0, endMs: 3_600_000, stepMs: 60_000, select }, source);
  if (!explained.ok) throw new Error(explained.failure.message);
  const { plan, operators } = explained.value;
  expect(guide).toContain(`\n${plan}\nOPERATOR`);
  const table = /^OPERATOR.*\n([^]*?)^```/m.exec(guide)?.[1] ?? "";
  expect(
    table
      .trimEnd()
      .split("\n")
      .map((line) => line.replace(/ {2,}(?:\d|by its reader).*/, "")),
  ).toEqual(operators);
});
