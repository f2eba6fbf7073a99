import { describe, expect, it } from "vitest";
import { createSampleBudget } from "./limits.ts";

describe("the budget of a query", () => {
  it("remembers the most that was held", () => {
    const budget = createSampleBudget({ samplesMax: 10, memoryBytesMax: 1000 });
    budget.take(4);
    budget.take(5);
    budget.give(7);
    budget.take(1);
    expect(budget.peak).toBe(9);
  });

  it("counts what is no sample as memory alone", () => {
    const budget = createSampleBudget({ samplesMax: 10, memoryBytesMax: 1000 });
    budget.take(10);
    budget.takeBytes(840);
    expect(budget.peak).toBe(10);
    expect(() => budget.takeBytes(1)).toThrow("more than 0 MiB of memory");
    budget.giveBytes(841);
    budget.give(1);
    expect(() => budget.take(2)).toThrow("too many samples");
  });

  for (const [rule, limits, message] of [
    [
      "samples beyond what is allowed",
      { samplesMax: 10, memoryBytesMax: 1 << 30 },
      "query processing would load too many samples into memory in query execution",
    ],
    [
      "memory beyond what is allowed, a sample taking 16 bytes",
      { samplesMax: 1 << 30, memoryBytesMax: 3 << 20 },
      "query processing would take more than 3 MiB of memory",
    ],
  ] as const) {
    it(`refuses ${rule}, and no sample less`, () => {
      const allowed = Math.min(limits.samplesMax, limits.memoryBytesMax / 16);
      createSampleBudget(limits).take(allowed);
      const budget = createSampleBudget(limits);
      budget.take(allowed);
      expect(() => budget.take(1)).toThrow(expect.objectContaining({ failure: { kind: "execution", message } }));
    });
  }
});
