import { expect, it } from "vitest";
import { createTextPool } from "./text-pool.ts";

it("gives every text back as it is, also after it has forgotten", () => {
  const pool = createTextPool(1000);
  const texts = Array.from({ length: 100 }, (_, i) => `text ${String(i % 37)}`);
  expect(texts.map(pool)).toEqual(texts);
  expect(pool("x".repeat(5000))).toHaveLength(5000);
});
