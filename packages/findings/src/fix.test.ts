import { planFleet, readFleet } from "@pleiad/fleet";
import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { findingRules, findingsFrom, fixFleet, pageOf } from "./index.ts";
import { examplesOf, exampleText, goodText, read } from "./page-examples.testing.ts";

describe("the design as written, corrected", () => {
  const text = read("fleets/seven-nodes-as-designed.yaml");
  const fixed = fixFleet(text, "fleet.yaml");
  if (!fixed.ok) throw new Error(JSON.stringify(fixed.failure));

  it("has nothing fatal and nothing high, and plans", () => {
    expect(findingsFrom(fixed.value.left, "high")).toEqual([]);
    const fleet = readFleet(fixed.value.text, "fleet.yaml");
    expect(fleet.ok && planFleet(fleet.value).ok).toBe(true);
  });

  it("keeps what it has nothing against, comments included", () => {
    expect(fixed.value.text).toMatch(/^# Seven monitoring nodes watch 220 clusters/);
    expect(fixed.value.text).toContain("regions: # one node each, with all that the region has");
    const nodes = /^nodes:\n(?: {2}.*\n)+/m;
    expect(nodes.exec(fixed.value.text)?.[0]).toBe(nodes.exec(text)?.[0]);
  });

  it("changes no line that no finding is about", () => {
    const before = new Set(text.split("\n"));
    const changed = fixed.value.text.split("\n").filter((line) => !before.has(line));
    expect(changed.map((line) => line.trim().split(":")[0])).toMatchInlineSnapshot(`
      [
        "queryMode",
        "versions",
        "replicaLabels",
        "retention",
        "reserve",
        "a1",
        "a2",
        "a3",
        "bcd",
        "global-store-gateway",
        "regional-store-gateway",
        "compactor",
        "ruler",
        "alertmanager",
        "grafana",
        "object-store",
        "query-frontend",
        "monitoring-agent",
        "leaf-querier",
        "concurrentPerQuerier",
        "kind",
        "retention",
        "controlPlane",
      ]
    `);
  });

  it("has nothing to correct any more", () => {
    const again = fixFleet(fixed.value.text, "fleet.yaml");
    expect(again.ok && again.value.text).toBe(fixed.value.text);
  });
});

it("a file without findings is not touched", () => {
  expect(fixFleet(goodText, "good.yaml")).toMatchObject({ ok: true, value: { text: goodText, fixed: [], left: [] } });
});

it("a file that does not plan is refused with its problems", () => {
  expect(fixFleet("version: 1\n", "f.yaml")).toMatchObject({ ok: false, failure: { kind: "invalid-fleet" } });
});

it("of any faults together, what can be corrected is, once and for all", () => {
  const patches = findingRules.map(({ code }) => examplesOf(read(pageOf(code))).found);
  fc.assert(
    fc.property(fc.shuffledSubarray(patches, { maxLength: 12 }), (some) => {
      const fixed = fixFleet(exampleText(...some), "fleet.yaml");
      // Faults may exclude each other, and a correction may need more room than four nodes have.
      if (!fixed.ok) return;
      // What the file accepts is left as it is.
      const left = fixed.value.left.filter(({ accepted }) => accepted === undefined);
      expect(left.filter(({ edits }) => edits.length > 0)).toEqual([]);
      expect(fixed.value.fixed.filter(({ accepted }) => accepted !== undefined)).toEqual([]);
      const again = fixFleet(fixed.value.text, "fleet.yaml");
      expect(again).toMatchObject({ ok: true, value: { text: fixed.value.text, fixed: [] } });
    }),
    { numRuns: 60 },
  );
});
