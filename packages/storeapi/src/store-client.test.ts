import { runSeriesSourceAcceptance } from "@pleiad/model/acceptance";
import { createSampleColumns, decodeChunk } from "@pleiad/chunks";
import { memoryNetwork, manualClock, silentObservations } from "@pleiad/ports/testing";
import { createStoreClient, defaultStoreClient } from "./store-client.ts";
import { storeHandlers } from "./store-handlers.ts";
import { memorySource, seriesOf } from "./testing.ts";

runSeriesSourceAcceptance("store client", async (series) => {
  const network = memoryNetwork();
  const source = memorySource(series.map(({ labels, samples }) => seriesOf(labels, samples)));
  const identity = { componentType: "sidecar", labelSets: [], minTimeMs: 0, maxTimeMs: 1, tsdbInfos: [] };
  const listener = await network.serveRpc(
    "127.0.0.1:1",
    storeHandlers(source, () => identity),
  );
  const ports = { network, clock: manualClock(), observations: silentObservations() };
  const client = createStoreClient("127.0.0.1:1", ports, { ...defaultStoreClient, name: "peer" });
  return {
    source: client,
    decode: (encoding, data) => {
      const columns = createSampleColumns(128);
      const failure = decodeChunk(encoding as 1, data, columns);
      if (failure !== undefined) throw new Error(JSON.stringify(failure));
      return Array.from({ length: columns.count }, (_, i) => [columns.timestampsMs[i]!, columns.values[i]!] as const);
    },
    close: () => listener.close(0),
  };
});
