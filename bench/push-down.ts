/**
 * What push-down saves: a querier of this process over the regional queriers of a running twin, asked for shares and for
 * series, in turn. Bytes are those of messages from below, the time is until the answer is whole.
 */
import { readFileSync } from "node:fs";
import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import { planFleet, readFleet } from "@pleiad/fleet";
import { createNodePorts } from "@pleiad/node-ports";
import { startQuerier, type QueryMode } from "@pleiad/role-querier";
import { endpointsOf } from "@pleiad/twin";
import { eventually } from "../e2e/twin-under-test.ts";
import type { BenchQuery } from "./queries.ts";
import { timeQuery } from "./twin-query.ts";

export interface PushDownFigures {
  readonly name: string;
  readonly mode: QueryMode;
  readonly medianMs: number;
  readonly leastMs: number;
  readonly points: number;
  readonly warnings: number;
  readonly receivedBytes: number; // of one answer
}

const readyMsMax = 30_000;

/** Figures of each query, first without push-down, then with it. */
export async function measurePushDown(
  fleetFile: string,
  queries: readonly BenchQuery[],
  runs: number,
  endSeconds: number,
): Promise<readonly PushDownFigures[]> {
  const fleet = readFleet(readFileSync(fleetFile, "utf8"), fleetFile);
  const plan = fleet.ok ? planFleet(fleet.value) : fleet;
  if (!plan.ok) throw new Error(`${fleetFile} has no plan`);
  const { roles, replicaLabels } = plan.value;
  const global = roles.find(({ kind }) => kind === "global-querier");
  if (global === undefined) throw new Error(`${fleetFile} plans no global querier`);
  const endpoints = endpointsOf(plan.value, global.id);

  const start = async (queryMode: QueryMode) => {
    const registry = createMetricRegistry();
    const ports = createNodePorts({ observations: observationsOf(registry, () => {}) });
    const address = "127.0.0.1:0";
    const listening = { httpAddress: address, grpcAddress: address, renderMetrics: () => registry.render() };
    const started = await startQuerier({ name: queryMode, endpoints, replicaLabels, queryMode, ...listening }, ports);
    if (!started.ok) throw new Error(started.failure.message);
    const querier = started.value;
    await eventually("a querier is ready", readyMsMax, async () => (querier.ready().ready ? true : undefined));
    const receivedBytes = () =>
      Number(/^pleiad_store_client_received_bytes_total (\S+)$/m.exec(registry.render())?.[1] ?? 0);
    return { mode: queryMode, querier, receivedBytes };
  };

  const queriers = [await start("fan-out"), await start("distributed")];
  const figures: PushDownFigures[] = [];
  try {
    for (const query of queries) {
      for (const { mode, querier, receivedBytes } of queriers) {
        const before = receivedBytes();
        const timing = await timeQuery(`http://${querier.httpAddress}`, query, runs, endSeconds);
        const { name, medianMs, leastMs, points, warnings } = timing;
        // The run that warms up receives as much as the others.
        const bytes = (receivedBytes() - before) / (runs + 1);
        figures.push({ name, mode, medianMs, leastMs, points, warnings, receivedBytes: bytes });
      }
    }
  } finally {
    for (const { querier } of queriers) await querier.stop(0);
  }
  return figures;
}
