import fc from "fast-check";
import { labelPairs, labelsFromRecord, labelValue, type Labels } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { overlappingParts } from "./disjoint-parts.ts";

type Part = readonly Readonly<Record<string, string>>[];

const overlapping = (...parts: readonly Part[]) => [
  ...overlappingParts(parts.map((sets) => sets.map(labelsFromRecord))),
];

describe("parts that may share series", () => {
  const cases: readonly (readonly [rule: string, parts: readonly Part[], overlapping: readonly number[]])[] = [
    ["none where there are none", [], []],
    ["a part does not meet itself", [[{ cluster: "1" }, { cluster: "1" }]], []],
    ["a label that differs keeps them apart", [[{ cluster: "1" }], [{ cluster: "2" }, { cluster: "3" }]], []],
    ["the same labels meet", [[{ cluster: "1" }], [{ cluster: "2" }], [{ cluster: "1" }]], [0, 2]],
    ["a set with more labels meets one with some of them", [[{ cluster: "1", zone: "x" }], [{ cluster: "1" }]], [0, 1]],
    ["labels that only one has keep nothing apart", [[{ cluster: "1" }], [{ zone: "x" }]], [0, 1]],
    ["no labels at all meet everything", [[{ cluster: "1" }], [{ cluster: "2" }], [{}]], [0, 2, 1]],
    [
      "any one of the sets is enough",
      [
        [{ cluster: "1" }, { cluster: "2" }],
        [{ cluster: "3" }, { cluster: "2" }],
      ],
      [0, 1],
    ],
    ["a part of which nothing is known meets none", [[{ cluster: "1" }], []], []],
  ];
  for (const [rule, parts, wanted] of cases) {
    it(rule, () => expect(overlapping(...parts).sort()).toEqual([...wanted].sort()));
  }

  it("are found as by comparing every set with every other one", () => {
    const set = fc.dictionary(fc.constantFrom("cluster", "region", "zone"), fc.constantFrom("1", "2", "3"));
    fc.assert(
      fc.property(fc.array(fc.array(set, { maxLength: 4 }), { maxLength: 5 }), (parts) => {
        const sets = parts.map((part) => part.map(labelsFromRecord));
        const meet = (a: Labels, b: Labels) =>
          [...labelPairs(a)].every(([name, value]) => ["", value].includes(labelValue(b, name)));
        const wanted = sets.flatMap((part, i) =>
          sets.some((other, j) => i !== j && part.some((a) => other.some((b) => meet(a, b)))) ? [i] : [],
        );
        expect([...overlappingParts(sets)].sort()).toEqual(wanted);
      }),
    );
  });
});
