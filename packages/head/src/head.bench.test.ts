import { expect, it } from "vitest";
import { benchHead } from "./head.bench.ts";

it("the benchmark runs small and always counts the same", async () => {
  let tick = 0;
  const bench = async () => (await benchHead(2, 30, () => tick++)).checksum;
  expect(await bench()).toBe(await bench());
});
