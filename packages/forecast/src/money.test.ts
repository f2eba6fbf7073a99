import { describe, expect, it } from "vitest";
import { formatMoney, roundToCent } from "./money.ts";

describe("money", () => {
  for (const [rule, micros, currency, text] of [
    ["thousands are grouped", 16_780_000_000, "USD", "$16,780.00"],
    ["cents have two digits", 5_000_000, "USD", "$5.00"],
    ["half a cent goes up", 1_005_000, "USD", "$1.01"],
    ["what is owed has a sign", -5_780_000_000, "USD", "−$5,780.00"],
    ["less than half a cent of it has none", -4000, "USD", "$0.00"],
    ["another currency is named", 1_234_567_890_000, "EUR", "1,234,567.89 EUR"],
  ] as const) {
    it(rule, () => {
      expect(formatMoney(micros, currency)).toBe(text);
    });
  }

  it("is rounded to whole cents", () => {
    expect(roundToCent(76_272_727.27)).toBe(76_270_000);
  });
});
