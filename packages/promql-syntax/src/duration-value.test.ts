import { describe, expect, it } from "vitest";
import { resolveDurationMs } from "./duration-value.ts";
import { parseExpression } from "./parse-expression.ts";

const context = { stepMs: 15_000, queryRangeMs: 3_600_000 };

function resolved(text: string): number | string {
  const expression = parseExpression(`a offset (${text})`);
  if (!expression.ok || expression.value.kind !== "vector-selector" || expression.value.offset === undefined) {
    throw new Error(`${text} is no duration`);
  }
  const ms = resolveDurationMs(expression.value.offset, context);
  return ms.ok ? ms.value : ms.failure;
}

describe("a duration comes to", () => {
  for (const [rule, text, expected] of [
    ["itself", "5m", 300_000],
    ["seconds, where it has no unit", "90", 90_000],
    ["whole milliseconds", "0.0019", 1],
    ["a product of seconds", "2m * 15", 1_800_000],
    ["what precedence makes of it", "30m1s-30m1s % 1m", 1_800_000],
    ["a power of seconds", "-2 ^ 2", -4_000],
    ["the step", "step() * 2", 30_000],
    ["the query range", "-range()", -3_600_000],
    ["the smaller one", "min_of(step(), 1s)", 1_000],
    ["the larger one", "max_of(step(), 1s)", 15_000],
    ["a remainder with the sign of the dividend", "-5 % 3", -2_000],
    ["nothing, divided by nothing", "1 / (step() - 15)", "division by zero"],
    ["nothing, modulo nothing", "1 % (step() - 15)", "modulo by zero"],
    ["nothing, if infinite", "1e9 ^ 1e9", "duration is NaN or infinite"],
    ["nothing, beyond 292 years", "200y * 2", "duration is out of range"],
  ] as const) {
    it(`${rule}: ${text}`, () => expect(resolved(text)).toBe(expected));
  }
});
