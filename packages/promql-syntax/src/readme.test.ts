import { expect, it } from "vitest";
import { formatExpression, parseExpression, parseSelector, resolveDurationMs, typeOf } from "./index.ts";

it("the example of the README holds", () => {
  const text = 'sum by (job) (rate(http_requests_total{code=~"5.."}[5m])) > 0.5';
  const parsed = parseExpression(text);
  if (!parsed.ok) throw new Error(parsed.failure.message);
  expect(typeOf(parsed.value)).toBe("vector");
  expect(formatExpression(parsed.value)).toBe(text);

  const unclosed = parseExpression("sum(up");
  expect(unclosed.ok ? "" : unclosed.failure.message).toBe("1:7: parse error: unclosed left parenthesis");

  const selector = parseSelector('up{region="eu"}');
  expect(selector.ok && selector.value.map(({ value }) => value)).toEqual(["eu", "up"]);

  const ranged = parseExpression("up[2 * step()]");
  if (!ranged.ok || ranged.value.kind !== "matrix-selector") throw new Error("no range");
  expect(resolveDurationMs(ranged.value.window, { stepMs: 15_000, queryRangeMs: 0 })).toEqual({
    ok: true,
    value: 30_000,
  });
});
