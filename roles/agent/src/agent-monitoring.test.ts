/** An agent's targets, metadata and exemplars: asked in the process, and over gRPC through a fan-out. */
import { labelsFromRecord, type MonitoringSource } from "@pleiad/model";
import {
  acceptanceLabels,
  runMonitoringSourceAcceptance,
  type MonitoringData,
} from "@pleiad/model/monitoring-acceptance";
import { testPorts } from "@pleiad/ports/testing";
import { createFanout, createStoreClient, defaultFanout, defaultStoreClient } from "@pleiad/storeapi";
import { describe, expect, it } from "vitest";
import { startAgent, type Agent } from "./agent.ts";

const { signal } = new AbortController();
const grpcAddress = "a1:10901";

const page = `# HELP calls Calls.
# TYPE calls counter
calls_total 7 # {trace_id="t1"} 0.5
# HELP latency_seconds Time of calls.
# TYPE latency_seconds gauge
# UNIT latency_seconds seconds
latency_seconds 3
# EOF
`;

/** After one scrape of a target that answers and one that does not. */
async function openAgent() {
  const ports = testPorts();
  await ports.network.serveHttp("node:9100", async () => ({
    status: 200,
    headers: { "content-type": "application/openmetrics-text; version=1.0.0; charset=utf-8" },
    body: page,
  }));
  const started = await startAgent(
    {
      ...{ name: "a1", directory: "/data/a1", externalLabels: acceptanceLabels, grpcAddress },
      targets: [
        { job: "node", url: "http://node:9100/metrics" },
        { job: "gone", url: "http://me:secret@gone:9100/metrics?x=1" },
      ],
      ...{ scrapeIntervalMs: 30_000, retentionMs: 7_200_000 },
    },
    ports,
  );
  if (!started.ok) throw new Error(started.failure.message);
  const agent = started.value;
  await ports.clock.advance(30_000);
  return { ports, agent };
}

/** What such an agent holds, but for the times. */
function holdsOf(agent: Agent): MonitoringData {
  const targets = agent.targets();
  const instantAt = (i: number) => {
    const timeMs = targets[i]?.lastScrapeMs ?? NaN;
    return { seconds: Math.floor(timeMs / 1000), nanos: (timeMs % 1000) * 1e6 };
  };
  const labels = (record: Record<string, string>) => labelsFromRecord({ ...record, cluster: "a", replica: "0" });
  const discovered = (address: string, job: string) =>
    labels({
      ...{ __address__: address, __metrics_path__: "/metrics", __scheme__: "http", job },
      ...{ __scrape_interval__: "30s", __scrape_timeout__: "10s" },
    });
  const url = "http://gone:9100/metrics?x=1";
  return {
    groups: [],
    active: [
      {
        ...{
          discoveredLabels: discovered("gone:9100", "gone"),
          labels: labels({ instance: "gone:9100", job: "gone" }),
        },
        ...{ scrapePool: "gone", scrapeUrl: url, globalUrl: url, lastError: targets[1]?.lastError ?? "none" },
        ...{ lastScrape: instantAt(1), lastScrapeSeconds: (targets[1]?.lastDurationMs ?? NaN) / 1000, health: "down" },
      },
      {
        ...{
          discoveredLabels: discovered("node:9100", "node"),
          labels: labels({ instance: "node:9100", job: "node" }),
        },
        ...{ scrapePool: "node", scrapeUrl: "http://node:9100/metrics", globalUrl: "http://node:9100/metrics" },
        ...{ lastError: "", lastScrape: instantAt(0), lastScrapeSeconds: 0, health: "up" },
      },
    ],
    dropped: [],
    metrics: [
      { metric: "calls", metas: [{ type: "counter", help: "Calls.", unit: "" }] },
      { metric: "latency_seconds", metas: [{ type: "gauge", help: "Time of calls.", unit: "seconds" }] },
    ],
    exemplars: [
      {
        labels: labels({ __name__: "calls_total", instance: "node:9100", job: "node" }),
        exemplars: [
          { timestampMs: targets[0]?.lastScrapeMs ?? NaN, value: 0.5, labels: labelsFromRecord({ trace_id: "t1" }) },
        ],
      },
    ],
  };
}

runMonitoringSourceAcceptance("an agent", ["targets", "metadata", "exemplars"], async () => {
  const { agent } = await openAgent();
  return { source: agent.monitoring, holds: holdsOf(agent), close: async () => await agent.stop(0) };
});

runMonitoringSourceAcceptance("an agent over gRPC", ["targets", "metadata", "exemplars"], async () => {
  const { ports, agent } = await openAgent();
  const endpoints = [{ address: grpcAddress, name: "a1", expects: [] }];
  const fanout = createFanout({ ...defaultFanout, endpoints }, ports);
  await fanout.refresh();
  const { targets, metadata, exemplars } = fanout.monitoring;
  const source: MonitoringSource = { targets, metadata, exemplars };
  const close = async () => {
    await fanout.stop();
    await agent.stop(0);
  };
  return { source, holds: holdsOf(agent), close };
});

describe("an agent", () => {
  it("announces just what it tells of", async () => {
    const { ports, agent } = await openAgent();
    const client = createStoreClient(grpcAddress, ports, { ...defaultStoreClient, name: "a1" });
    const info = await client.info(signal);
    expect(info.ok && info.value.serves).toEqual(["targets", "metadata", "exemplars"]);
    await client.close();
    await agent.stop(0);
  });

  it("tells of no rules, and is asked for none", async () => {
    const { ports, agent } = await openAgent();
    const endpoints = [{ address: grpcAddress, name: "a1", expects: [{ name: "a", labels: acceptanceLabels }] }];
    const fanout = createFanout({ ...defaultFanout, endpoints }, ports);
    await fanout.refresh();
    const filter = { type: "all", matcherSets: [], ruleNames: [], groupNames: [], files: [] } as const;
    const rules = await fanout.monitoring.rules({ ...filter, withoutLabels: [], onFailure: "abort" }, signal);
    expect(rules).toEqual({ ok: true, value: { groups: [], warnings: [] } });
    await fanout.stop();
    await agent.stop(0);
  });
});
