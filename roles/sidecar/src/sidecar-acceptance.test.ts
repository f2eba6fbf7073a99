/** A sidecar as those above ask it for series: the contract holds from a Prometheus's API to StoreAPI. */
import { labelsFromRecord, withoutLabels } from "@pleiad/model";
import { runSeriesSourceAcceptance } from "@pleiad/model/acceptance";
import { testPorts } from "@pleiad/ports/testing";
import { createStoreClient, defaultStoreClient } from "@pleiad/storeapi";
import { memorySource, samplesOf, seriesOf } from "@pleiad/storeapi/testing";
import { seriesAnswer, statusAnswers } from "./prometheus.testing.ts";
import { defaultSidecar, startSidecar } from "./sidecar.ts";

/** The label that all series of the suite have is the external one. */
const externalLabels = labelsFromRecord({ replica: "0" });

for (const gives of ["chunks", "samples"] as const) {
  runSeriesSourceAcceptance(`a sidecar of a Prometheus that gives ${gives}`, async (series) => {
    const ports = testPorts({ startMs: 10_000_000 }); // soon after the samples of the suite
    const own = series.map(({ labels, samples }) => seriesOf(withoutLabels(labels, new Set(["replica"])), samples));
    const prometheus = { source: memorySource(own), externalLabels, gives };
    const status = statusAnswers({ labels: "replica: 0", maxBlockDuration: "2h", ready: true }, 0);
    await ports.network.serveHttp(
      "prometheus:9090",
      async (request) =>
        status[request.path]?.() ?? (await seriesAnswer(prometheus, request)) ?? { status: 404, headers: {}, body: "" },
    );
    const sidecar = await startSidecar(
      {
        ...defaultSidecar,
        ...{ name: "sidecar", prometheusUrl: "http://prometheus:9090", directory: "/data" },
        ...{ grpcAddress: "sidecar:10901", httpAddress: "127.0.0.1:10902", renderMetrics: () => "" },
      },
      ports,
      new AbortController().signal,
    );
    if (!sidecar.ok) throw new Error(sidecar.failure.message);
    const client = createStoreClient("sidecar:10901", ports, { ...defaultStoreClient, name: "sidecar" });
    return {
      source: client,
      decode: samplesOf,
      close: async () => {
        await client.close();
        await sidecar.value.stop(0);
      },
    };
  });
}
