/** A querier over queriers over stores, as those above ask it for series: the contract holds through all tiers. */
import { runSeriesSourceAcceptance } from "@pleiad/model/acceptance";
import { testPorts } from "@pleiad/ports/testing";
import { createStoreClient, defaultStoreClient, storeHandlers } from "@pleiad/storeapi";
import { memorySource, seriesOf, samplesOf } from "@pleiad/storeapi/testing";
import { startAt } from "./hostile-store.testing.ts";

runSeriesSourceAcceptance("a querier over two regions", async (series) => {
  const ports = testPorts();
  const times = { minTimeMs: 0, maxTimeMs: Number.MAX_SAFE_INTEGER };
  const identity = { componentType: "sidecar", labelSets: [], ...times, tsdbInfos: [] };
  const all = series.map(({ labels, samples }) => seriesOf(labels, samples));
  const regions = [];
  // Stores that overlap: some series are in two of one region, some in both regions.
  for (const region of [0, 1]) {
    const endpoints = [];
    for (const store of [0, 1]) {
      const address = `127.0.0.1:${11_000 + 10 * region + store}`;
      const part = all.filter((_, i) => i % 3 !== (region + store) % 3);
      await ports.network.serveRpc(
        address,
        storeHandlers(memorySource(part), () => identity),
      );
      endpoints.push({ address, name: `store-${region}-${store}`, expects: [] });
    }
    const address = await startAt(`127.0.0.1:${12_000 + region}`, endpoints, ports, "distributed");
    regions.push({ address, name: `region-${region}`, expects: [] });
  }
  const top = await startAt("127.0.0.1:13000", regions, ports, "distributed");
  const client = createStoreClient(top, ports, { ...defaultStoreClient, name: "global" });
  return {
    source: client,
    decode: samplesOf,
    close: async () => await client.close(),
  };
});
