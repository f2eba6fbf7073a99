import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodePorts } from "@pleiad/node-ports";
import { createFileBucket } from "@pleiad/objstore";
import { silentObservations } from "@pleiad/ports/testing";
import { bucketFolderOf } from "@pleiad/role-object-store";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startStoreProcess } from "./gateway/object-store-process.ts";
import { measureSmallBlocks } from "./gateway/small-block-figures.ts";
import { putSmallBlocks, type SmallBlocks } from "./gateway/small-blocks.ts";
import type { MeasuredProcess } from "./measured-process.ts";

const directory = mkdtempSync(join(tmpdir(), "pleiad-gateway-test-"));
const credential = { accessKey: "AKIABENCH", secretKey: "secret-of-the-bench" };
const served = { directory, address: "127.0.0.1:31410", region: "bench-1", bucket: "metrics", credential };
const blocks: SmallBlocks = {
  ...{ clusters: 3, blocksPerCluster: 2, seriesPerBlock: 40 },
  startMs: Date.UTC(2026, 0, 1),
};
let store: MeasuredProcess;

beforeAll(async () => {
  const { files, clock } = createNodePorts({ observations: silentObservations() });
  await files.makeDirectory(bucketFolderOf(directory, served.bucket));
  await putSmallBlocks(createFileBucket(bucketFolderOf(directory, served.bucket), files, clock), blocks, () => {});
  store = await startStoreProcess(served);
}, 60_000);

afterAll(async () => {
  await store.end();
  rmSync(directory, { recursive: true, force: true });
});

it("a small block costs two requests for its samples and one for its list, once and never again", async () => {
  const options = { directory: join(directory, "gateway"), rounds: 2, note: () => {} };
  const { steps, series, chunks, warmMs } = await measureSmallBlocks(blocks, served, store, options);
  expect(steps.map(({ requests }) => requests)).toEqual([6, 12, 0, 0, 0, 0]);
  expect({ series, chunks, rounds: warmMs.length }).toEqual({ series: 60, chunks: 480, rounds: 2 });
}, 60_000);
