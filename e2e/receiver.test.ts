/** A real Prometheus that writes into our receiver: nothing is lost over restarts of both. */
import { createServer, type Server } from "node:http";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startQuerier, type Querier } from "@pleiad/role-querier";
import protobuf from "protobufjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askApi } from "./answer-difference.ts";
import { portsOfTest } from "./prometheus-peer.ts";
import { runPrometheus, runRoleCommand, type PeerProcess } from "./prometheus-process.ts";
import { eventually, peerMissing, temporaryFolder } from "./twin-under-test.ts";

const prometheusPort = 33_120;
const targetPort = 33_121;
const histogramPort = 33_127;
const remoteWriteAddress = "127.0.0.1:33122";
const grpcAddress = "127.0.0.1:33123";
const httpAddress = "127.0.0.1:33124";
const missing = peerMissing("prometheus");
const seriesPerScrape = 200;

/** A page that changes with every scrape; a part of its series comes and goes. */
function page(scrape: number): string {
  const lines = ["# TYPE steps_total counter", "# TYPE level gauge", "# TYPE passing gauge"];
  for (let i = 0; i < seriesPerScrape / 2; i++) {
    lines.push(`steps_total{path="/p${i}"} ${scrape * (i + 1)}`, `level{path="/p${i}"} ${Math.sin(scrape + i)}`);
  }
  if (scrape % 5 < 3) lines.push(`passing{part="${scrape % 3}"} ${scrape / 3}`);
  lines.push(`special{kind="nan"} NaN`, `special{kind="inf"} -Inf`);
  return `${lines.join("\n")}\n`;
}

const { root } = protobuf.parse(`
  syntax = "proto3";
  message Span { sint32 offset = 1; uint32 length = 2; }
  message Histogram {
    uint64 sample_count = 1; double sample_sum = 2; sint32 schema = 5; double zero_threshold = 6; uint64 zero_count = 7;
    repeated Span positive_span = 12; repeated sint64 positive_delta = 13;
  }
  message Metric { Histogram histogram = 7; }
  message MetricFamily { string name = 1; int32 type = 3; repeated Metric metric = 4; }
`);

/** A native histogram that grows with every scrape, and begins anew now and then; as Prometheus reads those: protobuf. */
function histogramPage(scrape: number): Uint8Array {
  const n = scrape % 9;
  const counts = [n, 2 * n, n + 1, 3];
  const histogram = {
    sample_count: counts.reduce((total, count) => total + count, n),
    sample_sum: n * 1.5,
    schema: 2,
    zero_threshold: 0.001,
    zero_count: n,
    positive_span: [
      { offset: -2, length: 3 },
      { offset: 4, length: 1 },
    ],
    positive_delta: counts.map((count, i) => count - (counts[i - 1] ?? 0)),
  };
  const type = root.lookupType("MetricFamily");
  return type.encodeDelimited(type.fromObject({ name: "native_seconds", type: 4, metric: [{ histogram }] })).finish();
}

describe("a Prometheus that writes into our receiver", { skip: missing }, () => {
  const folder = temporaryFolder();
  const config = (targets: string) => `
global:
  scrape_interval: 500ms
  external_labels: { cluster: far-away }
scrape_configs:
  - job_name: app
    static_configs: [{ targets: [${targets}] }]
remote_write:
  - url: http://${remoteWriteAddress}/api/v1/receive
    send_native_histograms: true
    queue_config: { max_backoff: 500ms, batch_send_deadline: 200ms, max_samples_per_send: 300 }
    metadata_config: { send_interval: 2s }
`;
  const scraping = config(`"127.0.0.1:${targetPort}", "127.0.0.1:${histogramPort}"`);
  const idle = config("");
  const prometheusFolder = join(folder.path, "prometheus");
  const prometheusOptions = {
    folder: prometheusFolder,
    port: prometheusPort,
    config: scraping,
    flags: ["--enable-feature=native-histograms"],
  };
  const receiverArgs = [
    "receive",
    ["--tsdb.path", join(folder.path, "receiver")],
    ["--remote-write.address", remoteWriteAddress],
    ["--grpc-address", grpcAddress],
    // Debian's Prometheus 2.42 leaves out the headers that its configuration names.
    ["--receive.default-tenant-id", "berlin"],
  ].flat();
  const targets: Server[] = [];
  let prometheus: PeerProcess | undefined;
  let receiver: PeerProcess | undefined;
  let querier: Querier | undefined;

  beforeAll(async () => {
    let scrapes = 0;
    await serve(targetPort, "text/plain; version=0.0.4", () => page(++scrapes));
    const type = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
    await serve(histogramPort, type, () => histogramPage(scrapes));
    receiver = await runRoleCommand(receiverArgs, httpAddress);
    prometheus = await runPrometheus(prometheusOptions);
  });
  afterAll(async () => {
    await querier?.stop(0);
    await prometheus?.end("SIGTERM");
    await receiver?.end("SIGTERM");
    for (const target of targets) {
      target.closeAllConnections();
      await new Promise((resolve) => target.close(resolve));
    }
    folder.remove();
  });

  it("has every sample of it, each once, after the receiver was killed thrice and Prometheus was restarted", async () => {
    for (let kill = 0; kill < 3; kill++) {
      await pause(2000 + 300 * kill);
      await receiver?.end("SIGKILL");
      // Dead for a moment once, so that requests are refused and not only broken off.
      if (kill === 1) await pause(1000);
      receiver = await runRoleCommand(receiverArgs, httpAddress);
    }
    await pause(1000);
    // Prometheus sends nothing after a start that it has scraped before: all must be there when it ends.
    await quiesce();
    await prometheus?.end("SIGTERM");
    prometheus = await runPrometheus(prometheusOptions);
    await pause(2500);
    await receiver?.end("SIGKILL");
    receiver = await runRoleCommand(receiverArgs, httpAddress);
    await pause(2500);
    await quiesce();
    querier = await startTestQuerier();
    const endMs = Date.now();
    const theirs = await samplesOf(prometheus.url, endMs);
    const ours = await samplesOf(`http://${querier.httpAddress}`, endMs);
    expect(theirs.size).toBeGreaterThan(seriesPerScrape);
    const count = [...theirs.values()].reduce((total, samples) => total + samples.length, 0);
    expect(count).toBeGreaterThan(20 * seriesPerScrape);
    expect([...ours.keys()]).toEqual([...theirs.keys()]);
    const differing = [...theirs].filter(([series, samples]) => ours.get(series)?.join() !== samples.join());
    expect(differing.map(([series]) => series)).toEqual([]);
    // What is gone is gone on both sides: staleness markers were sent too.
    for (const url of [prometheus.url, `http://${querier.httpAddress}`]) {
      const { body } = await askApi(url, { path: "query", parameters: [["query", 'count({job="app"})']] });
      expect(body).toMatchObject({ data: { result: [] } });
    }
  }, 90_000);

  async function serve(port: number, contentType: string, body: () => string | Uint8Array): Promise<void> {
    const target = createServer((_, response) => response.setHeader("content-type", contentType).end(body()));
    targets.push(target);
    await new Promise<void>((resolve) => target.listen(port, "127.0.0.1", resolve));
  }

  async function startTestQuerier(): Promise<Querier> {
    const started = await startQuerier(
      {
        name: "querier",
        httpAddress: "127.0.0.1:33125",
        grpcAddress: "127.0.0.1:33126",
        endpoints: [{ address: grpcAddress, name: "receiver", expects: [] }],
        replicaLabels: [],
        renderMetrics: () => "",
      },
      portsOfTest(),
    );
    if (!started.ok) throw new Error(started.failure.message);
    await eventually("the querier", 20_000, async () => (started.value.ready().ready ? true : undefined));
    return started.value;
  }

  /** Takes the targets away, and waits until all that was scraped is sent, the last staleness markers included. */
  async function quiesce(): Promise<void> {
    writeFileSync(join(prometheusFolder, "prometheus.yml"), idle);
    process.kill(prometheus?.pid ?? 0, "SIGHUP");
    let appended = -1;
    let steadySinceMs = Infinity;
    await eventually("all is sent", 40_000, async () => {
      const text = await (await fetch(`${prometheus?.url ?? ""}/metrics`)).text();
      const figure = (name: string) =>
        Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1] ?? NaN);
      const now = figure("prometheus_tsdb_head_samples_appended_total");
      if (now !== appended) steadySinceMs = performance.now();
      appended = now;
      const pending = figure("prometheus_remote_storage_samples_pending");
      const [scraped, sent] = [
        figure("prometheus_remote_storage_highest_timestamp_in_seconds"),
        figure("prometheus_remote_storage_queue_highest_sent_timestamp_seconds"),
      ];
      return pending === 0 && scraped === sent && performance.now() - steadySinceMs > 2500 ? true : undefined;
    });
  }
});

type Timed<T> = readonly [time: number, value: T];

/** Every sample of the last minutes: `series` to `time value` texts, series in one order, without labels that are attached. */
async function samplesOf(url: string, endMs: number): Promise<ReadonlyMap<string, readonly string[]>> {
  const { body } = await askApi(url, {
    path: "query",
    parameters: [
      ["query", '{job="app"}[10m]'],
      ["time", (endMs / 1000).toFixed(3)],
    ],
  });
  const { data, warnings } = body as {
    warnings?: readonly string[];
    data: { result: { metric: Record<string, string>; values?: Timed<string>[]; histograms?: Timed<object>[] }[] };
  };
  expect(warnings ?? []).toEqual([]);
  const entries = data.result.map(({ metric, values = [], histograms = [] }) => {
    const { cluster, tenant_id: tenant, ...own } = metric;
    expect([cluster, tenant]).toEqual(cluster === undefined ? [undefined, undefined] : ["far-away", "berlin"]);
    const series = JSON.stringify(Object.entries(own).sort());
    return [series, [...values, ...histograms].map(([time, value]) => `${time} ${JSON.stringify(value)}`)] as const;
  });
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Work goes on meanwhile; what matters is that some does, not how much. */
async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
