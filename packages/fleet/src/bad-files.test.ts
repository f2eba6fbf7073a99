import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readFleet } from "./fleet-file.ts";
import { planFleet } from "./planner.ts";
import { fleetProblemCodes, formatFleetFailure, formatFleetProblemWithExcerpt } from "./problems.ts";

const folder = new URL("../testdata/bad/", import.meta.url);
const messages = readFileSync(new URL("messages.txt", folder), "utf8");

function failureOf(file: string) {
  const fleet = readFleet(readFileSync(new URL(file, folder), "utf8"), file);
  const plan = fleet.ok ? planFleet(fleet.value) : fleet;
  return plan.ok ? undefined : plan.failure;
}

describe("bad fleet files say what is wrong, where, and what would be right", () => {
  const cases = messages
    .trimEnd()
    .split("\n\n")
    .slice(1)
    .map((block) => block.split("\n"));

  for (const [rule = "", ...expected] of cases) {
    it(rule.slice(2), () => {
      const failure = failureOf(expected[0]!.split(":")[0]!);
      expect(failure === undefined ? [] : formatFleetFailure(failure).split("\n")).toEqual(expected);
    });
  }

  it("no file is forgotten", () => {
    const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
    expect(files.filter((name) => !messages.includes(`\n${name}:`))).toEqual([]);
  });

  it("every code has a file", () => {
    expect(Object.keys(fleetProblemCodes).filter((code) => !messages.includes(`[${code}]`))).toEqual([]);
  });
});

describe("excerpts for terminals", () => {
  const excerpts = (file: string) => failureOf(file)!.problems.map(formatFleetProblemWithExcerpt).join("\n");

  it("underline the value, or the key where the key is wrong", () => {
    expect(excerpts("replicas-quoted.yaml")).toBe(
      [
        'replicas-quoted.yaml:19:33: roles.regional-querier.replicas: expected a whole number from 1 to 16, found "2"; remove the quotes [TYPE]',
        '  19 |   regional-querier: { replicas: "2", cpu: 500m, memory: 1Gi }',
        "     |                                 ^^^",
      ].join("\n"),
    );
    expect(excerpts("duplicate-node.yaml").split("\n").slice(1)).toEqual([
      "  6 |   node-2: { tier: 2, role: regional, cores: 4, memory: 8Gi, disk: 100Gi, network: 1Gbit/s }",
      "    |   ^^^^^^",
    ]);
  });

  it("never show credentials", () => {
    expect(excerpts("urls.yaml")).not.toMatch(/admin|secret/);
    expect(excerpts("urls.yaml")).toContain('url: "http://************@10.0.0.1/metrics"');
  });

  it("keep tabs, so that the caret stands below its character", () => {
    expect(excerpts("tab-indent.yaml").split("\n").slice(1)).toEqual(["  10 | \tseries: 20k", "     | ^"]);
  });
});
