import { expect, it } from "vitest";
import { benchSeriesFrames } from "./series-response.bench.ts";

it("the benchmark of series frames decodes what it encoded", () => {
  const { seriesCount, bytes } = benchSeriesFrames(300, () => 0);
  expect([seriesCount, bytes > 300 * 400]).toEqual([300, true]);
});
