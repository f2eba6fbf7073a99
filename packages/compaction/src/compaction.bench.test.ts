import { expect, it } from "vitest";
import { benchCompaction } from "./compaction.bench.ts";

it("the benchmark runs small and always counts the same", async () => {
  let tick = 0;
  const bench = async () => (await benchCompaction(4, 30, () => tick++)).checksum;
  expect(await bench()).toBe(await bench());
});
