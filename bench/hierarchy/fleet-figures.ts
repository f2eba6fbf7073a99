/** The figures of a running twin: how fast its tiers answer, whom they are connected to, what they hold, and which way a question goes. */
import type { Plan, PlannedRole } from "@pleiad/fleet";
import { endpointsOf, runsInTwin } from "@pleiad/twin";
import { processMeasures } from "../measured-process.ts";
import { measurePushDown } from "../push-down.ts";
import type { Figure } from "./figure-table.ts";
import { loadQueries } from "./query-load.ts";
import { measureRangePaths } from "./range-paths.ts";
import { connectionsTo, listenerOf } from "./socket-table.ts";

export interface FleetFiguresOptions {
  readonly fleetFile: string;
  readonly plan: Plan;
  readonly historyMs: number;
  /** Of each load; there are ten. */
  readonly loadMs: number;
  readonly clients: readonly number[];
  readonly runs: number; // of a question whose median is told
}

const mebibyte = 2 ** 20;
const queryTimeoutMs = 60_000;

interface TierGoals {
  readonly kind: "global-querier" | "regional-querier";
  readonly name: string;
  readonly designedSeconds: number;
  readonly wantedSeconds: number; // at 200 at once
  readonly designedConnections: string;
}

const tiers: readonly TierGoals[] = [
  { kind: "global-querier", name: "global", designedSeconds: 10, wantedSeconds: 2, designedConnections: "7" },
  { kind: "regional-querier", name: "regional", designedSeconds: 5, wantedSeconds: 1, designedConnections: "60" },
];

/** Each figure as soon as it is there. */
export async function* measureFleet(options: FleetFiguresOptions): AsyncGenerator<Figure> {
  const { plan } = options;
  for (const goals of tiers) {
    const [first] = plan.roles.filter(({ kind }) => kind === goals.kind);
    if (first === undefined) throw new Error(`the fleet has no ${goals.kind}`);
    yield* loadFigures(goals, first, options);
  }
  const queriers = plan.roles.filter(({ kind }) => kind === "global-querier" || kind === "regional-querier");
  for (const role of queriers) yield connectionFigure(role, plan);
  yield* await measureRangePaths(options);
  yield* pushDownFigures(options);
  // At the end: a peak is that of all that was asked.
  for (const role of queriers) yield memoryFigure(role, plan);
}

async function* loadFigures(
  { name, designedSeconds, wantedSeconds }: TierGoals,
  role: PlannedRole,
  { plan, clients, loadMs }: FleetFiguresOptions,
): AsyncGenerator<Figure> {
  const url = `http://127.0.0.1:${String(role.httpPort)}`;
  const loads = clients.map((count) => ({ count, alike: false }));
  const most = Math.max(...clients);
  for (const { count, alike } of [...loads, { count: most, alike: true }]) {
    const paths = dashboardPaths(plan, role.region, alike);
    const load = await loadQueries(url, paths, { clients: count, durationMs: loadMs, timeoutMs: queryTimeoutMs });
    const { answers, medianMs, p99Ms, errors, example } = load;
    yield {
      name: `${name}, ${String(count)} ${alike ? "alike " : ""}at once: p50, p99, errors`,
      designed: `p99 < ${String(designedSeconds)} s`,
      wanted: `p99 < ${String(wantedSeconds)} s, 0`,
      seen: `${secondsText(medianMs)} ${secondsText(p99Ms)} ${String(errors)} of ${String(answers)}`,
      ...(example === undefined ? {} : { fault: example }),
      isMet: p99Ms < wantedSeconds * 1000 && errors === 0,
    };
  }
}

/**
 * What dashboards ask: a panel of one cluster, of all of them, what is up, and names for a drop-down list. They ask for
 * different clusters and each ends at a second of its own, so that nobody answers one question for two; where they are
 * `alike`, all end at the same step, as those of Grafana do that are opened together.
 */
export function dashboardPaths(plan: Plan, region: string | undefined, alike: boolean): readonly string[] {
  const clusters = plan.clusters.filter((cluster) => region === undefined || cluster.region === region);
  const nowSeconds = Math.floor(Date.now() / 1000);
  const [spanSeconds, stepSeconds] = [3600, 30];
  return Array.from({ length: 240 }, (_, i) => {
    const cluster = clusters[(i * 7) % clusters.length]?.name ?? "";
    const end = alike ? nowSeconds - (nowSeconds % stepSeconds) : nowSeconds - i;
    const range = (query: string) =>
      pathOf("query_range", { query, start: String(end - spanSeconds), end: String(end), step: String(stepSeconds) });
    const instant = (query: string) => pathOf("query", { query, time: String(end) });
    const panels = [
      range(`sum by (namespace) (rate(container_cpu_usage_seconds_total{cluster="${cluster}"}[5m]))`),
      range(`sum by (mode) (rate(node_cpu_seconds_total{cluster="${cluster}"}[5m]))`),
      range(`sum(rate(http_requests_total{cluster="${cluster}"}[5m]))`),
      instant(`up{cluster="${cluster}"}`),
      instant("count by (region) (up == 1)"),
      instant('sum by (cluster) (rate(node_cpu_seconds_total{mode!="idle"}[5m]))'),
    ];
    return panels[i % panels.length] ?? "";
  });
}

const pathOf = (call: string, parameters: Readonly<Record<string, string>>) =>
  `/api/v1/${call}?${new URLSearchParams(parameters).toString()}`;

function connectionFigure(role: PlannedRole, plan: Plan): Figure {
  const endpoints = endpointsOf(plan, role.id);
  const ports = new Set(endpoints.map(({ address }) => Number(address.split(":")[1])));
  const count = connectionsTo(processOf(role), ports);
  const designed = tiers.find(({ kind }) => kind === role.kind)?.designedConnections ?? "";
  return {
    name: `${role.id}: connections`,
    designed,
    wanted: `${String(ports.size)} planned`,
    seen: String(count),
    isMet: count <= ports.size,
  };
}

function memoryFigure(role: PlannedRole, plan: Plan): Figure {
  const beside = plan.roles.filter((one) => one.node === role.node && one.id !== role.id && runsInTwin(one, plan));
  const peakBytes = processMeasures(processOf(role)).peakBytes();
  const others = beside.length === 0 ? "" : ` with ${beside.map(({ id }) => id).join(", ")}`;
  return {
    name: `${role.id}: peak memory`,
    designed: "",
    wanted: "< 512 MiB",
    seen: `${(peakBytes / mebibyte).toFixed(0)} MiB${others}`,
    // With other roles in the process, a peak above the bound says nothing of the querier.
    ...(peakBytes < 512 * mebibyte || beside.length === 0 ? { isMet: peakBytes < 512 * mebibyte } : {}),
  };
}

function processOf(role: PlannedRole): number {
  const pid = role.httpPort === undefined ? undefined : listenerOf(role.httpPort);
  if (pid === undefined) throw new Error(`nobody listens for ${role.id}`);
  return pid;
}

async function* pushDownFigures({ fleetFile, runs }: FleetFiguresOptions): AsyncGenerator<Figure> {
  const query = "sum by (cluster) (rate(container_cpu_usage_seconds_total[5m]))";
  const endSeconds = Math.floor(Date.now() / 1000);
  const range = { spanSeconds: 1800, stepSeconds: 60 };
  const asked = [{ name: "global ← regional, sum by (cluster) (rate)", query, range }];
  const [off, on] = await measurePushDown(fleetFile, asked, runs, endSeconds);
  if (off === undefined || on === undefined) throw new Error("push-down gave no figures");
  const share = on.receivedBytes / off.receivedBytes;
  const bytes = `${on.receivedBytes.toFixed(0)} of ${off.receivedBytes.toFixed(0)} bytes`;
  yield {
    name: on.name,
    designed: "aggregates",
    wanted: "<= 1 % of bytes",
    seen: `${(share * 100).toFixed(2)} %: ${bytes}, ${secondsText(on.medianMs)} for ${secondsText(off.medianMs)}`,
    isMet: share <= 0.01,
  };
}

export const secondsText = (ms: number) => `${(ms / 1000).toFixed(ms < 1000 ? 3 : 1)} s`;
