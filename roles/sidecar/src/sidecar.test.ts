/** A sidecar beside what answers as a Prometheus does; `e2e/sidecar.test.ts` has the real one. */
import { createBlockLister, createBlockWriter, newUlid } from "@pleiad/blocks";
import { encodeXor } from "@pleiad/chunks";
import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import { labelsFromRecord } from "@pleiad/model";
import { seededRandom, type Listener } from "@pleiad/ports";
import { memoryBucket, testPorts, type TestPorts } from "@pleiad/ports/testing";
import { createStoreClient, defaultStoreClient } from "@pleiad/storeapi";
import { describe, expect, it } from "vitest";
import { statusAnswers, type Told } from "./prometheus.testing.ts";
import { defaultSidecar, startSidecar, type SidecarOptions } from "./sidecar.ts";

const startMs = 1_700_000_000_000;
const hourMs = 3_600_000;
const { signal } = new AbortController();

function openWorld() {
  const registry = createMetricRegistry();
  const ports: TestPorts = { ...testPorts({ startMs }), observations: observationsOf(registry, () => {}) };
  const told: Told = { labels: "cluster: a", maxBlockDuration: "2h", ready: true };
  const answers = statusAnswers(told, startMs);
  const serve = async (): Promise<Listener> =>
    await ports.network.serveHttp(
      "prometheus:9090",
      async ({ path }) => answers[path]?.() ?? { status: 404, headers: {}, body: "" },
    );
  const options: SidecarOptions = {
    ...defaultSidecar,
    name: "sidecar",
    prometheusUrl: "http://prometheus:9090/",
    directory: "/data",
    grpcAddress: "sidecar:10901",
    httpAddress: "127.0.0.1:10902",
    renderMetrics: () => registry.render(),
  };
  const start = async (changes: Partial<SidecarOptions> = {}, until: AbortSignal = signal) =>
    await startSidecar({ ...options, ...changes }, ports, until);
  const info = async () => {
    const client = createStoreClient("sidecar:10901", ports, { ...defaultStoreClient, name: "sidecar" });
    const answer = await client.info(signal);
    await client.close();
    return answer.ok ? answer.value : answer.failure;
  };
  return { ports, told, serve, start, info, registry };
}

async function started(pending: ReturnType<ReturnType<typeof openWorld>["start"]>) {
  const sidecar = await pending;
  if (!sidecar.ok) throw new Error(sidecar.failure.message);
  return sidecar.value;
}

async function putBlock(ports: TestPorts): Promise<void> {
  await ports.files.makeDirectory("/data");
  await ports.files.makeDirectory("/data/wal");
  const ulid = newUlid(startMs, seededRandom(1));
  const writer = await createBlockWriter(ports.files, ["__name__", "m"], {
    directory: "/data",
    ulid,
    minTimeMs: startMs,
    maxTimeMs: startMs + 2 * hourMs,
    compaction: { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] },
    thanos: undefined,
    chunkFileBytesMax: 1 << 20,
  });
  if (!writer.ok) throw new Error(writer.failure.kind);
  const data = encodeXor(Float64Array.of(startMs), Float64Array.of(1), 0, 1);
  const chunk = { minTimeMs: startMs, maxTimeMs: startMs, sampleCount: 1, encoding: 1, data } as const;
  await writer.value.add(labelsFromRecord({ __name__: "m" }), [chunk]);
  await writer.value.finish();
}

describe("a sidecar", () => {
  it("waits for its Prometheus, not ready until it is there", async () => {
    const { ports, start, serve, info } = openWorld();
    const pending = start();
    await ports.clock.advance(20_000);
    expect(await info()).toMatchObject({ componentType: "sidecar", labelSets: [], ready: false });
    await serve();
    await ports.clock.advance(5_000);
    const sidecar = await started(pending);
    expect(sidecar.ready()).toEqual({ ready: true });
    expect(await info()).toMatchObject({
      componentType: "sidecar",
      labelSets: [labelsFromRecord({ cluster: "a" })],
      minTimeMs: startMs,
      serves: ["rules", "targets", "metadata", "exemplars"],
    });
    await sidecar.stop(0);
  });

  it("gives up after a while, and says what it waited for", async () => {
    const { ports, start } = openWorld();
    const pending = start({ readyTimeoutMs: 30_000 });
    await ports.clock.advance(60_000);
    expect(await pending).toMatchObject({
      ok: false,
      failure: { kind: "unreachable", message: expect.stringMatching(/^not within 30 s: sidecar: .*prometheus:9090/) },
    });
    await ports.network.serveRpc("sidecar:10901", new Map());
  });

  it("ends its wait when it is told to", async () => {
    const { ports, start } = openWorld();
    const stopping = new AbortController();
    const pending = start({}, stopping.signal);
    await ports.clock.advance(7_000);
    stopping.abort();
    expect(await pending).toMatchObject({ ok: false, failure: { kind: "unreachable" } });
  });

  it("is ready while Prometheus is, and is another's when that comes back as another", async () => {
    const { ports, start, serve, told, info, registry } = openWorld();
    const listener = await serve();
    const sidecar = await started(start());
    told.ready = false;
    await ports.clock.advance(5_000);
    expect(sidecar.ready()).toMatchObject({ ready: false, reason: expect.stringContaining("HTTP 503") });
    expect(registry.render()).toContain("thanos_sidecar_prometheus_up 0");
    await listener.close(0);
    await ports.clock.advance(60_000);
    expect(sidecar.ready().ready).toBe(false);
    Object.assign(told, { ready: true, labels: "cluster: b" });
    await serve();
    await ports.clock.advance(5_000);
    expect(sidecar.ready()).toEqual({ ready: true });
    expect(registry.render()).toContain("thanos_sidecar_prometheus_up 1");
    expect(await info()).toMatchObject({ labelSets: [labelsFromRecord({ cluster: "b" })] });
    await sidecar.stop(0);
  });

  it("follows the configuration while Prometheus runs; without external labels it stops", async () => {
    const { ports, start, serve, told, info } = openWorld();
    await serve();
    const sidecar = await started(start());
    told.labels = "cluster: c";
    await ports.clock.advance(31_000);
    expect(await info()).toMatchObject({ labelSets: [labelsFromRecord({ cluster: "c" })] });
    told.labels = "";
    await ports.clock.advance(31_000);
    expect(sidecar.ready()).toMatchObject({ ready: false, reason: expect.stringMatching(/no external labels/) });
    await sidecar.stop(0);
  });

  it("uploads blocks under the labels that Prometheus has", async () => {
    const { ports, start, serve } = openWorld();
    await serve();
    await putBlock(ports);
    const bucket = memoryBucket();
    const sidecar = await started(start({ objectStorage: bucket }));
    await ports.clock.advance(1_000);
    const listing = await createBlockLister(bucket).refresh(signal);
    if (!listing.ok) throw listing.failure;
    const metas = [...listing.value.blocks.values()].map(({ meta }) => meta.thanos);
    expect(metas).toMatchObject([{ labels: { cluster: "a" }, source: "sidecar", resolutionMs: 0 }]);
    expect(await ports.files.exists("/data/thanos.shipper.json")).toBe(true);
    await sidecar.stop(0);
  });
});

describe("a sidecar refuses, and leaves nothing open", () => {
  for (const [rule, told, changes, kind, message] of [
    ["a Prometheus without external labels", { labels: "" }, {}, "refused", /no external labels/],
    [
      "blocks that are compacted while they are uploaded",
      { maxBlockDuration: "36h" },
      { objectStorage: memoryBucket() },
      "refused",
      /compacts its blocks \(2h to 36h\)/,
    ],
    [
      "a folder that is no data folder",
      {},
      { objectStorage: memoryBucket() },
      "folder",
      /^\/data is no data folder: it has no wal. Prometheus says that its own is \/data$/,
    ],
  ] as const) {
    it(rule, async () => {
      const world = openWorld();
      await world.serve();
      Object.assign(world.told, told);
      const refused = await world.start(changes);
      expect(refused).toMatchObject({ ok: false, failure: { kind, message: expect.stringMatching(message) } });
      await world.ports.network.serveRpc("sidecar:10901", new Map());
    });
  }

  it("compacted blocks are fine where that is asked for", async () => {
    const world = openWorld();
    await world.serve();
    await putBlock(world.ports);
    world.told.maxBlockDuration = "36h";
    const changes = { objectStorage: memoryBucket(), ignoresUnequalBlockSize: true };
    const sidecar = await started(world.start(changes));
    expect(sidecar.ready()).toEqual({ ready: true });
    await sidecar.stop(0);
  });
});
