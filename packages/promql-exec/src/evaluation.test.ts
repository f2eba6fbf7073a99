/** The engine by scripts of our own, in testdata: every feature that is evaluated, as written and inside a range query. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { manualClock, silentObservations } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { createEngine, defaultEngineOptions } from "./engine.ts";
import { runScript } from "./test-script-runner.ts";
import { parseTestScript } from "./test-script.ts";

const folder = join(import.meta.dirname, "../testdata");

describe("the engine evaluates", () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".test"))) {
    it(file, async () => {
      const commands = parseTestScript(readFileSync(join(folder, file), "utf8"));
      if (!commands.ok) throw new Error(`${file}:${commands.failure.line}: ${commands.failure.reason}`);
      const ports = { clock: manualClock(), observations: silentObservations() };
      const engine = createEngine({ ...defaultEngineOptions, experimentalFunctions: true }, ports);
      const outcomes = await runScript(commands.value, engine);
      const faults = outcomes.filter(({ fault }) => fault !== undefined);
      expect(faults.map(({ command, fault }) => `${file}:${command.line} ${command.query}: ${fault}`)).toEqual([]);
    });
  }
});
