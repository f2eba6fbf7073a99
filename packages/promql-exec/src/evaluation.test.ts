/** The engine by scripts of our own, in testdata: every feature that is evaluated, as written and inside a range query. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { manualClock, silentObservations } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { createEngine, defaultEngineOptions } from "./engine.ts";
import { allFeatures } from "./features.ts";
import { runScript } from "./test-script-runner.ts";
import { parseTestScript } from "./test-script.ts";

const folder = join(import.meta.dirname, "../testdata");

describe("the engine evaluates", () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".test"))) {
    it(file, async () => {
      expect(await faultsOf(readFileSync(join(folder, file), "utf8"))).toEqual([]);
    });
  }

  it("ten thousand series", { timeout: 30_000 }, async () => {
    const series = Array.from({ length: 10_000 }, (_, i) => `  x{i="${i}", tens="${Math.floor(i / 10)}"} ${i}+1x2`);
    const script = `
load 30s
${series.join("\n")}

eval instant at 1m count(x)
  {} 10000

eval instant at 1m sum(x)
  {} 50015000

eval instant at 1m count(sum by (tens) (x))
  {} 1000

eval instant at 1m topk(2, x)
  expect ordered
  x{i="9999", tens="999"} 10001
  x{i="9998", tens="999"} 10000

eval range from 30s to 1m step 30s max(rate(x[1m]))
  {} 0.03333333333333333 0.03333333333333333
`;
    expect(await faultsOf(script)).toEqual([]);
  });
});

/** `line query: what is wrong` of each eval of a script that does not pass. */
async function faultsOf(script: string): Promise<readonly string[]> {
  const commands = parseTestScript(script);
  if (!commands.ok) throw new Error(`${commands.failure.line}: ${commands.failure.reason}`);
  const ports = { clock: manualClock(), observations: silentObservations() };
  const engine = createEngine(
    { ...defaultEngineOptions, features: { ...allFeatures, delayedNameRemoval: false } },
    ports,
  );
  const outcomes = await runScript(commands.value, engine);
  return outcomes.flatMap(({ command, fault }) =>
    fault === undefined ? [] : [`${command.line} ${command.query}: ${fault}`],
  );
}
