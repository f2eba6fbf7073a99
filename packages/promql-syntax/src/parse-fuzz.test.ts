/** Any text at all: the parser gives a tree that prints back, or a failure that points into the text. Never more. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { experimentalParseOptions } from "./ast.ts";
import { anyQuery, withoutRanges } from "./expression.testing.ts";
import { parseExpression } from "./parse-expression.ts";
import { formatExpression } from "./printer.ts";

const options = experimentalParseOptions;

const pieces = fc.constantFrom(
  ...["sum", "rate", "up", "by", "on", "ignoring", "group_left", "offset", "bool", "and", "fill", "info", "anchored"],
  ...["(", ")", "{", "}", "[", "]", ",", ":", "@", "=", "=~", "!~", "!=", "==", "</", ">/", "+", "-", "*", "^", "%"],
  ...["1", "0x", "1e", "5m", "1d5", "Inf", "'", '"', "`", "\\", '"\\xff"', "#", "\n", "\t", "\u00a0", "é", "😀", "\0"],
  ...["start()", "step()", "min_of(1,2)", "[5m:1m]", "[5m]", "{a='b'}", "\ud800"],
);

const soup = fc.array(pieces, { maxLength: 25 }).chain((parts) => fc.constantFrom(parts.join(""), parts.join(" ")));

/** A valid query with one stretch replaced by anything. */
const damaged = fc
  .tuple(anyQuery, fc.nat(), fc.nat({ max: 5 }), fc.oneof(pieces, fc.string({ unit: "binary", maxLength: 3 })))
  .map(([query, at, length, text]) => {
    const from = at % (query.length + 1);
    return query.slice(0, from) + text + query.slice(from + length);
  });

describe.each([
  ["a soup of tokens", soup],
  ["a query with a piece replaced", damaged],
  ["any characters", fc.string({ unit: "binary", maxLength: 40 })],
] as const)("%s", (_, texts) => {
  it("parses and prints back, or fails at a place that it has", () => {
    fc.assert(
      fc.property(texts, (text) => {
        const parsed = parseExpression(text, options);
        if (parsed.ok) {
          const again = parseExpression(formatExpression(parsed.value), options);
          expect(again.ok && withoutRanges(again.value)).toBe(withoutRanges(parsed.value));
          return;
        }
        const { line, column, reason, message } = parsed.failure;
        const lines = text.split("\n");
        expect(line).toBeGreaterThanOrEqual(1);
        expect(line).toBeLessThanOrEqual(lines.length);
        expect(column).toBeGreaterThanOrEqual(1);
        expect(column).toBeLessThanOrEqual(new TextEncoder().encode(lines[line - 1]).length + 1);
        // In an empty text, Prometheus knows no place.
        const place = text === "" ? "unknown position" : `${line}:${column}`;
        expect(message).toBe(`${place}: parse error: ${reason}`);
      }),
      { numRuns: 1500 },
    );
  });
});
