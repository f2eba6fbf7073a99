import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { labelNameOfPath } from "./label-name.ts";

describe("label names in paths", () => {
  for (const [rule, segment, name] of [
    ["a plain name", "job", "job"],
    ["the metric name", "__name__", "__name__"],
    ["any other character may stand in it", "http.status-ü", "http.status-ü"],
    ["also a digit in front", "1a", "1a"],
    ["an escaped dot", "U__http_2e_status", "http.status"],
    ["a double underscore is one", "U__http_2e_status__code", "http.status_code"],
    ["a character beyond the first plane", "U___1f600_", "\u{1f600}"],
    ["a broken escape stands as it is", "U__a_zz_", "U__a_zz_"],
    ["an unfinished one too", "U__a_2e", "U__a_2e"],
    ["and a surrogate", "U___d800_", "U___d800_"],
    ["and one past the last character", "U___110000_", "U___110000_"],
  ] as const) {
    it(`${rule}: ${segment}`, () => expect(labelNameOfPath(segment)).toBe(name));
  }

  it("undoes the escaping of any name", () => {
    const escapeCharacter = (character: string) => {
      if (character === "_") return "__";
      return /[a-zA-Z0-9:]/.test(character) ? character : `_${character.codePointAt(0)?.toString(16)}_`;
    };
    const escape = (name: string) => `U__${Array.from(name, escapeCharacter).join("")}`;
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (name) => {
        expect(labelNameOfPath(escape(name))).toBe(name);
      }),
    );
  });
});
