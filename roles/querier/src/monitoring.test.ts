/** Rules, targets, metadata and exemplars through two tiers of queriers over clusters of two replicas each. */
import { labelsFromRecord, monitoringServices } from "@pleiad/model";
import { monitoringDataOf } from "@pleiad/model/monitoring-acceptance";
import { testPorts } from "@pleiad/ports/testing";
import { monitoringHandlers, storeHandlers, type EndpointSpec } from "@pleiad/storeapi";
import { memoryMonitoring, memorySource, plainSelectors } from "@pleiad/storeapi/testing";
import { describe, expect, it } from "vitest";
import { startQuerier } from "./querier.ts";

const startMs = 1_700_000_060_000;

/** Two regions of one cluster each; the global querier over both regions. */
async function openHierarchy() {
  const ports = testPorts({ startMs });
  const start = async (name: string, port: number, endpoints: readonly EndpointSpec[]) => {
    const addresses = { httpAddress: `127.0.0.1:${port}`, grpcAddress: `127.0.0.1:${port + 1}` };
    const options = { name, ...addresses, endpoints, replicaLabels: ["replica"], renderMetrics: () => "" };
    const started = await startQuerier(options, ports);
    if (!started.ok) throw new Error(started.failure.message);
    await ports.clock.advance(100);
  };
  const regional: EndpointSpec[] = [];
  for (const [i, cluster] of ["a", "b"].entries()) {
    const endpoints: EndpointSpec[] = [];
    const expects = [{ name: cluster, labels: labelsFromRecord({ cluster }) }];
    for (const replica of ["0", "1"]) {
      const labels = labelsFromRecord({ cluster, replica });
      const address = `${cluster}${replica}:1`;
      const identity = {
        ...{ componentType: "sidecar", labelSets: [labels], tsdbInfos: [], serves: monitoringServices },
        ...{ minTimeMs: 0, maxTimeMs: Number.MAX_SAFE_INTEGER },
      };
      await ports.network.serveRpc(
        address,
        new Map([
          ...storeHandlers(memorySource([]), () => identity),
          ...monitoringHandlers(memoryMonitoring(monitoringDataOf(labels)), () => true, plainSelectors),
        ]),
      );
      endpoints.push({ address, name: `${cluster}${replica}`, expects });
    }
    await start(`region-${cluster}`, 12_010 + 10 * i, endpoints);
    regional.push({ address: `127.0.0.1:${12_011 + 10 * i}`, name: `region-${cluster}`, expects });
  }
  await start("global", 12_000, regional);
  const ask = async (path: string) => {
    const answer = await ports.network.fetchHttp(`http://127.0.0.1:12000/api/v1/${path}`, {
      signal: new AbortController().signal,
      bodyBytesMax: 1 << 20,
    });
    return { status: answer.status, ...JSON.parse(new TextDecoder().decode(answer.body)) };
  };
  return { ports, ask };
}

interface LabelledJson {
  readonly labels: Readonly<Record<string, string>>;
}

describe("through two tiers", () => {
  it("replicas are one and clusters are not, in rules, alerts, targets, metadata and exemplars", async () => {
    const { ask } = await openHierarchy();
    const sets = (all: readonly LabelledJson[]) => all.map(({ labels }) => [labels["cluster"], labels["replica"]]);
    const clusters = [
      ["a", undefined],
      ["b", undefined],
    ];
    const rules = await ask("rules?rule_name[]=Down");
    expect(rules.warnings).toBeUndefined();
    expect(rules.data.groups.map((group: { rules: LabelledJson[] }) => sets(group.rules))).toEqual([clusters]);
    expect(sets((await ask("alerts")).data.alerts)).toEqual(clusters);
    const targets = (await ask("targets?state=active")).data.activeTargets;
    expect(sets(targets)).toEqual([...clusters, ...clusters]);
    expect(Object.keys((await ask("metadata")).data)).toEqual(["calls", "latency_seconds", "up"]);
    const exemplars = (await ask(`query_exemplars?query=${encodeURIComponent("rate(calls_total[5m])")}`)).data;
    expect(
      exemplars.map((one: { seriesLabels: LabelledJson["labels"]; exemplars: unknown[] }) => [
        one.seriesLabels["cluster"],
        one.seriesLabels["replica"],
        one.exemplars.length,
      ]),
    ).toEqual([
      ["a", undefined, 2],
      ["b", undefined, 2],
    ]);
  });

  it("replicas are two to who wants them so", async () => {
    const { ask } = await openHierarchy();
    expect((await ask("targets?dedup=false")).data.activeTargets).toHaveLength(8);
    expect((await ask("rules?dedup=false&rule_name[]=Down")).data.groups[0].rules).toHaveLength(4);
  });

  it("a cluster is asked about alone", async () => {
    const { ask } = await openHierarchy();
    const rules = await ask(`rules?${new URLSearchParams({ "match[]": '{cluster="b"}' }).toString()}`);
    const labels = rules.data.groups.flatMap((group: { rules: LabelledJson[] }) =>
      group.rules.map((rule) => rule.labels),
    );
    expect(new Set(labels.map((one: LabelledJson["labels"]) => one["cluster"]))).toEqual(new Set(["b"]));
    const query = encodeURIComponent('calls_total{cluster="b"}');
    const exemplars = (await ask(`query_exemplars?query=${query}`)).data;
    expect(exemplars.map((one: { seriesLabels: LabelledJson["labels"] }) => one.seriesLabels["cluster"])).toEqual([
      "b",
    ]);
  });

  for (const path of ["rules", "alerts", "targets", "metadata", "query_exemplars?query=up"]) {
    it(`${path} names a region that has gone, and fails where all or nothing is wanted`, async () => {
      const { ports, ask } = await openHierarchy();
      ports.network.unplug("127.0.0.1:12021");
      const partial = await ask(path);
      expect(partial).toMatchObject({
        status: "success",
        warnings: [expect.stringContaining("missing from the answer: b (")],
      });
      const failed = await ask(`${path}${path.includes("?") ? "&" : "?"}partial_response=false`);
      expect(failed).toMatchObject({ status: "error", error: expect.stringContaining("missing from the answer: b (") });
    });

    it(`${path} names one replica of a cluster that has gone below a region`, async () => {
      const { ports, ask } = await openHierarchy();
      ports.network.unplug("b1:1");
      const partial = await ask(path);
      expect(partial).toMatchObject({ status: "success", warnings: [expect.stringMatching(/answer: b \(.* b1:1\)/)] });
    });
  }
});
