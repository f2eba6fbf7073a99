import { collectSeries, plainSelect } from "@pleiad/model";
import { memoryBucket, testPorts } from "@pleiad/ports/testing";
import { expect, it } from "vitest";
import { epochMs, putBlock, steadySeries } from "./bucket-store.fixtures.ts";
import { createBucketStore, defaultBucketStore } from "./index.ts";

it("the example of the README holds", async () => {
  const bucket = memoryBucket();
  await putBlock(bucket, { from: 0, to: 2, series: steadySeries(["apples"], 0, 2) });
  const ports = testPorts({ startMs: epochMs });
  const { signal } = new AbortController();
  const made = createBucketStore(bucket, { ...defaultBucketStore, name: "gateway-0", directory: "/headers" }, ports);
  if (!made.ok) throw new Error(made.failure); // an option is wrong
  const store = made.value;
  store.start(); // reads the list of blocks now and every three minutes
  await ports.clock.advance(1000);
  const answer = await collectSeries(store.select({ ...plainSelect, matchers: [], maxResolutionMs: 300_000 }, signal));
  expect(answer).toMatchObject({ series: [{ chunks: [{ minTimeMs: epochMs }] }], failure: undefined, warnings: [] });
  await store.stop();
});
