/** The agent of one cluster: scrapes its targets into a head and serves the head over StoreAPI. */
import { defaultExpositionLimits, type ExpositionLimits } from "@pleiad/exposition";
import {
  defaultHead,
  formatHeadFailure,
  openHead,
  type Head,
  type HeadLimits,
  type HeadStatistics,
} from "@pleiad/head";
import { fail, labelValue, ok, type Labels, type Result } from "@pleiad/model";
import type { Listener, Ports, Service } from "@pleiad/ports";
import { createScrapeLoop, type ScrapeTarget, type TargetStatus } from "@pleiad/scrape";
import { storeHandlers, type StoreIdentity } from "@pleiad/storeapi";
import { withConstantLabel } from "./constant-label.ts";
import { startMaintenance } from "./maintenance.ts";

export interface AgentOptions {
  readonly name: string; // of the service
  readonly directory: string; // of the head, absolute
  readonly externalLabels: Labels; // of every series; `cluster` also labels the agent's own metrics, else the name does
  readonly grpcAddress: string; // of StoreAPI
  readonly targets: readonly ScrapeTarget[];
  readonly scrapeIntervalMs: number;
  readonly scrapeTimeoutMs?: number; // by default the interval, but at most 10 s
  readonly retentionMs: number;
  /** Gives one string for all equal ones; agents of one process share it. */
  readonly intern?: (text: string) => string;
  readonly limits?: { readonly page?: ExpositionLimits; readonly head?: HeadLimits };
  /** Whether a page without a Content-Type is taken for the text format, as Prometheus did before version 3. */
  readonly fallbackToText?: boolean;
  /** Runs when the head is open and before anything is scraped or served: to fill in the past. */
  readonly beforeScraping?: (head: Head) => Promise<Result<unknown, string>>;
}

/** Why an agent did not start; the message names the folder or the address. */
export interface AgentFailure {
  readonly kind: "head" | "past" | "listen";
  readonly message: string;
}

export interface Agent extends Service {
  readonly head: Head;
  readonly grpcAddress: string; // as bound
  targets(): readonly TargetStatus[];
  statistics(): HeadStatistics;
}

const scrapeTimeoutMaxMs = 10_000;

/** Opens the head, fills in the past, serves, scrapes, in this order; what was opened is closed again on a failure. */
export async function startAgent(options: AgentOptions, ports: Ports): Promise<Result<Agent, AgentFailure>> {
  const cluster = labelValue(options.externalLabels, "cluster") || options.name;
  const own: Ports = { ...ports, observations: withConstantLabel(ports.observations, "cluster", cluster) };

  const opened = await openHead(
    {
      ...defaultHead,
      directory: options.directory,
      externalLabels: options.externalLabels,
      retentionMs: options.retentionMs,
      intern: options.intern ?? ((text) => text),
      limits: options.limits?.head ?? defaultHead.limits,
    },
    own,
  );
  if (!opened.ok) return fail({ kind: "head", message: `${options.directory}: ${formatHeadFailure(opened.failure)}` });
  const head = opened.value;

  const filled = await options.beforeScraping?.(head);
  if (filled?.ok === false) {
    await head.close();
    return fail({ kind: "past", message: `${options.directory}: ${filled.failure}` });
  }

  let listener: Listener;
  try {
    const handlers = storeHandlers(head, () => identityOf(head, options.externalLabels));
    listener = await own.network.serveRpc(options.grpcAddress, handlers);
  } catch (error) {
    await head.close();
    const reason = error instanceof Error ? error.message : String(error);
    return fail({ kind: "listen", message: `StoreAPI on ${options.grpcAddress}: ${reason}` });
  }

  const loops = options.targets.map((target) =>
    createScrapeLoop(target, head, own, {
      intervalMs: options.scrapeIntervalMs,
      timeoutMs: options.scrapeTimeoutMs ?? Math.min(options.scrapeIntervalMs, scrapeTimeoutMaxMs),
      limits: options.limits?.page ?? defaultExpositionLimits,
      fallbackToText: options.fallbackToText ?? false,
    }),
  );
  const maintenance = startMaintenance(head, own);
  let stopping = false;
  return ok({
    name: options.name,
    head,
    grpcAddress: listener.address,
    targets: () => loops.map((loop) => loop.status()),
    statistics: () => head.statistics(),
    ready: () => {
      if (stopping) return { ready: false, reason: "stopping" };
      const { commitFailure } = head.statistics();
      if (commitFailure === undefined) return { ready: true };
      return { ready: false, reason: `takes no samples: ${formatHeadFailure(commitFailure)}` };
    },
    stop: async (graceMs) => {
      stopping = true;
      await Promise.all([listener.close(graceMs), maintenance.stop(), ...loops.map((loop) => loop.stop())]);
      const closed = await head.close();
      if (closed.ok) return;
      const reason = formatHeadFailure(closed.failure);
      own.observations.log("error", "The head could not be closed in good order.", { reason });
    },
  });
}

/** As a sidecar beside a Prometheus: external labels, and all times from the head's first sample on. */
function identityOf(head: Head, externalLabels: Labels): StoreIdentity {
  const maxTimeMs = Number.MAX_SAFE_INTEGER;
  const firstMs = head.statistics().minTimeMs;
  const minTimeMs = Number.isNaN(firstMs) ? maxTimeMs : firstMs;
  return {
    componentType: "sidecar",
    labelSets: [externalLabels],
    minTimeMs,
    maxTimeMs,
    tsdbInfos: [{ labels: externalLabels, minTimeMs, maxTimeMs }],
  };
}
