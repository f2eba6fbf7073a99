import { createBlockLister, createBlockWriter, newUlid } from "@pleiad/blocks";
import { createSampleColumns, decodeChunk, encodeXor } from "@pleiad/chunks";
import { createMetricRegistry, expositionContentType, observationsOf } from "@pleiad/exposition";
import { collectSeries, formatLabels, labelsFromRecord, ok, plainSelect, type SourceSeries } from "@pleiad/model";
import { BucketError, type Bucket } from "@pleiad/ports";
import { memoryBucket, testPorts, type MemoryBucket, type TestPorts } from "@pleiad/ports/testing";
import { createStoreClient, defaultStoreClient } from "@pleiad/storeapi";
import { describe, expect, it } from "vitest";
import { startAgent, type Agent, type AgentOptions } from "./agent.ts";

const intervalMs = 30_000;
const options: AgentOptions = {
  name: "a1",
  directory: "/data/a1",
  externalLabels: labelsFromRecord({ cluster: "a1", region: "eu", replica: "0" }),
  grpcAddress: "a1:10901",
  targets: [{ job: "node", url: "http://node:9100/metrics" }],
  scrapeIntervalMs: intervalMs,
  retentionMs: 7_200_000,
};

const { signal } = new AbortController();
const testBuild = { version: "0", revision: "", branch: "", buildUser: "", buildDate: "", goVersion: "" };

/** Ports with a target whose counter says how often it was scraped, and a page of own metrics. */
async function openWorld() {
  const registry = createMetricRegistry();
  const ports: TestPorts = { ...testPorts(), observations: observationsOf(registry, () => {}) };
  let scrapes = 0;
  await ports.network.serveHttp("node:9100", async () => ({
    status: 200,
    headers: { "content-type": expositionContentType },
    body: `# TYPE scrapes_total counter\nscrapes_total{cluster="forged"} ${++scrapes}\n`,
  }));
  return { ports, registry };
}

async function start(ports: TestPorts, changes: Partial<AgentOptions> = {}): Promise<Agent> {
  const started = await startAgent({ ...options, ...changes }, ports);
  if (!started.ok) throw new Error(started.failure.message);
  return started.value;
}

/** Asks over StoreAPI. */
async function ask(ports: TestPorts, metricName: string) {
  const client = createStoreClient("a1:10901", ports, { ...defaultStoreClient, name: "a1" });
  const { signal } = new AbortController();
  const matchers = [{ type: "=", name: "__name__", value: metricName }] as const;
  const { series, failure } = await collectSeries(client.select({ ...plainSelect, matchers }, signal));
  const info = await client.info(signal);
  await client.close();
  return { series: series.map(describeSeries), failure, info };
}

function describeSeries({ labels, chunks }: SourceSeries): string {
  const columns = createSampleColumns(1024);
  for (const { content } of chunks) {
    if (content.kind === "raw") expect(decodeChunk(content.encoding, content.data, columns)).toBeUndefined();
  }
  return `${formatLabels(labels)} ${[...columns.values.subarray(0, columns.count)].join(" ")}`;
}

describe("an agent", () => {
  it("scrapes a page and serves it over StoreAPI, under labels that no target can forge", async () => {
    const { ports } = await openWorld();
    const agent = await start(ports);
    await ports.clock.advance(3 * intervalMs);
    const { series, failure, info } = await ask(ports, "scrapes_total");
    expect(failure).toBeUndefined();
    expect(series).toEqual([
      'scrapes_total{cluster="a1", instance="node:9100", job="node", region="eu", replica="0"} 1 2 3',
    ]);
    expect(info.ok && info.value).toMatchObject({
      componentType: "sidecar",
      labelSets: [options.externalLabels],
      minTimeMs: agent.statistics().minTimeMs,
    });
    expect(agent.ready()).toEqual({ ready: true });
    expect(agent.targets()).toMatchObject([{ health: "up", lastError: undefined, lastSamples: 1 }]);
    await agent.stop(0);
  });

  it("goes on where it was after a restart", async () => {
    const { ports } = await openWorld();
    const first = await start(ports);
    await ports.clock.advance(2 * intervalMs);
    await first.stop(0);
    expect(first.ready()).toEqual({ ready: false, reason: "stopping" });
    const second = await start(ports);
    await ports.clock.advance(intervalMs);
    expect((await ask(ports, "scrapes_total")).series).toEqual([
      'scrapes_total{cluster="a1", instance="node:9100", job="node", region="eu", replica="0"} 1 2 3',
    ]);
    await second.stop(0);
  });

  it("is not ready while its disk refuses", async () => {
    const { ports } = await openWorld();
    const agent = await start(ports);
    await ports.clock.advance(intervalMs);
    expect(agent.ready()).toEqual({ ready: true });
    ports.files.failFrom(1, "ENOSPC");
    await ports.clock.advance(intervalMs);
    expect(agent.ready()).toEqual({ ready: false, reason: expect.stringMatching(/^takes no samples: .*ENOSPC/) });
    expect((await ask(ports, "scrapes_total")).series).toHaveLength(1);
    ports.files.heal();
    await ports.clock.advance(intervalMs);
    expect(agent.ready()).toEqual({ ready: true });
    await agent.stop(0);
  });

  it("has metrics of its own, labelled with its cluster", async () => {
    const { ports, registry } = await openWorld();
    const agent = await start(ports);
    await ports.clock.advance(2 * intervalMs + 15_000);
    const page = registry.render();
    for (const line of [
      'prometheus_tsdb_head_series{cluster="a1"} 6',
      'prometheus_tsdb_head_samples_appended_total{cluster="a1"} 18',
      'pleiad_scrapes_total{cluster="a1"} 3',
      'prometheus_target_scrapes_sample_out_of_order_total{cluster="a1"} 0',
    ]) {
      expect(page).toContain(line);
    }
    await agent.stop(0);
  });

  it("drops what is past its retention", async () => {
    const { ports } = await openWorld();
    const agent = await start(ports, { retentionMs: 3_600_000 });
    await ports.clock.advance(10 * 3_600_000);
    const { minTimeMs, maxTimeMs } = agent.statistics();
    expect(maxTimeMs - minTimeMs).toBeGreaterThan(3_000_000);
    // A head of up to three hours, and before it the newest block.
    expect(maxTimeMs - minTimeMs).toBeLessThan(5 * 3_600_000);
    await agent.stop(0);
  }, 20_000);

  it("marks what a target had that leaves its list, and scrapes a new one", async () => {
    const { ports } = await openWorld();
    await ports.network.serveHttp("other:9100", async () => ({
      status: 200,
      headers: { "content-type": expositionContentType },
      body: "others 1\n",
    }));
    const agent = await start(ports);
    await ports.clock.advance(2 * intervalMs);
    agent.setTargets([{ job: "other", url: "http://other:9100/metrics" }]);
    await ports.clock.advance(3 * intervalMs);
    expect((await ask(ports, "scrapes_total")).series).toEqual([expect.stringMatching(/} 1 2 NaN$/)]);
    expect((await ask(ports, "others")).series).toEqual([expect.stringMatching(/job="other".*} 1 1 1$/)]);
    expect(agent.targets().map(({ target }) => target.job)).toEqual(["other"]);
    await agent.stop(0);
  });

  it("answers over HTTP like a Prometheus, exemplars included, where it is asked to", async () => {
    const { ports, registry } = await openWorld();
    await ports.network.serveHttp("traced:9100", async () => ({
      status: 200,
      headers: { "content-type": "application/openmetrics-text; version=1.0.0; charset=utf-8" },
      body: '# TYPE calls counter\ncalls_total 7 # {trace_id="t1"} 0.5\n# EOF\n',
    }));
    const agent = await start(ports, {
      targets: [{ job: "traced", url: "http://traced:9100/metrics" }],
      http: { address: "127.0.0.1:9090", renderMetrics: () => registry.render(), buildInfo: testBuild },
    });
    await ports.clock.advance(intervalMs);
    const get = async (path: string) => {
      const url = `http://${agent.httpAddress ?? ""}${path}`;
      const { status, body } = await ports.network.fetchHttp(url, { headers: {}, bodyBytesMax: 1e6, signal });
      return { status, body: new TextDecoder().decode(body) };
    };
    const nowS = ports.clock.wallMs() / 1000;
    const window = `start=${String(nowS - 60)}&end=${String(nowS)}`;
    const found = await get(`/api/v1/query_exemplars?query=calls_total&${window}`);
    expect(JSON.parse(found.body)).toMatchObject({
      status: "success",
      data: [
        {
          seriesLabels: { __name__: "calls_total", cluster: "a1", job: "traced", replica: "0" },
          exemplars: [{ labels: { trace_id: "t1" }, value: "0.5" }],
        },
      ],
    });
    const answer = JSON.parse((await get(`/api/v1/query?query=sum(calls_total)&time=${String(nowS)}`)).body) as unknown;
    expect(answer).toMatchObject({ status: "success", data: { result: [{ value: [expect.anything(), "7"] }] } });
    expect((await get("/-/ready")).status).toBe(200);
    expect((await get("/metrics")).body).toContain('prometheus_tsdb_head_series{cluster="a1"}');
    await agent.stop(0);
    await expect(get("/-/ready")).rejects.toThrow("refused");
  });

  it("fills in the past before it scrapes or serves", async () => {
    const { ports } = await openWorld();
    const agent = await start(ports, {
      beforeScraping: async ({ head }) => {
        expect((await ask(ports, "scrapes_total")).failure?.kind).toBe("unavailable");
        const appender = head.appender();
        const ref = appender.series(labelsFromRecord({ __name__: "past" }));
        if (typeof ref === "number") appender.append(ref, ports.clock.wallMs() - 60_000, 7);
        await appender.commit();
        return ok(undefined);
      },
    });
    expect((await ask(ports, "past")).series).toEqual(['past{cluster="a1", region="eu", replica="0"} 7']);
    await agent.stop(0);
  });
});

describe("an agent with object storage", () => {
  const hourMs = 3_600_000;
  const metasIn = async (bucket: MemoryBucket) => {
    const { signal } = new AbortController();
    const listing = await createBlockLister(bucket).refresh(signal);
    if (!listing.ok) throw listing.failure;
    return [...listing.value.blocks.values()].map(({ meta }) => meta).sort((a, b) => a.minTimeMs - b.minTimeMs);
  };

  it("takes each block there once, under its external labels, and answers from head and blocks as one", async () => {
    const { ports, registry } = await openWorld();
    const bucket = memoryBucket();
    const first = await start(ports, { objectStorage: bucket, retentionMs: 48 * hourMs });
    await ports.clock.advance(8 * hourMs);
    await first.stop(0);
    const second = await start(ports, { objectStorage: bucket, retentionMs: 48 * hourMs });
    await ports.clock.advance(hourMs);
    const metas = await metasIn(bucket);
    expect(metas.length).toBeGreaterThanOrEqual(2);
    for (const [i, { minTimeMs, maxTimeMs, thanos }] of metas.entries()) {
      expect(thanos).toMatchObject({ labels: { cluster: "a1", region: "eu", replica: "0" }, source: "sidecar" });
      if (i > 0) expect(minTimeMs).toBe(metas[i - 1]?.maxTimeMs);
      expect(maxTimeMs % (2 * hourMs)).toBe(0);
    }
    expect(registry.render()).toContain(`thanos_shipper_uploads_total{cluster="a1"} ${metas.length}`);
    const { series } = await ask(ports, "scrapes_total");
    const values =
      /} (.*)$/
        .exec(series[0] ?? "")?.[1]
        ?.split(" ")
        .map(Number) ?? [];
    expect(values).toEqual(values.map((_, i) => (values[0] ?? 0) + i));
    expect(values.length).toBeGreaterThan(9 * 119);
    await second.stop(0);
  }, 30_000);

  it("takes a block there that a compaction made before the folder was its own, and then lets it go", async () => {
    const { ports } = await openWorld();
    const bucket = memoryBucket();
    const { files, clock, random } = ports;
    const ulid = newUlid(clock.wallMs(), random);
    const maxTimeMs = Math.floor(clock.wallMs() / (8 * hourMs)) * 8 * hourMs;
    const minTimeMs = maxTimeMs - 8 * hourMs;
    await files.makeDirectory("/data/a1");
    const compaction = { level: 2, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] };
    const writer = await createBlockWriter(files, ["__name__", "old"], {
      ...{ directory: "/data/a1", ulid, minTimeMs, maxTimeMs, compaction, thanos: undefined, chunkFileBytesMax: 1e6 },
    });
    if (!writer.ok) throw new Error(JSON.stringify(writer.failure));
    const data = encodeXor(Float64Array.of(minTimeMs), Float64Array.of(7), 0, 1);
    const chunk = { minTimeMs, maxTimeMs: minTimeMs, sampleCount: 1, encoding: 1, data } as const;
    await writer.value.add(labelsFromRecord({ __name__: "old" }), [chunk]);
    expect((await writer.value.finish()).ok).toBe(true);
    const agent = await start(ports, { objectStorage: bucket, retentionMs: 4 * hourMs });
    await clock.advance(10 * hourMs);
    expect((await metasIn(bucket)).find((meta) => meta.ulid === ulid)?.compaction.level).toBe(2);
    expect(await files.exists(`/data/a1/${ulid}`)).toBe(false);
    expect(agent.statistics().heldBlocks).toBe(0);
    await agent.stop(0);
  }, 20_000);

  it("keeps what is past retention until it is there, however long that takes", async () => {
    const { ports } = await openWorld();
    const bucket = memoryBucket();
    let isDown = true;
    const flaky: Bucket = {
      ...bucket,
      attributes: async (key, signal) => {
        if (isDown) throw new BucketError("unavailable", key, "down");
        return await bucket.attributes(key, signal);
      },
    };
    const agent = await start(ports, { objectStorage: flaky, retentionMs: 2 * hourMs });
    await ports.clock.advance(12 * hourMs);
    const { blocks, heldBlocks, minTimeMs, maxTimeMs } = agent.statistics();
    expect(blocks).toBeGreaterThanOrEqual(4);
    expect(heldBlocks).toBeGreaterThan(0);
    expect(maxTimeMs - minTimeMs).toBeGreaterThan(11 * hourMs);
    isDown = false;
    await ports.clock.advance(hourMs);
    expect((await metasIn(bucket)).length).toBeGreaterThanOrEqual(blocks);
    expect(agent.statistics().heldBlocks).toBe(0);
    expect(agent.statistics().blocks).toBeLessThan(blocks);
    await agent.stop(0);
  }, 30_000);
});

describe("an agent that cannot start says why, and leaves nothing open", () => {
  it("when the port is taken", async () => {
    const { ports } = await openWorld();
    await ports.network.serveRpc("a1:10901", new Map());
    const started = await startAgent(options, ports);
    expect(!started.ok && started.failure).toEqual({
      kind: "listen",
      message: "StoreAPI on a1:10901: a1:10901: address already in use",
    });
    const elsewhere = await start(ports, { grpcAddress: "a1:10902" });
    await elsewhere.stop(0);
  });

  it("when the port for HTTP is taken", async () => {
    const { ports } = await openWorld();
    const http = { address: "node:9100", renderMetrics: () => "", buildInfo: testBuild };
    const started = await startAgent({ ...options, http }, ports);
    expect(!started.ok && started.failure).toMatchObject({
      kind: "listen",
      message: expect.stringMatching(/^HTTP on node:9100: /),
    });
    await (await start(ports)).stop(0);
  });

  it("when the folder cannot be written", async () => {
    const { ports } = await openWorld();
    ports.files.failFrom(1, "EACCES");
    const started = await startAgent(options, ports);
    expect(!started.ok && started.failure.kind).toBe("folder");
    expect(!started.ok && started.failure.message).toMatch(/^\/data\/a1: EACCES: makeDirectory \/data\/a1$/);
  });

  it("when the past cannot be filled in", async () => {
    const { ports } = await openWorld();
    const started = await startAgent(
      { ...options, beforeScraping: async () => ({ ok: false, failure: "no space left" }) },
      ports,
    );
    expect(!started.ok && started.failure).toEqual({ kind: "past", message: "/data/a1: no space left" });
    await (await start(ports)).stop(0);
  });
});
