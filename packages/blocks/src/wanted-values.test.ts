import { emptyLabels, labelsFromRecord, type Matcher } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { blockOf, startMs } from "./block.fixtures.ts";
import { wantedValuesOf } from "./wanted-values.ts";

const matcher = (type: Matcher["type"], name: string, value: string): Matcher => ({ type, name, value });

it.each<[string, Matcher, ReturnType<typeof wantedValuesOf>]>([
  ["a value", matcher("=", "pod", "x"), [{ name: "pod", values: ["x"] }]],
  ["one of several", matcher("=~", "pod", "x|y\\.z"), [{ name: "pod", values: ["x", "y.z"] }]],
  ["series without the label", matcher("=", "pod", ""), []],
  ["series without the label among others", matcher("=~", "pod", "x|"), []],
  ["what an expression takes", matcher("=~", "pod", "x.*"), []],
  ["a wrong expression", matcher("=~", "pod", "x("), []],
  ["all but a value", matcher("!=", "pod", "x"), []],
  ["all but several", matcher("!~", "pod", "x|y"), []],
])("a matcher that asks for %s", (_, one, wanted) => expect(wantedValuesOf([one])).toEqual(wanted));

describe("a block of pods x and y, whose cluster is an external label", () => {
  const series = ["x", "y"].map((pod) => ({
    labels: labelsFromRecord({ __name__: "up", pod, cluster: "own" }),
    samples: [[startMs, 1]] as const,
  }));
  const externalLabels = labelsFromRecord({ cluster: "c1" });

  it.each<[boolean, readonly Matcher[]]>([
    [true, []],
    [true, [matcher("=", "pod", "x")]],
    [true, [matcher("=~", "pod", "w|y"), matcher("=", "__name__", "up")]],
    [false, [matcher("=", "pod", "w")]],
    [false, [matcher("=", "pod", "x"), matcher("=", "__name__", "down")]],
    [false, [matcher("=", "namespace", "n")]],
    [true, [matcher("=", "namespace", "")]],
    [true, [matcher("=~", "cluster", "c1|c2")]],
    [false, [matcher("=", "cluster", "own")]],
  ])("may have: %s %j", async (may, matchers) => {
    const block = await blockOf(series, { externalLabels });
    expect(block.mayHave(wantedValuesOf(matchers))).toBe(may);
  });

  it("may have anything where its label values are not in memory", async () => {
    const block = await blockOf(series, { externalLabels: emptyLabels, cacheBytesMax: 0 });
    expect(block.mayHave(wantedValuesOf([matcher("=", "pod", "w")]))).toBe(true);
    expect(block.mayHave(wantedValuesOf([matcher("=", "namespace", "n")]))).toBe(false);
  });
});
