import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import { testPorts } from "@pleiad/ports/testing";
import { storeHandlers } from "@pleiad/storeapi";
import { memorySource } from "@pleiad/storeapi/testing";
import { expect, it } from "vitest";
import { startQuerier } from "./querier.ts";

it("warms up without asking a store, and without a count of it", { timeout: 30_000 }, async () => {
  const ports = testPorts({ startMs: 1_700_000_000_000 });
  const registry = createMetricRegistry();
  const observed = { ...ports, observations: observationsOf(registry, () => {}) };
  const stored = memorySource([]);
  let questions = 0;
  const watched = {
    ...stored,
    select(...asked: Parameters<typeof stored.select>) {
      questions++;
      return stored.select(...asked);
    },
  };
  const identity = { componentType: "sidecar", labelSets: [], minTimeMs: 0, maxTimeMs: 9e15, tsdbInfos: [] };
  await ports.network.serveRpc(
    "127.0.0.1:11001",
    storeHandlers(watched, () => identity),
  );
  const requests: string[] = [];
  const network = {
    ...observed.network,
    async fetchHttp(...asked: Parameters<typeof ports.network.fetchHttp>) {
      const answer = await ports.network.fetchHttp(...asked);
      requests.push(`${answer.status}`);
      return answer;
    },
  };
  const started = await startQuerier(
    {
      name: "global",
      httpAddress: "127.0.0.1:12000",
      grpcAddress: "127.0.0.1:12100",
      endpoints: [{ address: "127.0.0.1:11001", name: "store", expects: [] }],
      replicaLabels: [],
      renderMetrics: () => registry.render(),
      warmsUp: true,
    },
    { ...observed, network },
  );
  if (!started.ok) throw new Error(started.failure.message);
  while (requests.length < 100) await ports.clock.advance(1);
  await started.value.stop(0);
  expect(new Set(requests)).toEqual(new Set(["200"]));
  expect(questions).toBe(0);
  expect(registry.render()).not.toMatch(/^(?:http_requests_total|pleiad_query_duration_seconds_count)\{/m);
});
