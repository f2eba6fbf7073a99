/**
 * The reference fleet behind two tiers: the clusters of each region in a process, a querier for each region, one above them. They
 * serve the blocks that one Prometheus has whole.
 */
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mallocSettings, memoryFlags } from "@pleiad/node-ports";
import type { EngineProcess } from "../engine-process.ts";
import { spawnMeasured, type MeasuredProcess } from "../measured-process.ts";
import { clustersPerBlock, type ReferenceData } from "../reference-data.ts";
import { clusterNameOf, placeOf } from "../reference-fleet.ts";
import type { ClustersOrder, OrderedEndpoint, QuerierOrder, ServedCluster, TierListens } from "./reference-tier-job.ts";

export interface ReferenceTiers {
  /** As one engine, so that it can race with others: times are of the global querier, processor time is of all. */
  readonly engine: EngineProcess;
  /** Peak of each querier since the last reset. */
  querierPeaks(): readonly { readonly name: string; readonly peakBytes: number }[];
}

const job = fileURLToPath(new URL("reference-tier-job.ts", import.meta.url));

/** `folder` takes links to the blocks of each cluster group. */
export async function startReferenceTiers(data: ReferenceData, folder: string): Promise<ReferenceTiers> {
  const processes: MeasuredProcess[] = [];
  const queriers: { readonly name: string; readonly measured: MeasuredProcess }[] = [];
  const end = async () => void (await Promise.all(processes.map((one) => one.end())));
  const start = async (order: ClustersOrder | QuerierOrder) => {
    const args = [...memoryFlags, job, JSON.stringify(order)];
    const measured = await spawnMeasured(process.execPath, args, { hasMessages: true, env: mallocSettings });
    processes.push(measured);
    if (order.kind === "querier") queriers.push({ name: order.name, measured });
    return await new Promise<readonly string[]>((resolve, reject) => {
      measured.child.once("message", (message) => resolve((message as TierListens).addresses));
      measured.child.once("close", (code) =>
        reject(new Error(`it ended with ${String(code)}: ${measured.complaint()}`)),
      );
    });
  };
  try {
    const regional: OrderedEndpoint[] = [];
    for (const [region, folders] of foldersByRegion(data, folder)) {
      const clusters = folders.flatMap((one) => one.clusters);
      const { startMs: minTimeMs, endMs: maxTimeMs } = data;
      const addresses = await start({ kind: "clusters", folders, minTimeMs, maxTimeMs });
      const endpoints = clusters.map((cluster, i) => ({
        address: addresses[i] ?? "",
        name: cluster.name,
        expects: [cluster],
      }));
      const order = { kind: "querier", name: region, queryMode: "distributed", storeTimeoutMs: 10_000 } as const;
      const [address = ""] = await start({ ...order, endpoints });
      regional.push({ address, name: region, expects: clusters });
    }
    const order = { kind: "querier", name: "global", queryMode: "distributed", storeTimeoutMs: 30_000 } as const;
    const [, httpAddress = ""] = await start({ ...order, endpoints: regional });
    const agent = new Agent({ keepAlive: true });
    const ask = async (path: string) => await get(agent, `http://${httpAddress}${path}`);
    return {
      engine: {
        name: "pleiad",
        ask,
        time: async (path) => {
          const before = performance.now();
          await ask(path);
          return performance.now() - before;
        },
        cpuMs: () => processes.reduce((sum, one) => sum + one.cpuMs(), 0),
        resetPeak: () => processes.forEach((one) => one.resetPeak()),
        peakBytes: () => Math.max(...queriers.map(({ measured }) => measured.peakBytes())),
        end: async () => {
          agent.destroy();
          await end();
        },
      },
      querierPeaks: () => queriers.map(({ name, measured }) => ({ name, peakBytes: measured.peakBytes() })),
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Blocks hold neighbouring clusters of one region each. A folder of links has one block. */
function foldersByRegion(data: ReferenceData, folder: string): ReadonlyMap<string, ClustersOrder["folders"]> {
  const byRegion = new Map<string, ClustersOrder["folders"][number][]>();
  // Blocks were made one after the other: their names are in the order of the clusters.
  const blocks = readdirSync(data.blocks)
    .filter((name) => /^[0-9A-Z]{26}$/.test(name))
    .sort();
  for (const [i, block] of blocks.entries()) {
    const first = 1 + i * clustersPerBlock;
    const last = Math.min(first + clustersPerBlock - 1, data.fleet.clusters);
    const clusters = Array.from({ length: last - first + 1 }, (_, j): ServedCluster => {
      const name = clusterNameOf(first + j);
      return { name, externalLabels: { cluster: name, ...placeOf(first + j), replica: data.fleet.replica } };
    });
    const region = clusters[0]?.externalLabels["region"] ?? "";
    const directory = join(folder, `block-${String(i)}`);
    mkdirSync(directory);
    mkdirSync(join(directory, block));
    for (const file of readdirSync(join(data.blocks, block))) {
      symlinkSync(join(data.blocks, block, file), join(directory, block, file));
    }
    byRegion.set(region, [...(byRegion.get(region) ?? []), { directory, clusters }]);
  }
  return byRegion;
}

function get(agent: Agent, url: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on("data", (piece: Buffer) => pieces.push(piece));
      answer.on("error", reject);
      answer.on("end", () => {
        const whole = Buffer.concat(pieces);
        if (answer.statusCode === 200) resolve(whole);
        else reject(new Error(`${String(answer.statusCode)}: ${whole.toString("utf8", 0, 300)}`));
      });
    });
    asked.on("error", reject);
    asked.end();
  });
}
