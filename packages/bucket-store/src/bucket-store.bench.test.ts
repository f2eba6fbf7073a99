import { expect, it } from "vitest";
import { benchBucketStore } from "./bucket-store.bench.ts";

it("the benchmark runs small, counts the same always, and a warm question costs no request", async () => {
  let tick = 0;
  const options = { clusterCount: 1, seriesCount: 8, latencyMs: 0, roundCount: 1 };
  const bench = () =>
    benchBucketStore(
      options,
      () => tick++,
      async () => {},
    );
  const [first, second] = [await bench(), await bench()];
  expect(first.checksum).toBe(second.checksum);
  // Four blocks have a part of the week: an index and its chunks each, and to begin with four reads for a header.
  expect(first.cases.map(({ coldRequests, firstRequests }) => [coldRequests, firstRequests])).toEqual(
    first.cases.map(() => [8, 24]),
  );
});
