import { planFleet, readFleet } from "@pleiad/fleet";
import { describe, expect, it } from "vitest";
import { findingRules, findingsToJson, findingsToSarif, lintFleet } from "./index.ts";
import { read } from "./page-examples.testing.ts";

const name = "fleets/seven-nodes-as-designed.yaml";
const fleet = readFleet(read(name), name);
if (!fleet.ok) throw new Error("the design as written cannot be read");
const plan = planFleet(fleet.value);
if (!plan.ok) throw new Error("the design as written cannot be planned");
const findings = lintFleet({ fleet: fleet.value, plan: plan.value });

interface Log {
  readonly version: string;
  readonly runs: readonly {
    readonly tool: {
      readonly driver: { readonly version: string; readonly rules: readonly { readonly id: string }[] };
    };
    readonly results: readonly {
      readonly ruleId: string;
      readonly level: string;
      readonly locations: readonly {
        readonly physicalLocation: {
          readonly artifactLocation: { readonly uri: string };
          readonly region: { readonly startLine: number; readonly startColumn: number; readonly endColumn: number };
        };
      }[];
    }[];
  }[];
}

describe("SARIF", () => {
  const log = JSON.parse(findingsToSarif(findings, "1.2.3")) as Log;
  const [run] = log.runs;

  it("is of version 2.1.0, with all rules and the tool's version", () => {
    expect(log.version).toBe("2.1.0");
    expect(run?.tool.driver.version).toBe("1.2.3");
    expect(run?.tool.driver.rules.map(({ id }) => id)).toEqual(findingRules.map(({ code }) => code));
  });

  it("has a result for every finding, where it stands in the file", () => {
    const lines = read(name).split("\n");
    expect(run?.results.length).toBe(findings.length);
    for (const { locations } of run?.results ?? []) {
      const { artifactLocation, region } = locations[0]?.physicalLocation ?? {};
      expect(artifactLocation?.uri).toBe(name);
      const line = lines[(region?.startLine ?? 0) - 1] ?? "";
      expect(line.slice((region?.startColumn ?? 0) - 1, (region?.endColumn ?? 0) - 1).trim()).not.toBe("");
    }
  });

  it("takes what is fatal or high for an error", () => {
    const levels = new Set(findings.map(({ severity }, i) => `${severity} ${run?.results[i]?.level ?? ""}`));
    expect([...levels].sort()).toEqual(["fatal error", "high error", "low note", "medium warning"]);
  });
});

it("JSON counts findings by severity, none left out", () => {
  const { counts, findings: listed } = JSON.parse(findingsToJson(findings)) as {
    counts: Record<string, number>;
    findings: readonly unknown[];
  };
  expect(Object.keys(counts)).toEqual(["fatal", "high", "medium", "low"]);
  expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(listed.length);
});
