/**
 * Rules, alerts, targets, metadata and exemplars of a real Prometheus with our sidecar, under two tiers of our queriers: the
 * answers are those of that Prometheus, with its external labels.
 */
import { createServer, type Server } from "node:http";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { labelsFromRecord } from "@pleiad/model";
import { startQuerier, type Querier } from "@pleiad/role-querier";
import type { EndpointSpec } from "@pleiad/storeapi";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { portsOfTest } from "./prometheus-peer.ts";
import { runPrometheus, runRoleCommand, type PeerProcess } from "./prometheus-process.ts";
import { eventually, peerMissing, temporaryFolder } from "./twin-under-test.ts";

const prometheusPort = 26_100;
const pagePort = 26_101;
const nobodyPort = 26_102;
const external = { cluster: "e2e", region: "eu" };

const rules = `
groups:
  - name: alerts
    limit: 20
    rules:
      - alert: Always
        expr: vector(1) > 0
        labels: { severity: page, shown: "{{ $value }}" }
        annotations: { summary: "<b>{{ $value }}</b> & more" }
        keep_firing_for: 5m
      - alert: Down
        expr: up == 0
        for: 1h
        annotations: { summary: "{{ $labels.instance }} is down" }
      - alert: Never
        expr: vector(1) < 0
  - name: records
    interval: 2s
    rules:
      - record: broken
        expr: up + on (nothing) up
      - record: job:up:sum
        expr: sum by (job) (up)
        labels: { source: rule }
`;

const config = `
global:
  scrape_interval: 2s
  scrape_timeout: 1s
  evaluation_interval: 2s
  external_labels: { cluster: ${external.cluster}, region: ${external.region} }
rule_files: [rules.yml]
scrape_configs:
  - job_name: itself
    static_configs: [{ targets: ["127.0.0.1:${prometheusPort}"] }]
  - job_name: pages
    metrics_path: /pages
    params: { x: ["1"] }
    static_configs:
      - { targets: ["127.0.0.1:${pagePort}"], labels: { zone: z1 } }
      - { targets: ["127.0.0.1:${nobodyPort}"] }
      - { targets: ["dropped:1"] }
    relabel_configs: [{ source_labels: [__address__], regex: "dropped:.*", action: drop }]
`;

const page = `# HELP calls Calls, with "quotes" and \\\\ and\\nlines.
# TYPE calls counter
calls_total 7 # {trace_id="t1"} 0.5 1700000000.250
# HELP latency_seconds Time of calls.
# TYPE latency_seconds histogram
# UNIT latency_seconds seconds
latency_seconds_bucket{le="1"} 3 # {trace_id="t2",span_id="s"} 0.7
latency_seconds_bucket{le="+Inf"} 4
latency_seconds_sum 5
latency_seconds_count 4
# EOF
`;

type Json = Readonly<Record<string, unknown>>;
const records = (value: unknown) => (value ?? []) as readonly Json[];

describe("a Prometheus with our sidecar under two tiers", { skip: peerMissing("prometheus") }, () => {
  const folder = temporaryFolder();
  let pages: Server | undefined;
  let prometheus: PeerProcess | undefined;
  let sidecar: PeerProcess | undefined;
  const queriers: Querier[] = [];

  async function start(name: string, port: number, endpoints: readonly EndpointSpec[]): Promise<void> {
    const addresses = { httpAddress: `127.0.0.1:${port}`, grpcAddress: `127.0.0.1:${port + 1}` };
    const options = { name, ...addresses, endpoints, replicaLabels: ["replica"], renderMetrics: () => "" };
    const started = await startQuerier(options, portsOfTest());
    if (!started.ok) throw new Error(started.failure.message);
    queriers.push(started.value);
    await eventually(name, 20_000, async () => (started.value.ready().ready ? true : undefined));
  }

  beforeAll(async () => {
    pages = createServer((_request, response) => {
      response.setHeader("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8");
      response.end(page);
    });
    await new Promise<void>((resolve) => pages?.listen(pagePort, "127.0.0.1", resolve));
    const home = join(folder.path, "prometheus");
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "rules.yml"), rules);
    prometheus = await runPrometheus({
      ...{ folder: home, port: prometheusPort, config },
      flags: ["--enable-feature=exemplar-storage"],
    });
    const args = ["--prometheus.url", prometheus.url, "--tsdb.path", join(home, "data")];
    sidecar = await runRoleCommand(["sidecar", ...args, "--grpc-address", "127.0.0.1:26110"], "127.0.0.1:26111");
    const expects = [{ name: "e2e", labels: labelsFromRecord(external) }];
    await start("regional", 26_120, [{ address: "127.0.0.1:26110", name: "e2e", expects }]);
    await start("global", 26_130, [{ address: "127.0.0.1:26121", name: "regional", expects }]);
    await eventually("scrapes and evaluations", 30_000, async () => {
      const { groups } = (await ask("rules")).data as { groups: readonly Json[] };
      const states = groups.flatMap((group) => records(group["rules"]).map((rule) => rule["state"] ?? rule["health"]));
      return ["firing", "pending", "inactive", "err"].every((state) => states.includes(state)) ? true : undefined;
    });
    await eventually("exemplars", 30_000, async () => {
      const found = records((await ask(`query_exemplars?${exemplarsOf("latency_seconds_bucket")}`)).data);
      return found.length > 0 ? true : undefined;
    });
  }, 120_000);
  afterAll(async () => {
    for (const querier of queriers.toReversed()) await querier.stop(0);
    await sidecar?.end("SIGTERM");
    await prometheus?.end("SIGTERM");
    pages?.close();
    folder.remove();
  });

  async function ask(path: string, url = queriers[1]?.httpAddress ?? "") {
    const response = await fetch(`http://${url.replace(/^http:\/\//, "")}/api/v1/${path}`);
    const body = (await response.json()) as { data: unknown; warnings?: readonly string[]; error?: string };
    return { ...body, status: response.status, headers: response.headers };
  }

  /** Both answers of a moment in which Prometheus's did not change. */
  async function askBoth(path: string) {
    return await eventually(`two equal answers to ${path}`, 30_000, async () => {
      const before = await ask(path, prometheus?.url);
      const ours = await ask(path);
      const after = await ask(path, prometheus?.url);
      return JSON.stringify(before.data) === JSON.stringify(after.data) ? { ours, theirs: after } : undefined;
    });
  }

  const exemplarsOf = (query: string) =>
    new URLSearchParams({ query, start: "1600000000", end: String(Date.now() / 1000 + 60) }).toString();
  const extended = (labels: unknown) => ({ ...(labels as object), ...external });
  /** In the order in which a querier lists rules: alerts first, then by name. */
  const rulesOf = (group: Json) =>
    records(group["rules"])
      .map((rule) => ({ ...rule, labels: extended(rule["labels"]) }))
      .toSorted((a: Json, b: Json) => rankOf(a) - rankOf(b) || String(a["name"]).localeCompare(String(b["name"])));
  const rankOf = (rule: Json) => (rule["type"] === "alerting" ? 0 : 1);

  for (const path of ["rules", "rules?type=alert", "rules?type=record"]) {
    it(`${path}: every field of every rule`, async () => {
      const { ours, theirs } = await askBoth(path);
      const groups = records((theirs.data as Json)["groups"]).map((group) => ({ ...group, rules: rulesOf(group) }));
      expect(ours.warnings).toBeUndefined();
      expect(ours.data).toEqual({ groups });
      expect(groups.flatMap(({ rules: some }) => some).length).toBeGreaterThan(1);
    });
  }

  it("rules: those that are asked for by name, group, file and label", async () => {
    const names = async (parameters: readonly (readonly [string, string])[]) => {
      const query = new URLSearchParams(parameters.map(([name, value]): [string, string] => [name, value]));
      const { groups } = (await ask(`rules?${query.toString()}`)).data as { groups: readonly Json[] };
      return groups.flatMap((group) => records(group["rules"]).map((rule) => rule["name"]));
    };
    expect(await names([["rule_name[]", "Down"]])).toEqual(["Down"]);
    expect(await names([["rule_group[]", "records"]])).toEqual(["broken", "job:up:sum"]);
    expect(await names([["file[]", "/nowhere"]])).toEqual([]);
    expect(await names([["match[]", '{severity="page"}']])).toEqual(["Always"]);
    expect(await names([["match[]", '{cluster="e2e",source="rule"}']])).toEqual(["job:up:sum"]);
    expect(await names([["match[]", '{cluster="other"}']])).toEqual([]);
  });

  it("alerts: those of Prometheus", async () => {
    const { ours, theirs } = await askBoth("alerts");
    const sorted = (data: unknown) =>
      records((data as Json)["alerts"]).toSorted((a, b) =>
        JSON.stringify(a["labels"]).localeCompare(JSON.stringify(b["labels"])),
      );
    const wanted = records((theirs.data as Json)["alerts"]).map((alert) => ({
      ...alert,
      labels: extended(alert["labels"]),
    }));
    expect(sorted(ours.data)).toEqual(sorted({ alerts: wanted }));
    expect(wanted.map((alert) => (alert as Json)["state"]).toSorted()).toEqual(["firing", "pending"]);
  });

  for (const path of [
    "targets",
    "targets?state=active",
    "targets?state=dropped",
    "targets?scrapePool=pages&state=active",
  ]) {
    it(`${path}: every field of every target`, async () => {
      const { ours, theirs } = await askBoth(path);
      const wanted = theirs.data as { activeTargets: readonly Json[]; droppedTargets: readonly Json[] };
      const data = ours.data as typeof wanted;
      const byUrl = (a: Json, b: Json) => String(a["scrapeUrl"]).localeCompare(String(b["scrapeUrl"]));
      expect(data.activeTargets.toSorted(byUrl)).toEqual(
        wanted.activeTargets
          .map((target) => ({
            ...target,
            discoveredLabels: extended(target["discoveredLabels"]),
            labels: extended(target["labels"]),
          }))
          .toSorted(byUrl),
      );
      // 2.42 says no more of a dropped one; later versions name its pool.
      expect(data.droppedTargets.map(({ discoveredLabels }) => discoveredLabels)).toEqual(
        wanted.droppedTargets.map((target) => extended(target["discoveredLabels"])),
      );
    });
  }

  it("metadata: every saying of every metric, and of one", async () => {
    const { ours, theirs } = await askBoth("metadata");
    expect(ours.data).toEqual(theirs.data);
    expect(Object.keys(ours.data as Json).length).toBeGreaterThan(100);
    const one = await askBoth("metadata?metric=calls");
    expect(one.ours.data).toEqual(one.theirs.data);
    expect(one.ours.data).toEqual({
      calls: [{ type: "counter", help: 'Calls, with "quotes" and \\ and\nlines.', unit: "" }],
    });
    expect(Object.keys((await ask("metadata?limit=3")).data as Json)).toHaveLength(3);
  });

  for (const query of [
    "calls_total",
    'rate(latency_seconds_bucket{zone="z1"}[5m]) + calls_total',
    "nothing",
    "1 + 1",
  ]) {
    it(`exemplars of ${query}`, async () => {
      const found = await eventually(query, 30_000, async () => {
        const path = `query_exemplars?${exemplarsOf(query)}`;
        const before = await fetch(`${prometheus?.url ?? ""}/api/v1/${path}`);
        const theirs = before.status === 204 ? [] : records(((await before.json()) as Json)["data"]);
        const ours = await ask(path);
        const wanted = theirs.map((one) => ({ ...one, seriesLabels: extended(one["seriesLabels"]) }));
        return JSON.stringify(ours.data) === JSON.stringify(wanted) || sameExemplars(ours.data, wanted)
          ? ours
          : undefined;
      });
      expect(found.warnings).toBeUndefined();
    });
  }

  it("exemplars by the cluster that they are of", async () => {
    const count = async (query: string) => records((await ask(`query_exemplars?${exemplarsOf(query)}`)).data).length;
    expect(await count('calls_total{cluster="e2e"}')).toBe(1);
    expect(await count('{cluster="e2e",__name__="calls_total"}')).toBe(1);
    expect(await count('calls_total{cluster="other"}')).toBe(0);
    expect(await count('{cluster="e2e"}')).toBeGreaterThan(1);
  });

  for (const path of ["rules?type=x", "rules?match[]=%7B", "metadata?limit=x"]) {
    it(`${path} is refused in Prometheus's words`, async () => {
      const [ours, theirs] = [await ask(path), await ask(path, prometheus?.url)];
      if (path.includes("match"))
        expect([ours.status, ours.error]).toEqual([400, expect.stringContaining("parse error")]);
      else expect([ours.status, ours.error]).toEqual([theirs.status, theirs.error]);
    });
  }

  it("says who is missing once the sidecar has gone", async () => {
    await sidecar?.end("SIGTERM");
    sidecar = undefined;
    for (const path of ["rules", "alerts", "targets", "metadata", `query_exemplars?${exemplarsOf("up")}`]) {
      const { warnings, headers } = await ask(path);
      expect([path, warnings]).toEqual([path, [expect.stringContaining("missing from the answer: e2e (")]]);
      expect(headers.get("cache-control")).toBe("no-store");
      const failed = await ask(`${path}${path.includes("?") ? "&" : "?"}partial_response=false`);
      expect([path, failed.status, failed.error]).toEqual([path, 422, expect.stringContaining("e2e")]);
    }
  });
});

/** The same in any order of fields, of series and of labels. */
function sameExemplars(ours: unknown, wanted: readonly Json[]): boolean {
  const outline = (all: readonly Json[]) =>
    all
      .map((one) =>
        JSON.stringify([
          Object.entries(one["seriesLabels"] as Json).toSorted(([a], [b]) => (a < b ? -1 : 1)),
          records(one["exemplars"]).map((exemplar) => [
            Object.entries(exemplar["labels"] as Json).toSorted(([a], [b]) => (a < b ? -1 : 1)),
            exemplar["value"],
            exemplar["timestamp"],
          ]),
        ]),
      )
      .toSorted();
  return JSON.stringify(outline(records(ours))) === JSON.stringify(outline(wanted));
}
