import { describe, expect, it } from "vitest";
import { expandClusterNames } from "./cluster-range.ts";
import { compareNames, nearestName } from "./name-order.ts";

describe("ranges of cluster names", () => {
  for (const [rule, text, names] of [
    ["a plain name is itself", "cluster-001", ["cluster-001"]],
    ["zeros are kept", "c-{08..11}", ["c-08", "c-09", "c-10", "c-11"]],
    ["without zeros the width grows", "c-{8..11}", ["c-8", "c-9", "c-10", "c-11"]],
    ["text may follow", "eu{1..2}-prod", ["eu1-prod", "eu2-prod"]],
    ["one is a range", "c{0..0}", ["c0"]],
  ] as const) {
    it(rule, () => expect(expandClusterNames(text)).toEqual({ ok: true, value: names }));
  }

  for (const [text, code] of [
    ["c-{2..1}", "RANGE_REVERSED"],
    ["c-{1..200001}", "RANGE_HUGE"],
    ["c-{1..999999999999}", "RANGE_HUGE"],
    ["c-{01..100}", "RANGE_SYNTAX"],
    ["c-{1..2}-{1..2}", "RANGE_SYNTAX"],
    ["c-{a..f}", "RANGE_SYNTAX"],
    ["c-{1..2", "RANGE_SYNTAX"],
    ["C-{1..2}", "NAME_DNS"],
    ["c-{1..2}-", "NAME_DNS"],
    [`c${"x".repeat(61)}{9..10}`, "NAME_DNS"],
    ["", "NAME_DNS"],
  ] as const) {
    it(`${text.slice(0, 20)}: ${code}`, () =>
      expect(expandClusterNames(text)).toMatchObject({ ok: false, failure: { code } }));
  }
});

describe("the order of names", () => {
  it("counts numbers as people do", () => {
    const names = ["node-10", "node-9", "a", "node-2b", "node-2", "node-02", "a1", "node"];
    expect(names.sort(compareNames)).toEqual(["a", "a1", "node", "node-02", "node-2", "node-2b", "node-9", "node-10"]);
  });

  it("compares numbers of any length", () => {
    expect(compareNames(`c${"9".repeat(40)}`, `c1${"0".repeat(40)}`)).toBeLessThan(0);
  });
});

describe("did you mean", () => {
  for (const [mistyped, meant] of [
    ["replcias", "replicas"],
    ["Replicas", "replicas"],
    ["memroy", "memory"],
    ["cup", "cpu"],
    ["xyz", undefined],
    ["something", undefined],
  ] as const) {
    it(`${mistyped}: ${meant ?? "nothing"}`, () =>
      expect(nearestName(mistyped, ["replicas", "cpu", "memory", "tiers"])).toBe(meant));
  }
});
