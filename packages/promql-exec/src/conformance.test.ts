/**
 * Prometheus's own test scripts, as written and again inside a range query. Gaps stand in testdata/known-gaps.txt, one a
 * line, `file:line reason`; a gap that passes is a failure too. The scripts lie in the folder that
 * PLEIAD_PROMQL_CONFORMANCE names.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { silentObservations, manualClock } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { createEngine, defaultEngineOptions } from "./engine.ts";
import { runScript } from "./test-script-runner.ts";
import { parseTestScript } from "./test-script.ts";

const repository = join(import.meta.dirname, "../../..");
const folder = process.env["PLEIAD_PROMQL_CONFORMANCE"] ?? join(repository, "../shared/conformance/promql");
const gapsFile = join(import.meta.dirname, "../testdata/known-gaps.txt");

const scripts = [
  "literals",
  "selectors",
  "staleness",
  "trig_functions",
  "collision",
  "operators",
  "aggregators",
  "functions",
  "subquery",
  "at_modifier",
  "range_queries",
  "histograms",
  "limit",
  "name_label_dropping",
  "duration_expression",
  "fill-modifier",
  "type_and_unit",
];

const knownGaps = new Map(
  readFileSync(gapsFile, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)] as const),
);

describe.skipIf(!existsSync(folder))("Prometheus's test scripts", () => {
  for (const name of scripts) {
    it(name, async () => {
      const commands = parseTestScript(readFileSync(join(folder, `${name}.test`), "utf8"));
      if (!commands.ok) throw new Error(`${name}:${commands.failure.line}: ${commands.failure.reason}`);
      const ports = { clock: manualClock(), observations: silentObservations() };
      const engine = createEngine({ ...defaultEngineOptions, experimentalFunctions: true, delayedNameRemoval: true }, ports);
      const surprises: string[] = [];
      for (const { command, fault } of await runScript(commands.value, engine)) {
        const place = `${name}.test:${command.line}`;
        if (fault !== undefined && !knownGaps.has(place)) surprises.push(`${place} ${fault} | ${command.query}`);
        if (fault === undefined && knownGaps.has(place)) surprises.push(`${place} passes: take it off the list`);
      }
      expect(surprises).toEqual([]);
    });
  }
});
