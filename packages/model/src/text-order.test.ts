import fc from "fast-check";
import { expect, it } from "vitest";
import { compareText, uniteTexts } from "./text-order.ts";

const ascending = (texts: Iterable<string>): string[] => [...new Set(texts)].sort(compareText);

it("a union of lists has each text of any of them once, in the order of UTF-8 bytes", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.string({ unit: "binary", maxLength: 3 })), { maxLength: 9 }), (lists) => {
      expect(uniteTexts(lists.map(ascending))).toEqual(ascending(lists.flat()));
    }),
  );
});

it.each([
  ["lists that go on one behind the other", [["a", "b"], ["c"], ["d", "e"]], ["a", "b", "c", "d", "e"]],
  [
    "equal lists",
    [
      ["a", "b"],
      ["a", "b"],
      ["a", "b"],
    ],
    ["a", "b"],
  ],
  ["one list", [["a", "b"]], ["a", "b"]],
  ["empty lists", [[], [], []], []],
  ["no list", [], []],
])("%s", (_, lists, united) => expect(uniteTexts(lists)).toEqual(united));
