/** Half of 220 clusters are lost, under four regions: the answer is the other half, and says how many it lacks, by any way. */
import { labelsFromRecord } from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import type { EndpointSpec } from "@pleiad/storeapi";
import { memorySource } from "@pleiad/storeapi/testing";
import { describe, expect, it } from "vitest";
import { handlersOf, nowMs, seriesOfCluster, startAt } from "./hostile-store.testing.ts";

const regionCount = 4;
const clustersPerRegion = 55;
const lostMax = (regionCount * clustersPerRegion) / 2;

async function openWorld(mode: "fan-out" | "distributed") {
  const ports = testPorts({ startMs: nowMs });
  const regional: EndpointSpec[] = [];
  const addresses: string[] = [];
  for (let region = 0; region < regionCount; region++) {
    const endpoints: EndpointSpec[] = [];
    for (let i = 0; i < clustersPerRegion; i++) {
      const number = region * clustersPerRegion + i;
      const cluster = `cluster-${String(number).padStart(3, "0")}`;
      const address = `127.0.0.1:${20_000 + number}`;
      await ports.network.serveRpc(address, handlersOf(memorySource([seriesOfCluster(cluster)]), { cluster }, ports));
      endpoints.push({ address, name: cluster, expects: [{ name: cluster, labels: labelsFromRecord({ cluster }) }] });
      addresses.push(address);
    }
    const name = `region-${region}`;
    const address = await startAt(`127.0.0.1:${12_000 + region}`, endpoints, ports, mode);
    regional.push({ address, name, expects: endpoints.flatMap(({ expects }) => expects) });
  }
  await startAt("127.0.0.1:13000", regional, ports, mode);
  const ask = async (target: string) => {
    const { body } = await ports.network.fetchHttp(`http://127.0.0.1:13000/api/v1/${target}`, {
      ...{ signal: new AbortController().signal, bodyBytesMax: 1 << 24 },
    });
    return JSON.parse(new TextDecoder().decode(body));
  };
  return { ports, addresses, ask };
}

const counts = `query?query=${encodeURIComponent("count(up)")}&time=${nowMs / 1000}`;

/** How many clusters the warnings say are missing. */
function missingCount(warnings: readonly string[]): number {
  let count = 0;
  for (const warning of warnings) {
    const [, names = "", more = "0"] =
      /^clusters missing from the answer: (.*?)(?: and (\d+) more)? \(/.exec(warning) ?? [];
    count += names.split(", ").length + Number(more);
  }
  return count;
}

describe("with half of all clusters lost", () => {
  for (const mode of ["fan-out", "distributed"] as const) {
    for (const isNoticed of [false, true]) {
      it(`${mode}, ${isNoticed ? "once both tiers know" : "before anybody knows"}`, { timeout: 60_000 }, async () => {
        const { ports, addresses, ask } = await openWorld(mode);
        expect(await ask(counts)).toMatchObject({ data: { result: [{ value: [nowMs / 1000, "220"] }] } });
        expect((await ask(counts)).warnings).toBeUndefined();
        for (const [i, address] of addresses.entries()) if (i % 2 === 1) ports.network.unplug(address);
        if (isNoticed) await ports.clock.advance(20_000);
        const { data, warnings } = await ask(counts);
        expect(data.result).toEqual([{ metric: {}, value: [nowMs / 1000, String(lostMax)] }]);
        expect(missingCount(warnings)).toBe(lostMax);
        expect(warnings.length).toBeLessThanOrEqual(regionCount);
        expect((await ask(`${counts}&partial_response=false`)).status).toBe("error");
        const { missingClusters } = await ask("stores?");
        expect(missingClusters).toHaveLength(isNoticed ? lostMax : 0);
      });
    }
  }
});
