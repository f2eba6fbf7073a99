import { expect, it } from "vitest";
import { benchFanout } from "./fanout.bench.ts";

it("the fan-out benchmark gives every series and every byte", async () => {
  const { seriesCount, chunkBytes } = await benchFanout(5, 21, () => 0);
  expect([seriesCount, chunkBytes > 100 * seriesCount]).toEqual([105, true]);
});
