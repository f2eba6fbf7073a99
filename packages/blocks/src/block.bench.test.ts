import { expect, it } from "vitest";
import { benchBlocks } from "./block.bench.ts";

it("the benchmark runs small and always counts the same", async () => {
  let tick = 0;
  const bench = async () => (await benchBlocks(2, 200, () => tick++)).checksum;
  expect(await bench()).toBe(await bench());
});
