/** The four ways of a question through the tiers: which roles have data of its time, who read blocks for it, how long it took. */
import type { Plan, PlannedRole } from "@pleiad/fleet";
import { runsInTwin } from "@pleiad/twin";
import type { BenchQuery } from "../queries.ts";
import { timeQuery } from "../twin-query.ts";
import type { Figure } from "./figure-table.ts";

interface RangePath {
  readonly name: string;
  readonly fromDays: number; // before now; where the history begins if that is later
  readonly toDays: number;
  readonly designed: string;
  readonly secondsMax: number;
}

const recentDays = 2 / 24;
const dayMs = 86_400_000;

const rangePaths: readonly RangePath[] = [
  { name: "last 2 h", fromDays: recentDays, toDays: 0, designed: "1-3 s, 3 hops", secondsMax: 3 },
  { name: "2 h to 7 d", fromDays: 7, toDays: recentDays, designed: "3-5 s, 3 hops", secondsMax: 5 },
  { name: "over 7 d", fromDays: Infinity, toDays: 7, designed: "5-10 s, 3 hops", secondsMax: 10 },
  { name: "everything", fromDays: Infinity, toDays: 0, designed: "5-15 s, 3 hops", secondsMax: 15 },
];

export interface RangePathOptions {
  readonly plan: Plan;
  readonly historyMs: number; // made before the twin began; what it has of its own is newer
  readonly runs: number;
}

export async function measureRangePaths({ plan, historyMs, runs }: RangePathOptions): Promise<readonly Figure[]> {
  const [global] = plan.roles.filter(({ kind }) => kind === "global-querier");
  if (global === undefined) throw new Error("the fleet has no global querier");
  const dataDays = Math.max(recentDays, historyMs / dayMs);
  const figures: Figure[] = [];
  for (const { name, fromDays, toDays, designed, secondsMax } of rangePaths) {
    const shown = { name: `path, ${name}: median, hops`, designed, wanted: `< ${String(secondsMax)} s` };
    const spanDays = Math.min(fromDays, dataDays) - toDays;
    if (spanDays <= 0) {
      figures.push({ ...shown, seen: `no data of that age: the history is ${(dataDays * 24).toFixed(0)} h` });
      continue;
    }
    const endSeconds = Math.floor((Date.now() - toDays * dayMs) / 1000);
    const query = questionOver(name, spanDays * 86_400);
    const before = await blocksRead(plan);
    const { medianMs, series, points } = await timeQuery(urlOf(global), query, runs, endSeconds);
    const readsBlocks = (await blocksRead(plan)) > before;
    const startMs = (endSeconds - spanDays * 86_400) * 1000;
    const way = await wayOf(plan, startMs, endSeconds * 1000, readsBlocks);
    const seen = `${(medianMs / 1000).toFixed(3)} s, ${way}; ${String(series)} series, ${String(points)} points`;
    figures.push({ ...shown, seen, isMet: medianMs < secondsMax * 1000 && series > 0 });
  }
  return figures;
}

function questionOver(name: string, spanSeconds: number): BenchQuery {
  const stepSeconds = Math.max(60, Math.ceil(spanSeconds / 240 / 60) * 60);
  const windowMinutes = Math.max(5, (2 * stepSeconds) / 60);
  const query = `sum by (cluster) (rate(node_cpu_seconds_total{mode="user"}[${String(windowMinutes)}m]))`;
  return { name, query, range: { spanSeconds, stepSeconds } };
}

/** Blocks that all store gateways needed until now. */
async function blocksRead(plan: Plan): Promise<number> {
  const gateways = plan.roles.filter((role) => role.kind === "store-gateway" && runsInTwin(role, plan));
  const counts = gateways.map(async (role) => {
    const text = await (await fetch(`${urlOf(role)}/metrics`)).text();
    return Number(/^thanos_bucket_store_series_blocks_queried_sum(?:\{.*\})? (\S+)$/m.exec(text)?.[1] ?? 0);
  });
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

interface StoreList {
  readonly data: Readonly<Record<string, readonly { minTime: number; maxTime: number }[] | readonly string[]>>;
}

/**
 * The hops from Grafana on. Below a region it is its clusters that are asked where their data is of the time, and its
 * gateways where they read blocks for it.
 */
async function wayOf(plan: Plan, startMs: number, endMs: number, readsBlocks: boolean): Promise<string> {
  const [regional] = plan.roles.filter(({ kind }) => kind === "regional-querier");
  if (regional === undefined) return "Grafana → global";
  const stores = (await (await fetch(`${urlOf(regional)}/api/v1/stores`)).json()) as StoreList;
  const sidecars = (stores.data["sidecar"] ?? []) as readonly { minTime: number; maxTime: number }[];
  const asksClusters = sidecars.some(({ minTime, maxTime }) => minTime <= endMs && maxTime >= startMs);
  const ends = [...(asksClusters ? ["cluster"] : []), ...(readsBlocks ? ["store gateway → S3"] : [])];
  const hops = readsBlocks ? 4 : 3;
  return `${String(hops)} hops: Grafana → global → regional → ${ends.length === 0 ? "nobody" : ends.join(" + ")}`;
}

const urlOf = (role: PlannedRole) => `http://127.0.0.1:${String(role.httpPort)}`;
