/**
 * `node --expose-gc bench/gateway.ts`: a store gateway over a fleet's blocks of two hours, before they are compacted, in an
 * object store that is a process of its own.
 *
 *   --data FOLDER   where the blocks are, or shall be made (default: below the system's temporary folder)
 *   --clusters N    of which each has a block for every two hours of a day (220)
 *   --series N      of each block (200)
 *   --rounds N      warm questions (100)
 *   --port N        of the object store (31400)
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createNodePorts } from "@pleiad/node-ports";
import { createFileBucket } from "@pleiad/objstore";
import { silentObservations } from "@pleiad/ports/testing";
import { bucketFolderOf } from "@pleiad/role-object-store";
import { startStoreProcess } from "./gateway/object-store-process.ts";
import { formatStep, measureSmallBlocks } from "./gateway/small-block-figures.ts";
import { putSmallBlocks, type SmallBlocks } from "./gateway/small-blocks.ts";

const { values: flags } = parseArgs({
  options: {
    data: { type: "string", default: join(tmpdir(), "pleiad-small-blocks") },
    clusters: { type: "string", default: "220" },
    series: { type: "string", default: "200" },
    rounds: { type: "string", default: "100" },
    port: { type: "string", default: "31400" },
  },
});

const note = (text: string) => process.stderr.write(`${text}\n`);
const blocks: SmallBlocks = {
  ...{ clusters: Number(flags.clusters), blocksPerCluster: 12, seriesPerBlock: Number(flags.series) },
  startMs: Date.UTC(2026, 0, 1),
};
const directory = `${flags.data}-${flags.clusters}-${flags.series}`;
const credential = { accessKey: "AKIABENCH", secretKey: "secret-of-the-bench" };
const served = { directory, address: `127.0.0.1:${flags.port}`, region: "bench-1", bucket: "metrics", credential };
if (!existsSync(`${directory}/made`)) {
  const { files, clock } = createNodePorts({ observations: silentObservations() });
  await files.makeDirectory(bucketFolderOf(directory, served.bucket));
  await putSmallBlocks(createFileBucket(bucketFolderOf(directory, served.bucket), files, clock), blocks, note);
  writeFileSync(`${directory}/made`, "");
}
const store = await startStoreProcess(served);
const headers = mkdtempSync(join(tmpdir(), "pleiad-gateway-"));
try {
  const figures = await measureSmallBlocks(blocks, served, store, {
    ...{ directory: headers, rounds: Number(flags.rounds), note },
  });
  const { warmMs, series, chunks } = figures;
  const sorted = warmMs.toSorted((a, b) => a - b);
  const warm = [0.5, 0.99].map((share) => sorted[Math.floor(share * sorted.length)]?.toFixed(0) ?? "none");
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  process.stdout.write(
    [
      `${String(blocks.clusters * blocks.blocksPerCluster)} blocks, an answer of ${String(series)} series and ${String(chunks)} chunks`,
      `${"".padEnd(32)}${["wall", "gateway CPU", "store CPU", "requests", "bytes"].map((text) => text.padStart(12)).join("")}`,
      ...figures.steps.map(formatStep),
      `warm p50 ${String(warm[0])} ms, p99 ${String(warm[1])} ms`,
      `memory warm ${megabytes(figures.warmBytes)}, of which caches ${megabytes(figures.cacheBytes)}`,
      `memory of open blocks ${megabytes(figures.openBytes)}, of which tables ${megabytes(figures.tableBytes)}`,
      "",
    ].join("\n"),
  );
} finally {
  await store.end();
  rmSync(headers, { recursive: true, force: true });
}
