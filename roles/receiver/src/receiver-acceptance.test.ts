/** A receiver as those above ask it for series: the contract holds from remote write to StoreAPI. */
import { labelPairs, labelsFromRecord } from "@pleiad/model";
import { runSeriesSourceAcceptance } from "@pleiad/model/acceptance";
import { testPorts } from "@pleiad/ports/testing";
import { post, writeRequest } from "@pleiad/remote/testing";
import { createStoreClient, defaultStoreClient } from "@pleiad/storeapi";
import { samplesOf } from "@pleiad/storeapi/testing";
import { defaultReceiver, startReceiver } from "./receiver.ts";

runSeriesSourceAcceptance("a receiver", async (series) => {
  const ports = testPorts({ startMs: 10_000_000 }); // soon after the samples of the suite
  await ports.files.makeDirectory("/etc");
  ports.files.contents.set("/etc/tenants.yaml", new TextEncoder().encode(tenantsFile));
  const started = await startReceiver(
    {
      ...defaultReceiver,
      ...{ name: "receiver", directory: "/data", tenantsFile: "/etc/tenants.yaml" },
      ...{ remoteWriteAddress: "receiver:19291", grpcAddress: "receiver:10901", httpAddress: "127.0.0.1:10902" },
      ...{ labels: labelsFromRecord({}), renderMetrics: () => "" },
    },
    ports,
  );
  if (!started.ok) throw new Error(started.failure.message);
  const { body, headers } = post(
    writeRequest(series.map(({ labels, samples }) => ({ labels: [...labelPairs(labels)], samples }))),
  );
  const { signal } = new AbortController();
  const written = await ports.network.fetchHttp("http://receiver:19291/api/v1/receive", {
    method: "POST",
    headers: { ...Object.fromEntries(headers) },
    ...{ body, signal, bodyBytesMax: 1 << 20 },
  });
  if (written.status !== 204) throw new Error(`${written.status}`);
  const client = createStoreClient("receiver:10901", ports, { ...defaultStoreClient, name: "receiver" });
  return {
    source: client,
    decode: samplesOf,
    close: async () => {
      await client.close();
      await started.value.stop(0);
    },
  };
});

/** The label that all series of the suite have anyhow. */
const tenantsFile = `tenants:
  default-tenant:
    labels: { replica: "0" }
`;
