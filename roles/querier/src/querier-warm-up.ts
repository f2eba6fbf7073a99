/** The first seconds of a querier: its code is run before anybody asks. */
import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import { createHttpApi, defaultWarmUp, warmUp, warmUpSource, type HttpApiOptions } from "@pleiad/http-api";
import type { Ports } from "@pleiad/ports";
import { createEngine, type EngineOptions } from "@pleiad/promql-exec";

/**
 * Asks an API like the querier's, over a made-up series: no store is asked, and what is counted is counted nowhere. Gives how many
 * questions were answered.
 */
export async function warmUpQuerier(
  api: Omit<HttpApiOptions, "engine" | "source" | "sourceOfStores" | "monitoring">,
  engineOptions: EngineOptions,
  ports: Pick<Ports, "clock" | "network">,
  signal: AbortSignal,
): Promise<number> {
  const unread = { clock: ports.clock, observations: observationsOf(createMetricRegistry(), () => {}) };
  const engine = createEngine(engineOptions, unread);
  const atMs = ports.clock.wallMs();
  const handle = createHttpApi({ ...api, engine, source: warmUpSource(atMs) }, unread);
  try {
    return await warmUp(handle, { ...defaultWarmUp, atMs }, ports, signal);
  } finally {
    await engine.close();
  }
}
