/** An agent over HTTP, as a Prometheus is: PromQL over its own folder, its series, its exemplars and targets, its own metrics. */
import {
  createHttpApi,
  defaultHttpApiLimits,
  loopbackAccess,
  type AccessOptions,
  type BuildInfo,
} from "@pleiad/http-api";
import type { MonitoringSource, SeriesSource } from "@pleiad/model";
import type { Listener, Ports, Service } from "@pleiad/ports";
import { createEngine, defaultEngineOptions } from "@pleiad/promql-exec";

export interface AgentHttpOptions {
  readonly address: string;
  /** Own metrics in the text exposition format: those that the ports' observations collect. */
  readonly renderMetrics: () => string;
  /** Who may call; by default only by a loopback name, and no page of another origin. */
  readonly access?: AccessOptions;
  readonly buildInfo: BuildInfo;
}

export interface AgentHttp {
  readonly address: string; // as bound
  close(graceMs: number): Promise<void>;
}

/** Rejects where the address cannot be bound. */
export async function serveAgentHttp(
  { address, renderMetrics, access = loopbackAccess, buildInfo }: AgentHttpOptions,
  source: SeriesSource,
  monitoring: MonitoringSource,
  ready: Service["ready"],
  ports: Pick<Ports, "clock" | "network" | "observations" | "threads">,
): Promise<AgentHttp> {
  const engine = createEngine(defaultEngineOptions, ports);
  const handle = createHttpApi(
    {
      ...{ engine, source, monitoring, buildInfo, renderMetrics, ready, access, limits: defaultHttpApiLimits },
      stores: () => ({ stores: [], missingClusters: [] }),
      replicaLabels: [],
      // There is one folder behind it: what cannot be read of it fails the question.
      partialResponseDefault: false,
    },
    ports,
  );
  let listener: Listener;
  try {
    listener = await ports.network.serveHttp(address, handle);
  } catch (error) {
    await engine.close();
    throw error;
  }
  return {
    address: listener.address,
    close: async (graceMs) => {
      await listener.close(graceMs);
      await engine.close();
    },
  };
}
