import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import { testPorts } from "@pleiad/ports/testing";
import { expect, it } from "vitest";
import { createMemoryCache, defaultMemoryCache, defaultQueryFrontend, startQueryFrontend } from "./index.ts";

it("the example of the README holds", async () => {
  const registry = createMetricRegistry();
  const ports = { ...testPorts(), observations: observationsOf(registry, () => {}) };
  await ports.network.serveHttp("127.0.0.1:19102", async ({ path }) => ({ status: 200, headers: {}, body: path }));
  const started = await startQueryFrontend(
    {
      ...defaultQueryFrontend,
      name: "query-frontend",
      httpAddress: "127.0.0.1:19100",
      downstreamUrls: ["http://127.0.0.1:19102", "http://127.0.0.1:19103"],
      cache: createMemoryCache(defaultMemoryCache), // without it, nothing is kept
      renderMetrics: () => registry.render(),
    },
    ports,
  );
  if (!started.ok) throw new Error(started.failure.message);
  const options = { signal: new AbortController().signal, bodyBytesMax: 1_000 };
  const answer = await ports.network.fetchHttp("http://127.0.0.1:19100/api/v1/labels", options);
  expect(new TextDecoder().decode(answer.body)).toBe("/api/v1/labels");
  const taken = await startQueryFrontend(
    {
      ...defaultQueryFrontend,
      name: "f",
      httpAddress: "127.0.0.1:19100",
      downstreamUrls: ["http://a"],
      renderMetrics: () => "",
    },
    ports,
  );
  expect(taken).toMatchObject({ ok: false, failure: { kind: "address" } });
  await started.value.stop(0);
});
