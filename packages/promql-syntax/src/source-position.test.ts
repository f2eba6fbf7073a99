import { describe, expect, it } from "vitest";
import { positionOf, utf8Length } from "./source-position.ts";

describe("positions", () => {
  for (const [rule, text, offset, line, column] of [
    ["count from one", "abc", 0, 1, 1],
    ["reach the end of the text", "abc", 3, 1, 4],
    ["count bytes", "é😀x", 3, 1, 7],
    ["begin anew in each line", "a\nbc\nd", 3, 2, 2],
    ["put a line break at the end of its line", "a\nb", 1, 1, 2],
  ] as const) {
    it(rule, () => expect(positionOf(text, offset)).toEqual({ line, column }));
  }
});

describe("utf8Length", () => {
  for (const text of ["", "abc", "é", "€", "😀", "\ud800", "a\udc00b"]) {
    it(JSON.stringify(text), () => expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length));
  }
});
