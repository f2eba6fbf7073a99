/** Boots a plan on this machine: one process a monitoring node, one or more for the app clusters, and the console. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import type { Plan } from "@pleiad/fleet";
import { fail, ok, type Result } from "@pleiad/model";
import { createLog, createNodePorts } from "@pleiad/node-ports";
import type { Network } from "@pleiad/ports";
import { clusterIdentity } from "./cluster-identity.ts";
import { serveConsole } from "./console-server.ts";
import type { ConsoleHistory } from "./console-state.ts";
import { queryVector } from "./global-query.ts";
import type { Order } from "./messages.ts";
import { readOrMakeCredential } from "./object-storage.ts";
import { planChanges } from "./plan-changes.ts";
import { ownTargets } from "./own-targets.ts";
import { objectStoreOf } from "./running-roles.ts";
import { takeStateFolder } from "./state-folder.ts";
import { entryUrlsOf } from "./wiring.ts";
import { superviseProcess, type ProcessStatus, type SupervisedProcess } from "./supervised-process.ts";

export interface TwinOptions {
  readonly plan: Plan;
  readonly stateDirectory: string;
  readonly consoleDirectory: string; // of the built console
  readonly logLevel: "debug" | "info" | "warn" | "error";
  /** Called often while starting, with everything as it stands. */
  onProgress(progress: TwinProgress): void;
}

export interface TwinProgress {
  readonly processesReady: number;
  readonly processes: number;
  readonly clustersFilled: number; // whose past is there
  readonly clustersAnswering: number; // counted by a query through both tiers
  readonly clusters: number;
}

export interface Twin {
  readonly consoleUrl: string;
  readonly apiUrls: readonly string[]; // of the global queriers
  readonly frontendUrls: readonly string[]; // of what splits and caches in front of them
  readonly logDirectory: string;
  readonly dataDirectory: string;
  /** What a plan that differs from the last start's does with the data of that, in words. */
  readonly planChanges: readonly string[];
  status(): readonly ProcessStatus[];
  /** How far the history in the bucket is; undefined where the fleet has none. */
  history(): ConsoleHistory | undefined;
  /** Ends every process; what was acknowledged is on disk when it resolves. */
  stop(graceMs: number): Promise<void>;
}

const clusterEntry = fileURLToPath(new URL("cluster-process.ts", import.meta.url));
const historyEntry = fileURLToPath(new URL("history-process.ts", import.meta.url));
const nodeEntry = fileURLToPath(new URL("node-process.ts", import.meta.url));
const answeringPollMs = 250;
/** Stores that are still starting are worth a wait, one that never comes is not. */
const warningsMsMax = 10_000;

/** Starts the twin and waits until every cluster with a made-up target answers through both tiers. */
export async function startTwin(options: TwinOptions, signal: AbortSignal): Promise<Result<Twin, string>> {
  const { plan } = options;
  if (plan.twin.refusal !== undefined) return fail(`this fleet does not fit one machine: ${plan.twin.refusal}`);
  const folder = takeStateFolder(options.stateDirectory);
  if (!folder.ok) return folder;
  const dataDirectory = folder.value.dataDirectory(plan.fleet);
  mkdirSync(dataDirectory, { recursive: true });
  const changes = notePlan(join(dataDirectory, "plan.json"), plan);
  // Stripping types and compiling is a third of a small process's start: kept from one start to the next.
  process.env["NODE_COMPILE_CACHE"] ??= join(folder.value.path, "compile-cache");

  const registry = createMetricRegistry();
  const log = createLog({ level: "error", fields: { process: "supervisor" } });
  const ports = createNodePorts({ observations: observationsOf(registry, log) });
  const { clock } = ports;
  const credential =
    objectStoreOf(plan) === undefined ? undefined : readOrMakeCredential(join(dataDirectory, "s3-credential.json"));
  const apiUrls = plan.roles
    .filter((role) => role.kind === "global-querier" && role.httpPort !== undefined)
    .map((role) => `http://127.0.0.1:${role.httpPort}`);
  const entryUrls = entryUrlsOf(plan);
  const consoleAddress = `127.0.0.1:${plan.twin.consolePort}`;

  const filled = new Map<string, number>();
  const historyBlocks = new Map<string, { readonly done: number; readonly total: number }>();
  let answering = 0;
  const supervised: SupervisedProcess[] = [];
  const historyWriters: SupervisedProcess[] = [];
  const restartsGauge = registry.gauge("pleiad_twin_process_restarts", "Restarts of a process of the twin.", [
    "process",
  ]);
  const residentGauge = registry.gauge("pleiad_twin_process_resident_bytes", "Resident memory of a process.", [
    "process",
  ]);
  const historyGauge = registry.gauge("pleiad_twin_history_blocks", "Blocks of made-up history in the bucket.", [
    "state",
  ]);
  const history = (): ConsoleHistory | undefined => {
    if (plan.twin.history === undefined) return undefined;
    // What is missing is known when each process has looked.
    const counts = historyBlocks.size < plan.twin.history.processes.length ? [] : [...historyBlocks.values()];
    return {
      spanMs: plan.twin.history.spanMs,
      blocksDone: counts.reduce((sum, { done }) => sum + done, 0),
      blocks: counts.reduce((sum, { total }) => sum + total, 0),
      isWhole: historyWriters.length > 0 && historyWriters.every((one) => one.status().state === "finished"),
    };
  };
  const report = () => {
    const statuses = supervised.map((one) => one.status());
    for (const status of statuses) {
      restartsGauge.set(status.restarts, status.name);
      residentGauge.set(status.residentBytes, status.name);
    }
    options.onProgress({
      processesReady: statuses.filter((one) => one.state === "running").length,
      processes: statuses.length,
      clustersFilled: [...filled.values()].reduce((sum, done) => sum + done, 0),
      clustersAnswering: answering,
      clusters: plan.clusters.length,
    });
  };
  const targets = plan.monitoring === undefined ? [] : ownTargets(plan, plan.monitoring.job);
  const supervise = (name: string, entry: string, heapMiB: number) => {
    const order: Extract<Order, { kind: "start" }> = {
      kind: "start",
      process: name,
      plan,
      dataDirectory,
      credential,
      ownTargets: targets,
      logLevel: options.logLevel,
    };
    const one = superviseProcess(
      {
        name,
        entry,
        heapMiB,
        order,
        logDirectory: folder.value.logDirectory,
        onChange: report,
        onProgress: (done, total, what) => {
          if (what === "history") {
            historyBlocks.set(name, { done, total });
            const { blocksDone = 0, blocks = 0 } = history() ?? {};
            historyGauge.set(blocksDone, "written");
            historyGauge.set(blocks - blocksDone, "missing");
            return;
          }
          filled.set(name, done);
          report();
        },
      },
      clock,
    );
    supervised.push(one);
    return one;
  };
  const stop = async (graceMs: number) => {
    await Promise.all(supervised.map((one) => one.stop(graceMs)));
    folder.value.release();
  };

  for (const one of plan.twin.clusterProcesses) supervise(one.name, clusterEntry, 1536);
  for (const node of plan.nodes) supervise(node.name, nodeEntry, 1024);
  folder.value.announce({
    pid: process.pid,
    fleet: plan.fleet,
    startedMs: clock.wallMs(),
    consoleUrl: `http://${consoleAddress}`,
    apiUrls,
  });
  try {
    const consoleListener = await serveConsole(
      {
        address: consoleAddress,
        plan,
        apiUrls: entryUrls,
        filesDirectory: options.consoleDirectory,
        renderMetrics: () => registry.render(),
        history,
      },
      ports.network,
      clock,
    );
    await Promise.race([Promise.all(supervised.map((one) => one.start())), rejectOnAbort(signal)]);
    let allAnsweredMs: number | undefined;
    for (;;) {
      signal.throwIfAborted();
      const found = await clustersAnswering(plan, apiUrls, ports.network, signal);
      answering = found.clusters;
      report();
      if (answering >= plan.clusters.length) {
        allAnsweredMs ??= clock.monotonicMs();
        if (!found.hasWarnings || clock.monotonicMs() - allAnsweredMs > warningsMsMax) break;
      }
      await clock.sleep(answeringPollMs, signal);
    }
    // Only now: until here it would take the time of those who must start.
    for (const one of plan.twin.history?.processes ?? []) {
      const writer = supervise(one.name, historyEntry, 512);
      historyWriters.push(writer);
      writer.start().catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        ports.observations.log("error", "The history could not begin.", { process: one.name, reason });
      });
    }
    return ok({
      consoleUrl: `http://${consoleAddress}`,
      apiUrls,
      frontendUrls: entryUrls.filter((url) => !apiUrls.includes(url)),
      logDirectory: folder.value.logDirectory,
      dataDirectory,
      planChanges: changes,
      status: () => supervised.map((one) => one.status()),
      history,
      stop: async (graceMs) => {
        await consoleListener.close(0);
        await stop(graceMs);
      },
    });
  } catch (error) {
    await stop(2000);
    return fail(signal.aborted ? "stopped while starting" : error instanceof Error ? error.message : String(error));
  }
}

/** Keeps the plan for the next start, and says what is new since the last one. */
function notePlan(file: string, plan: Plan): readonly string[] {
  const before = existsSync(file) ? readPlan(file) : undefined;
  writeFileSync(file, JSON.stringify(plan, null, 1));
  return before === undefined ? [] : planChanges(before, plan);
}

/** Undefined where a crash left half of it. */
function readPlan(file: string): Plan | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Plan;
  } catch {
    return undefined;
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

/** How many app clusters a global querier sees. A cluster whose targets are down still answers. */
async function clustersAnswering(
  plan: Plan,
  apiUrls: readonly string[],
  network: Network,
  signal: AbortSignal,
): Promise<{ readonly clusters: number; readonly hasWarnings: boolean }> {
  const identity = clusterIdentity(plan);
  const answer = await queryVector(apiUrls, `count by (${identity.grouping}) (up)`, undefined, signal, network);
  // None may listen yet: all are asked again soon.
  if (typeof answer === "string") return { clusters: 0, hasWarnings: true };
  const clusters = answer.data.result.filter(({ metric }) => identity.nameOf(metric) !== undefined).length;
  return { clusters, hasWarnings: (answer.warnings ?? []).length > 0 };
}
