/**
 * A regional query: 60 agents of 140 series each, through their servers, the fan-out's clients, the merge, and the
 * server above that. `storeapi/fanout.bench.ts [clusters] [series]` prints what a stage costs; a test runs it small.
 */
import { plainSelect, labelsFromRecord, type SourceSeries } from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import { emptySeriesRequest, encodeSeriesRequest } from "@pleiad/wire";
import { createFanout, defaultFanout } from "./fanout.ts";
import { storeHandlers } from "./store-handlers.ts";
import { seriesMethod } from "./store-methods.ts";
import { memorySource, seriesOf } from "./testing.ts";

export interface FanoutBench {
  readonly seriesCount: number;
  readonly chunkBytes: number; // a checksum: a faster answer that lacks something fails
  readonly selectMs: number; // agents' servers → clients → merge
  readonly throughMs: number; // the same, and encoded again for the tier above
}

export async function benchFanout(
  clusterCount: number,
  seriesPerCluster: number,
  nowMs: () => number,
): Promise<FanoutBench> {
  const ports = testPorts();
  const endpoints = await Promise.all(
    Array.from({ length: clusterCount }, async (_, number) => {
      const cluster = `cluster-${String(number + 1).padStart(3, "0")}`;
      const external = labelsFromRecord({ cluster, region: "a1", replica: "0" });
      const series = cpuSeries(cluster, seriesPerCluster);
      // Sorted and filtered once: the source's own work is not what is measured.
      const all = await firstBatches(memorySource(series));
      const source = { ...memorySource([]), select: () => cursorOver(all) };
      const identity = {
        componentType: "sidecar",
        labelSets: [external],
        minTimeMs: 0,
        maxTimeMs: Number.MAX_SAFE_INTEGER,
        tsdbInfos: [],
      };
      const address = `127.0.0.1:${30_000 + number}`;
      await ports.network.serveRpc(
        address,
        storeHandlers(source, () => identity),
      );
      return { address, name: cluster, expects: [{ name: cluster, labels: external }] };
    }),
  );
  const fanout = createFanout({ ...defaultFanout, endpoints }, ports);
  await fanout.refresh();
  await ports.network.serveRpc(
    "127.0.0.1:21001",
    storeHandlers(fanout, () => fanout.identity()),
  );
  const above = ports.network.rpcClient("127.0.0.1:21001");
  const { signal } = new AbortController();

  let seriesCount = 0;
  let chunkBytes = 0;
  const startMs = nowMs();
  const cursor = fanout.select(plainSelect, signal);
  for (let batch = await cursor.next(); batch !== undefined; batch = await cursor.next()) {
    seriesCount += batch.length;
    for (const { chunks } of batch) {
      for (const { content } of chunks) chunkBytes += content.kind === "raw" ? content.data.length : 0;
    }
  }
  const selectMs = nowMs() - startMs;

  const request = encodeSeriesRequest({
    ...emptySeriesRequest,
    maxTimeMs: 1e13,
    matchers: [{ type: "=~", name: "__name__", value: ".+" }],
    responseBatchSize: 64,
  });
  const throughStartMs = nowMs();
  const options = { signal, timeoutMs: 60_000, messageBytesMax: 1 << 30 };
  for await (const messages of above.stream(seriesMethod, request, options)) {
    if (messages.length === 0) throw new Error("a group without messages");
  }
  const throughMs = nowMs() - throughStartMs;
  return { seriesCount, chunkBytes, selectMs, throughMs };
}

/** Counters as a node exporter of many CPUs has them: ten labels, 2 h in two chunks. */
function cpuSeries(cluster: string, count: number): readonly SourceSeries[] {
  const modes = ["idle", "iowait", "irq", "nice", "softirq", "steal", "user"];
  return Array.from({ length: count }, (_, i) =>
    seriesOf(
      labelsFromRecord({
        __name__: "node_cpu_seconds_total",
        cluster,
        cluster_group: "a",
        cpu: String(Math.floor(i / modes.length)),
        instance: "10.0.0.17:9100",
        job: "node-exporter",
        mode: modes[i % modes.length] as string,
        namespace: "monitoring",
        region: "a1",
        replica: "0",
      }),
      Array.from({ length: 240 }, (_, k) => [k * 30_000, k * (i + 1) * 0.37] as const),
    ),
  );
}

async function firstBatches(source: ReturnType<typeof memorySource>): Promise<readonly (readonly SourceSeries[])[]> {
  const cursor = source.select(plainSelect, new AbortController().signal);
  const batches: (readonly SourceSeries[])[] = [];
  for (let batch = await cursor.next(); batch !== undefined; batch = await cursor.next()) batches.push(batch);
  return batches;
}

function cursorOver(batches: readonly (readonly SourceSeries[])[]) {
  let at = 0;
  return { failure: undefined, warnings: [], next: async () => batches[at++], close: () => {} };
}

if (import.meta.main) {
  const [clusters = 60, series = 140] = process.argv.slice(2).map(Number);
  for (let round = 0; round < 8; round++) {
    const { seriesCount, chunkBytes, selectMs, throughMs } = await benchFanout(clusters, series, () =>
      performance.now(),
    );
    console.log(
      `${seriesCount} series, ${chunkBytes} bytes of chunks: selected in ${selectMs.toFixed(1)} ms, ` +
        `passed on in ${throughMs.toFixed(1)} ms`,
    );
  }
}
