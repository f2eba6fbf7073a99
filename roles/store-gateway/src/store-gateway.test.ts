/** A gateway over a bucket in memory, asked over StoreAPI and HTTP. */
import { createBlockWriter, newUlid, uploadBlock, type BlockMeta } from "@pleiad/blocks";
import { encodeXor } from "@pleiad/chunks";
import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import { collectSeries, formatLabels, labelsFromRecord, plainSelect } from "@pleiad/model";
import { seededRandom, type Bucket } from "@pleiad/ports";
import { memoryBucket, memoryFiles, testPorts } from "@pleiad/ports/testing";
import { createStoreClient, defaultStoreClient } from "@pleiad/storeapi";
import { describe, expect, it } from "vitest";
import { startStoreGateway, statusPath, type StoreGatewayOptions } from "./store-gateway.ts";

const startMs = 1_700_000_000_000;
const hourMs = 3_600_000;

/** `seriesCount` series `m{i="…"}` of two samples. */
async function putBlock(bucket: Bucket, cluster: string, seriesCount: number): Promise<BlockMeta> {
  const files = memoryFiles();
  await files.makeDirectory("/data");
  const ulid = newUlid(startMs, seededRandom(cluster.length));
  const names = Array.from({ length: seriesCount }, (_, i) => String(i));
  const writer = await createBlockWriter(files, ["__name__", "i", "m", ...names].sort(), {
    directory: "/data",
    ulid,
    minTimeMs: startMs,
    maxTimeMs: startMs + 2 * hourMs,
    compaction: { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] },
    thanos: {
      labels: { cluster },
      resolutionMs: 0,
      source: "sidecar",
      files: [],
      indexStats: undefined,
      uploadTimeMs: undefined,
    },
    chunkFileBytesMax: 1 << 20,
  });
  if (!writer.ok) throw new Error(writer.failure.kind);
  const times = Float64Array.of(startMs, startMs + hourMs);
  const data = encodeXor(times, Float64Array.of(1, 2), 0, 2);
  for (const i of names) {
    const chunk = { minTimeMs: startMs, maxTimeMs: startMs + hourMs, sampleCount: 2, encoding: 1 as const, data };
    await writer.value.add(labelsFromRecord({ __name__: "m", i }), [chunk]);
  }
  await writer.value.finish();
  const uploaded = await uploadBlock({ files, path: `/data/${ulid}`, bucket, signal: new AbortController().signal });
  if (!uploaded.ok) throw new Error(uploaded.failure.kind);
  return uploaded.value;
}

const httpAddress = "127.0.0.1:27702";
const grpcAddress = "127.0.0.1:27701";

async function startOver(bucket: Bucket, store: StoreGatewayOptions["store"] = {}) {
  const ports = testPorts({ startMs });
  const registry = createMetricRegistry();
  const observed = { ...ports, observations: observationsOf(registry, () => {}) };
  const options: StoreGatewayOptions = {
    name: "gateway-0",
    httpAddress,
    grpcAddress,
    directory: "/headers",
    store,
    renderMetrics: () => registry.render(),
  };
  const gateway = await startStoreGateway(bucket, options, observed);
  if (!gateway.ok) throw new Error(gateway.failure.message);
  const client = createStoreClient(grpcAddress, ports, { ...defaultStoreClient, name: "gateway" });
  const { signal } = new AbortController();
  const get = async (path: string) => {
    const answer = await ports.network.fetchHttp(`http://${httpAddress}${path}`, { signal, bodyBytesMax: 1 << 20 });
    return { status: answer.status, text: new TextDecoder().decode(answer.body) };
  };
  const ask = () => collectSeries(client.select({ ...plainSelect, onFailure: "abort" }, signal));
  return { ports, observed, options, gateway: gateway.value, client, get, ask, signal };
}

describe("a store gateway", () => {
  it("is ready when it knows its blocks, and serves them", async () => {
    const bucket = memoryBucket();
    const meta = await putBlock(bucket, "a", 2);
    const { ports, gateway, client, get, ask, signal } = await startOver(bucket);
    await ports.clock.advance(1000);
    expect((await get("/-/ready")).status).toBe(200);
    const info = await client.info(signal);
    const cluster = labelsFromRecord({ cluster: "a" });
    expect(info).toMatchObject({
      ok: true,
      value: {
        componentType: "store",
        labelSets: [cluster],
        minTimeMs: startMs,
        maxTimeMs: startMs + 2 * hourMs,
        tsdbInfos: [{ labels: cluster, minTimeMs: startMs, maxTimeMs: startMs + 2 * hourMs }],
      },
    });
    const { series, failure } = await ask();
    expect(failure).toBeUndefined();
    expect(series.map(({ labels }) => formatLabels(labels))).toEqual([
      'm{cluster="a", i="0"}',
      'm{cluster="a", i="1"}',
    ]);
    const status = JSON.parse((await get(statusPath)).text);
    expect(status).toMatchObject({ blocks: [{ ulid: meta.ulid, labels: { cluster: "a" }, resolutionMs: 0 }] });
    const metrics = (await get("/metrics")).text;
    for (const line of [
      "thanos_bucket_store_blocks_loaded 1",
      'thanos_blocks_meta_synced{state="loaded"} 1',
      "thanos_bucket_store_indexheader_lazy_load_total 1",
      'thanos_store_index_cache_requests_total{item_type="Series"} 2',
    ]) {
      expect(metrics).toContain(line);
    }
    await gateway.stop(0);
  });

  it("is not ready, and asked nothing, while the bucket cannot be listed", async () => {
    const bucket = memoryBucket();
    await putBlock(bucket, "a", 2);
    const down = await startOver({ ...bucket, list: (_, options) => noKeys(options?.signal) });
    await down.ports.clock.advance(1000);
    expect(await down.get("/-/ready")).toMatchObject({ status: 503 });
    expect((await down.ask()).failure).toMatchObject({ kind: "unavailable" });
    await down.gateway.stop(0);
  });

  it("answers RESOURCE_EXHAUSTED in Thanos's words where a question goes over a limit", async () => {
    const bucket = memoryBucket();
    await putBlock(bucket, "a", 3);
    const limits = { seriesMax: 2, samplesMax: 0, bytesMax: 0 };
    const { ports, gateway, ask } = await startOver(bucket, { limits });
    await ports.clock.advance(1000);
    expect((await ask()).failure).toEqual({
      kind: "unavailable",
      source: "gateway",
      reason: expect.stringContaining("exceeded series limit"),
    });
    await gateway.stop(0);
  });

  it("says what is wrong with its options or addresses", async () => {
    const { observed, options, gateway } = await startOver(memoryBucket());
    const rules = [{ action: "keep", sourceLabels: ["a"], separator: ";", regex: "(" }] as const;
    expect(await startStoreGateway(memoryBucket(), { ...options, store: { rules } }, observed)).toMatchObject({
      failure: { kind: "options", message: expect.stringContaining("rule 1 (keep)") },
    });
    expect(await startStoreGateway(memoryBucket(), options, observed)).toMatchObject({
      failure: { kind: "address", message: expect.stringContaining(grpcAddress) },
    });
    await gateway.stop(0);
  });
});

/** Keys that never come. */
async function* noKeys(signal: AbortSignal | undefined): AsyncGenerator<string> {
  yield await new Promise<string>((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
