/**
 * Prometheus's own test scripts, as written and again inside a range query. Gaps stand in testdata/known-gaps.txt, one a
 * line, `file:line reason`; a gap that passes is a failure too. The scripts lie in the folder that
 * PLEIAD_PROMQL_CONFORMANCE names.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { silentObservations, manualClock } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { commandsOf, conformanceFolder, conformanceScripts as scripts } from "./conformance-scripts.acceptance.ts";
import { createEngine, defaultEngineOptions } from "./engine.ts";
import { allFeatures } from "./features.ts";
import { plainSettings, runScript } from "./test-script-runner.ts";
import { createScriptStorage } from "./test-script-storage.ts";

const gapsFile = join(import.meta.dirname, "../testdata/known-gaps.txt");

/** Evals of the 21 scripts of Prometheus 3.14. */
const evalsExpected = 2195;

/** The settings that the scripts assume. */
const scriptOptions = {
  ...defaultEngineOptions,
  limits: { ...defaultEngineOptions.limits, samplesMax: 10_000 },
  leafResultsMin: 0, // scripts have few series, and shall try the tasks
  features: allFeatures,
};

const knownGaps = new Map(
  readFileSync(gapsFile, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)] as const),
);

describe.skipIf(scripts.length === 0)(`Prometheus's test scripts in ${conformanceFolder}`, () => {
  for (const name of scripts) {
    it(name, async () => {
      const ports = { clock: manualClock(), observations: silentObservations() };
      const surprises: string[] = [];
      for (const { command, fault } of await runScript(commandsOf(name), createEngine(scriptOptions, ports))) {
        const place = `${name}:${command.line}`;
        if (fault !== undefined && !knownGaps.has(place)) surprises.push(`${place} ${fault} | ${command.query}`);
        if (fault === undefined && knownGaps.has(place)) surprises.push(`${place} passes: take it off the list`);
      }
      expect(surprises).toEqual([]);
    });
  }

  it("have a plan of one line for each query that parses", () => {
    const engine = createEngine(scriptOptions, { clock: manualClock(), observations: silentObservations() });
    const storage = createScriptStorage();
    const plans: string[] = [];
    for (const command of scripts.flatMap(commandsOf)) {
      if (command.kind !== "eval") continue;
      const { query, startMs, endMs, stepMs } = command;
      const times = stepMs === 0 ? { timeMs: startMs } : { startMs, endMs, stepMs };
      const explained = engine.explain({ query, ...times, select: plainSettings }, storage.source);
      if (explained.ok) plans.push(explained.value.plan);
    }
    expect(plans.filter((plan) => plan === "" || plan.includes("\n"))).toEqual([]);
    expect(plans.length).toBeGreaterThan(2100);
  });

  it("are all there, with all their evals", () => {
    const evals = scripts.flatMap(commandsOf).filter(({ kind }) => kind === "eval");
    expect([scripts.length, evals.length]).toEqual([21, evalsExpected]);
  });

  it("have every eval that the list of gaps names", () => {
    const places = scripts.flatMap((name) => commandsOf(name).map(({ line }) => `${name}:${line}`));
    expect([...knownGaps.keys()].filter((place) => !places.includes(place))).toEqual([]);
  });
});
