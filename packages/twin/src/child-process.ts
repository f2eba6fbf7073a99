/** What every process of a twin does: take its order, report, and end with its supervisor. */
import { createMetricRegistry, observationsOf, type MetricsPart } from "@pleiad/exposition";
import { createLog, createNodePorts } from "@pleiad/node-ports";
import type { Ports, Service } from "@pleiad/ports";
import type { Notice, Order, RoleReport } from "./messages.ts";

export type StartOrder = Extract<Order, { kind: "start" }>;

/** The ports of one role, and the metrics that it counts through them. */
export interface RoleWorld {
  readonly ports: Ports;
  readonly renderMetrics: (part?: MetricsPart) => string;
}

export interface ProcessWorld {
  readonly order: StartOrder;
  /** A world of its own for each role, so that two roles of one process show only their own metrics. */
  forRole(name: string): RoleWorld;
  progress(done: number, total: number, what: string): void;
  /** The work is done: the process ends and is not started again. */
  finish(): void;
}

/** The services of one process, and what they say of themselves. */
export interface ProcessWork {
  readonly services: readonly Service[];
  reports?(): readonly RoleReport[];
}

const reportEveryMs = 3000;

/** Runs a process: waits for the order, starts the work, stops it when told, or when the supervisor is gone. */
export function runChildProcess(start: (world: ProcessWorld) => Promise<ProcessWork>): void {
  const say = (notice: Notice) => {
    // The supervisor may be gone already; `disconnect` then ends this process.
    if (process.connected) process.send?.(notice, undefined, {}, () => {});
  };
  let work: ProcessWork | undefined;
  let stopping = false;

  const stop = async (graceMs: number) => {
    if (stopping) return;
    stopping = true;
    try {
      await Promise.all((work?.services ?? []).map((service) => service.stop(graceMs)));
    } finally {
      process.exit(0);
    }
  };

  const begin = async (order: StartOrder) => {
    process.title = `pleiad ${order.process}`;
    const forRole = (name: string): RoleWorld => {
      const registry = createMetricRegistry();
      observeProcess(registry);
      const observations = observationsOf(registry, createLog({ level: order.logLevel, fields: { role: name } }));
      return { ports: createNodePorts({ observations }), renderMetrics: (part) => registry.render(part) };
    };
    try {
      work = await start({
        order,
        forRole,
        progress: (done, total, what) => say({ kind: "progress", what, done, total }),
        finish: () => {
          if (stopping) return;
          stopping = true;
          process.send?.({ kind: "finished" } satisfies Notice, undefined, {}, () => process.exit(0));
        },
      });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      createLog({ level: order.logLevel, fields: { process: order.process } })("error", "could not start", {
        reason: message,
      });
      process.send?.({ kind: "failed", message } satisfies Notice, undefined, {}, () => process.exit(1));
      return;
    }
    say({ kind: "ready" });
    const report = () => {
      const roles =
        work?.reports?.() ?? (work?.services ?? []).map((service) => ({ id: service.name, ...service.ready() }));
      say({ kind: "report", residentBytes: process.memoryUsage.rss(), roles });
    };
    report();
    setInterval(report, reportEveryMs);
  };

  process.on("message", (message) => {
    const order = message as Order;
    if (order.kind === "start") void begin(order);
    else void stop(order.graceMs);
  });
  // The terminal's Ctrl-C reaches every process of the group: the supervisor decides.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => void stop(2000));
  process.on("disconnect", () => {
    // Whatever hangs, nothing outlives the supervisor by more than this.
    setTimeout(() => process.exit(0), 3000).unref();
    void stop(1000);
  });
}

function observeProcess(registry: ReturnType<typeof createMetricRegistry>): void {
  const started = registry.gauge(
    "process_start_time_seconds",
    "Start time of the process since unix epoch in seconds.",
  );
  started.set(Math.round((Date.now() - process.uptime() * 1000) / 1000));
  const resident = registry.gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
  const cpu = registry.counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.");
  let usedMicroseconds = 0;
  const observe = () => {
    resident.set(process.memoryUsage.rss());
    const { user, system } = process.cpuUsage();
    cpu.add((user + system - usedMicroseconds) / 1e6);
    usedMicroseconds = user + system;
  };
  observe();
  setInterval(observe, reportEveryMs);
}
