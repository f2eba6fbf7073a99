/** A real Prometheus with our sidecar, under our querier: the answers are those of asking that Prometheus. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startQuerier, type Querier } from "@pleiad/role-querier";
import { labelsFromRecord } from "@pleiad/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askApi, differenceOf, type ApiQuestion, type ApiReply } from "./answer-difference.ts";
import { portsOfTest } from "./prometheus-peer.ts";
import { runPrometheus, runRoleCommand, type PeerProcess } from "./prometheus-process.ts";
import { eventually, peerMissing, pleiad, temporaryFolder } from "./twin-under-test.ts";

const prometheusPort = 33_100;
const otherPrometheusPort = 33_101;
const grpcAddress = "127.0.0.1:33102";
const httpAddress = "127.0.0.1:33103";
const missing = peerMissing("prometheus") || peerMissing("promtool");

const hourMs = 3_600_000;
const blockMs = 2 * hourMs;
const stepMs = 15_000;
/** Three blocks, the last of which ended a while ago; what is scraped now is in the head. */
const endMs = Math.floor(Date.now() / blockMs) * blockMs;
const startMs = endMs - 3 * blockMs;

/** Counters that reset, gauges, a classic histogram, text that is hard to quote, and a gap. */
function openMetrics(): string {
  const families = new Map<string, string[]>();
  const add = (family: string, line: string) => {
    const lines = families.get(family) ?? [];
    families.set(family, lines);
    lines.push(line);
  };
  for (let t = startMs; t < endMs; t += stepMs) {
    const i = (t - startMs) / stepMs;
    const at = (t / 1000).toFixed(3);
    for (const [n, handler] of ["/", "/api", "/metrics"].entries()) {
      const count = (i * (n + 3)) % 1500;
      add("requests counter", `requests_total{handler="${handler}",instance="i${n}"} ${count} ${at}`);
      for (const [b, le] of ["0.1", "0.5", "1", "+Inf"].entries()) {
        const labels = `handler="${handler}",le="${le}"`;
        add("seconds histogram", `seconds_bucket{${labels}} ${i * (b + 1 + n)} ${at}`);
      }
      add("seconds histogram", `seconds_sum{handler="${handler}"} ${i * 0.3} ${at}`);
      add("seconds histogram", `seconds_count{handler="${handler}"} ${i * (4 + n)} ${at}`);
      if (i % 100 < 80) add("load gauge", `load{instance="i${n}"} ${Math.sin(i / 20 + n).toFixed(6)} ${at}`);
    }
    add("odd gauge", `odd{text="a \\"b\\" \\\\ ü"} ${i % 7 === 0 ? "NaN" : i % 11 === 0 ? "+Inf" : -i / 3} ${at}`);
  }
  const lines: string[] = [];
  for (const [family, samples] of families) lines.push(`# TYPE ${family}`, ...samples);
  return `${lines.join("\n")}\n# EOF\n`;
}

describe("a Prometheus with our sidecar under our querier", { skip: missing }, () => {
  const folder = temporaryFolder();
  const data = join(folder.path, "prometheus", "data");
  const bucket = join(folder.path, "bucket");
  const objstore = join(folder.path, "bucket.yaml");
  const config = `
global:
  scrape_interval: 1s
  external_labels: { cluster: e2e, replica: "0" }
scrape_configs:
  - job_name: itself
    static_configs: [{ targets: ["127.0.0.1:${prometheusPort}"] }]
`;
  const prometheusOptions = {
    folder: join(folder.path, "prometheus"),
    port: prometheusPort,
    config,
    flags: ["--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h"],
  };
  let prometheus: PeerProcess | undefined;
  let sidecar: PeerProcess | undefined;
  let querier: Querier | undefined;
  /** A time of which all that was scraped is there. */
  let nowMs = 0;

  beforeAll(async () => {
    const text = join(folder.path, "samples");
    writeFileSync(text, openMetrics());
    mkdirSync(data, { recursive: true });
    mkdirSync(bucket);
    execFileSync("promtool", ["tsdb", "create-blocks-from", "openmetrics", "--quiet", text, data]);
    writeFileSync(objstore, `type: FILESYSTEM\nconfig: { directory: ${bucket} }\n`);
    prometheus = await runPrometheus(prometheusOptions);
    const args = [
      ["--prometheus.url", prometheus.url],
      ["--tsdb.path", data],
      ["--objstore.config-file", objstore],
      ["--grpc-address", grpcAddress],
    ];
    sidecar = await runRoleCommand(["sidecar", ...args.flat()], httpAddress);
    querier = await startTestQuerier();
    await eventually("some scrapes", 30_000, async () => {
      const { body } = await askApi(prometheus?.url ?? "", query("count_over_time(up[1m]) > 4", Date.now()));
      return resultOf(body).length > 0 ? true : undefined;
    });
    nowMs = Date.now() - 1500;
  }, 60_000);
  afterAll(async () => {
    await querier?.stop(0);
    await sidecar?.end("SIGTERM");
    await prometheus?.end("SIGTERM");
    folder.remove();
  });

  async function startTestQuerier(): Promise<Querier> {
    const expects = [{ name: "e2e", labels: labelsFromRecord({ cluster: "e2e" }) }];
    const started = await startQuerier(
      {
        name: "querier",
        httpAddress: "127.0.0.1:33104",
        grpcAddress: "127.0.0.1:33105",
        endpoints: [{ address: grpcAddress, name: "e2e", expects }],
        replicaLabels: ["replica"],
        renderMetrics: () => "",
      },
      portsOfTest(),
    );
    if (!started.ok) throw new Error(started.failure.message);
    await eventually("the querier", 20_000, async () => (started.value.ready().ready ? true : undefined));
    return started.value;
  }

  const ourUrl = () => `http://${querier?.httpAddress ?? ""}`;
  const askBoth = async (question: ApiQuestion) =>
    await Promise.all([askApi(ourUrl(), question).then(withoutCluster), askApi(prometheus?.url ?? "", question)]);

  /** Between samples; windows of whole seconds reach back to such times: since 3.0 their left end is open. */
  const inBlocksMs = startMs + 4.3 * hourMs + 7007;
  const range = (expression: string): ApiQuestion => ({
    path: "query_range",
    parameters: [
      ["query", expression],
      ["start", seconds(startMs + 607_007)],
      ["end", seconds(nowMs)],
      ["step", "411"],
    ],
  });

  describe("queries give the same", () => {
    for (const expression of [
      "requests_total",
      'requests_total{handler=~"/a.+"}',
      "load",
      "load offset 33m",
      "odd",
      "count_over_time(odd[7m])",
      "rate(requests_total[5m])",
      "increase(requests_total[1h])",
      "resets(requests_total[3h])",
      "sum(rate(requests_total[5m]))",
      "sum by (handler) (rate(requests_total[5m]))",
      "avg without (instance) (load)",
      "topk(2, load)",
      "quantile(0.9, load)",
      "max_over_time(load[10m])",
      "stddev_over_time(load[1h])",
      "absent(load)",
      "absent(nosuch)",
      "histogram_quantile(0.9, sum by (le) (rate(seconds_bucket[5m])))",
      "histogram_quantile(0.5, seconds_bucket)",
      "seconds_sum / seconds_count",
      "rate(seconds_sum[10m]) / on (handler) rate(seconds_count[10m])",
      "load > 0.5 or load < -0.5",
      'label_replace(load, "to", "$1", "instance", "i(.*)")',
      "max_over_time(rate(requests_total[5m])[1h:5m])",
      "last_over_time(load[5h])",
      "up",
      "count_over_time(up[5m])",
      "count({__name__=~'prometheus_tsdb_.*'})",
      "delta(process_resident_memory_bytes[30s])",
      "sum by (job) (scrape_samples_scraped)",
    ]) {
      it(expression, async () => {
        for (const question of [query(expression, inBlocksMs), query(expression, nowMs), range(expression)]) {
          const [ours, theirs] = await askBoth(question);
          expect(differenceOf(ours, theirs, "any"), JSON.stringify(question)).toBeUndefined();
        }
      });
    }

    it("and there is something to compare", async () => {
      for (const [expression, atMs] of [
        ["load", inBlocksMs],
        ["histogram_quantile(0.9, sum by (le) (rate(seconds_bucket[5m])))", inBlocksMs],
        ["up", nowMs],
      ] as const) {
        const [ours] = await askBoth(query(expression, atMs));
        expect(resultOf(ours.body).length).toBeGreaterThan(0);
      }
    });
  });

  describe("series and labels are the same, and have the external labels", () => {
    const times = () =>
      [
        ["start", seconds(startMs)],
        ["end", seconds(nowMs)],
      ] as const;
    for (const [path, selectors] of [
      ["series", ["load"]],
      ["series", ['{__name__=~"requests_total|odd"}', "up"]],
      ["series", ["nosuch"]],
      ["label/__name__/values", []],
      ["label/handler/values", ["requests_total"]],
      ["label/text/values", []],
      ["label/nosuch/values", []],
    ] as const) {
      it(`${path} ${selectors.join(" ")}`, async () => {
        const match = selectors.map((selector) => ["match[]", selector] as const);
        const [ours, theirs] = await askBoth({ path, parameters: [...match, ...times()] });
        expect(listOf(ours)).toEqual(listOf(theirs));
      });
    }

    it("labels", async () => {
      const question = { path: "labels", parameters: times() };
      const [ours, theirs] = await Promise.all([askApi(ourUrl(), question), askApi(prometheus?.url ?? "", question)]);
      expect(listOf(ours)).toEqual([...listOf(theirs), '"cluster"', '"replica"'].sort());
    });

    it("label/cluster/values", async () => {
      const question = { path: "label/cluster/values", parameters: times() };
      expect(listOf(await askApi(ourUrl(), question))).toEqual(['"e2e"']);
    });
  });

  it("every block arrives in the bucket, under the external labels, and is whole", async () => {
    const blocksOf = (path: string) => readdirSync(path).filter((name) => /^01[0-9A-Z]{24}$/.test(name));
    const blocks = blocksOf(data).sort();
    expect(blocks.length).toBeGreaterThanOrEqual(3);
    await eventually("the upload", 45_000, async () => {
      const arrived = blocks.filter((ulid) => existsSync(join(bucket, ulid, "meta.json")));
      return arrived.length === blocks.length ? true : undefined;
    });
    const verified = await pleiad(["bucket", "verify", "--dir", bucket]);
    expect(verified.code, verified.stdout + verified.stderr).toBe(0);
    for (const ulid of blocks) {
      expect(JSON.parse(readFileSync(join(bucket, ulid, "meta.json"), "utf8"))).toMatchObject({
        ulid,
        thanos: {
          version: 1,
          labels: { cluster: "e2e", replica: "0" },
          downsample: { resolution: 0 },
          source: "sidecar",
        },
      });
    }
    const record = JSON.parse(readFileSync(join(data, "thanos.shipper.json"), "utf8")) as { uploaded: string[] };
    expect(record).toEqual({ version: 1, uploaded: blocks });
  });

  it("while Prometheus is dead the answer says what it lacks; when it is back, all is well", async () => {
    await prometheus?.end("SIGKILL");
    await eventually("the sidecar sees it", 20_000, async () => {
      return (await fetch(`http://${httpAddress}/-/ready`)).status === 503 ? true : undefined;
    });
    const { body } = await askApi(ourUrl(), query("load", inBlocksMs));
    expect((body as { warnings?: readonly string[] }).warnings?.join()).toContain("e2e");
    prometheus = await runPrometheus(prometheusOptions);
    await eventually("the sidecar sees it", 20_000, async () => {
      return (await fetch(`http://${httpAddress}/-/ready`)).status === 200 ? true : undefined;
    });
    await eventually("the querier sees it", 20_000, async () => {
      const [ours, theirs] = await askBoth(query("load", inBlocksMs));
      return resultOf(ours.body).length > 0 && differenceOf(ours, theirs, "any") === undefined ? true : undefined;
    });
  }, 90_000);

  it("is refused beside a Prometheus without external labels, or one that compacts what is uploaded", async () => {
    const other = {
      folder: join(folder.path, "other"),
      port: otherPrometheusPort,
      config: "global: {}\n",
    };
    const args = ["sidecar", "--prometheus.url", `http://127.0.0.1:${otherPrometheusPort}`, "--objstore.config-file"];
    const addresses = ["--grpc-address", "127.0.0.1:33106", "--http-address", "127.0.0.1:33107"];
    for (const [text, reason] of [
      [other.config, /has no external labels/],
      ["global: { external_labels: { a: b } }\n", /compacts its blocks \(2h to 1d12h\) while they are uploaded/],
    ] as const) {
      const running = await runPrometheus({ ...other, config: text });
      try {
        const refused = await pleiad([...args, objstore, ...addresses]);
        expect(refused.code).toBe(1);
        expect(refused.stderr).toMatch(reason);
      } finally {
        await running.end("SIGTERM");
      }
    }
  });
});

function query(expression: string, atMs: number): ApiQuestion {
  return {
    path: "query",
    parameters: [
      ["query", expression],
      ["time", seconds(atMs)],
    ],
  };
}

function seconds(timeMs: number): string {
  return (timeMs / 1000).toFixed(3);
}

function resultOf(body: unknown): readonly unknown[] {
  const { data } = body as { data?: { result?: readonly unknown[] } };
  return data?.result ?? [];
}

/** Prometheus does not attach its external labels to what it answers itself. */
function withoutCluster(reply: ApiReply): ApiReply {
  const text = reply.text.replaceAll('"cluster":"e2e",', "").replaceAll(/,?"cluster":"e2e"/g, "");
  return { ...reply, text, body: JSON.parse(text) as unknown };
}

/** The listed things in one order: Prometheus lists series of its head as they were made. */
function listOf({ body }: ApiReply): readonly string[] {
  const { data } = body as { data: readonly unknown[] };
  return data.map((one) => JSON.stringify(typeof one === "string" ? one : Object.entries(one as object).sort())).sort();
}
