import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quoteString, unquoteString } from "./go-strings.ts";

describe("quoteString", () => {
  for (const [rule, text, quoted] of [
    ["double quotes and backslashes", 'a"b\\c', String.raw`"a\"b\\c"`],
    ["not single quotes", "it's", `"it's"`],
    ["control characters by letter or number", "\u0007\n\u0000\u007f", String.raw`"\a\n\x00\x7f"`],
    ["what prints stays", "é€😀 ", '"é€😀 "'],
    ["what does not print becomes its number", "\u00a0\u200b\u{e0001}", String.raw`"\u00a0\u200b\U000e0001"`],
    ["bytes that are no UTF-8", "a\udcc5z", String.raw`"a\xc5z"`],
    ["the replacement character, which may not be written plainly", "\ufffd", String.raw`"\ufffd"`],
  ] as const) {
    it(rule, () => expect(quoteString(text)).toBe(quoted));
  }

  it("reads back as it was, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(unquoteString(quoteString(text))).toBe(text);
      }),
    );
  });
});

describe("unquoteString", () => {
  it("decodes bytes like a decoder does, but keeps those that are no UTF-8", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        const literal = `"${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}"`;
        const text = unquoteString(literal);
        // TextEncoder cannot write what is no UTF-8, so such texts only have to print back.
        if (text.isWellFormed()) expect(new TextEncoder().encode(text)).toEqual(bytes);
        else expect(unquoteString(quoteString(text))).toBe(text);
        expect(text.isWellFormed()).toBe(isUtf8(bytes));
      }),
      { numRuns: 500 },
    );
  });

  for (const [rule, literal, text] of [
    ["an overlong form", String.raw`"\xc0\x80"`, "\udcc0\udc80"],
    ["a surrogate in UTF-8", String.raw`"\xed\xa0\x80"`, "\udced\udca0\udc80"],
    ["beyond the last code point", String.raw`"\xf4\x90\x80\x80"`, "\udcf4\udc90\udc80\udc80"],
    ["cut short", String.raw`"\xe2\x82"`, "\udce2\udc82"],
    ["the last code point", String.raw`"\xf4\x8f\xbf\xbf"`, "\u{10ffff}"],
  ] as const) {
    it(`${rule}: ${literal}`, () => expect(unquoteString(literal)).toBe(text));
  }
});

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
