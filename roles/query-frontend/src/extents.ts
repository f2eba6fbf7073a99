/**
 * What is kept of the answers to one query in one interval of the calendar: extents, each whole for its steps. Pure.
 *
 * An extent ends where its samples could still change when it was fetched. It carries the remarks of the querier that name
 * places in the query's text, and is then good for that very text only.
 */
import { fail, ok, type Result } from "@pleiad/model";
import { mergeSeries, uniteRemarks } from "./matrix-merge.ts";
import { readMatrix, seriesJson, sliceSeries, type SeriesText } from "./matrix-text.ts";
import { countSteps, type StepGrid } from "./step-grid.ts";

export interface Extent {
  readonly grid: StepGrid;
  readonly fetchedMs: number; // wall time before the querier was asked; of several answers, of the oldest
  readonly settledMs: number; // its steps were at least so much older than their fetch
  readonly query: string; // as it was sent
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  readonly series: readonly SeriesText[];
}

/** Steps of a part: kept ones, and those that are to be fetched. */
export type Stretch =
  | { readonly kind: "kept"; readonly grid: StepGrid; readonly extent: Extent }
  | { readonly kind: "missing"; readonly grid: StepGrid };

/** What makes an extent good. */
export interface Freshness {
  readonly nowMs: number;
  /** A step is kept only when it was so much older than the fetch, what the query reads ahead included. */
  readonly settledMs: number;
  readonly validityMs: number;
}

/** The extents that may be used now, for the query as it is spelled. */
export function usableExtents(
  extents: readonly Extent[],
  query: string,
  { nowMs, settledMs, validityMs }: Freshness,
): readonly Extent[] {
  return extents.filter((extent) => {
    // One of the future was fetched before the clock was set back: how old it is nobody knows.
    if (extent.fetchedMs > nowMs || nowMs - extent.fetchedMs >= validityMs) return false;
    // Another frontend may keep what is too young for this one.
    if (extent.settledMs < settledMs) return false;
    return extent.query === query || extent.warnings.length + extent.infos.length === 0;
  });
}

/** A fetched answer up to its last step that is settled: one extent, or none. */
export function settledPart(fetched: Extent): readonly Extent[] {
  const { startMs, endMs, stepMs } = fetched.grid;
  const lastMs = fetched.fetchedMs - fetched.settledMs;
  if (endMs <= lastMs) return [fetched];
  if (!(startMs <= lastMs)) return [];
  const grid = { ...fetched.grid, endMs: startMs + Math.floor((lastMs - startMs) / stepMs) * stepMs };
  return [{ ...fetched, grid, series: sliceSeries(fetched.series, grid.startMs, grid.endMs) }];
}

/** The steps of a part in order, each once. The extents share no step, and are in order. */
export function stretchesOf({ startMs, endMs, stepMs }: StepGrid, extents: readonly Extent[]): readonly Stretch[] {
  const stretches: Stretch[] = [];
  let atMs = startMs;
  for (const extent of extents) {
    if (extent.grid.endMs < atMs) continue;
    if (extent.grid.startMs > endMs) break;
    if (extent.grid.startMs > atMs) {
      stretches.push({ kind: "missing", grid: { startMs: atMs, endMs: extent.grid.startMs - stepMs, stepMs } });
      atMs = extent.grid.startMs;
    }
    const lastMs = Math.min(endMs, extent.grid.endMs);
    stretches.push({ kind: "kept", grid: { startMs: atMs, endMs: lastMs, stepMs }, extent });
    atMs = lastMs + stepMs;
  }
  if (atMs <= endMs) stretches.push({ kind: "missing", grid: { startMs: atMs, endMs, stepMs } });
  return stretches;
}

/** The series of an extent at the steps of a stretch. */
export function keptSeries({ grid, extent }: Extract<Stretch, { kind: "kept" }>): readonly SeriesText[] {
  const isWhole = grid.startMs === extent.grid.startMs && grid.endMs === extent.grid.endMs;
  return isWhole ? extent.series : sliceSeries(extent.series, grid.startMs, grid.endMs);
}

/** More in one interval are not kept: the widest stay. */
const extentsMax = 8;

/** Old and new extents that share no step, in order. Neighbours become one, as old as the older one. */
export function uniteExtents(extents: readonly Extent[]): readonly Extent[] {
  const united: Extent[] = [];
  for (const next of [...extents].sort((a, b) => a.grid.startMs - b.grid.startMs)) {
    const last = united.at(-1);
    const joined = last === undefined ? undefined : joinNeighbours(last, next);
    if (joined === undefined) united.push(next);
    else united[united.length - 1] = joined;
  }
  if (united.length <= extentsMax) return united;
  const widest = new Set([...united].sort((a, b) => countSteps(b.grid) - countSteps(a.grid)).slice(0, extentsMax));
  return united.filter((extent) => widest.has(extent));
}

function joinNeighbours(a: Extent, b: Extent): Extent | undefined {
  const hasRemarks = a.warnings.length + a.infos.length + b.warnings.length + b.infos.length > 0;
  if (a.grid.endMs + a.grid.stepMs !== b.grid.startMs || (hasRemarks && a.query !== b.query)) return undefined;
  return {
    grid: { ...a.grid, endMs: b.grid.endMs },
    fetchedMs: Math.min(a.fetchedMs, b.fetchedMs),
    settledMs: Math.min(a.settledMs, b.settledMs),
    query: a.query,
    warnings: uniteRemarks([a.warnings, b.warnings], "warning"),
    infos: uniteRemarks([a.infos, b.infos], "info"),
    series: mergeSeries([a.series, b.series]),
  };
}

const formatVersion = 1;

/** As kept: a line of JSON that names the query and its extents, then a line with the series of each. */
export function encodeExtents(identity: string, extents: readonly Extent[]): Uint8Array {
  const heads = extents.map(({ series: _series, ...head }) => head);
  const lines = extents.map(({ series }) => `[${series.map(seriesJson).join(",")}]`);
  return new TextEncoder().encode([JSON.stringify({ formatVersion, identity, extents: heads }), ...lines].join("\n"));
}

/** The failure says what is wrong with the bytes: another version, another query, anything that is not what was written. */
export function decodeExtents(bytes: Uint8Array, identity: string): Result<readonly Extent[], string> {
  try {
    const [head = "", ...lines] = new TextDecoder("utf-8", { fatal: true }).decode(bytes).split("\n");
    const parsed = JSON.parse(head) as { formatVersion: unknown; identity: unknown; extents: unknown };
    if (parsed.formatVersion !== formatVersion || parsed.identity !== identity) return fail("it is of another query");
    const heads = parsed.extents as readonly Omit<Extent, "series">[];
    if (heads.length !== lines.length) return fail("its length is wrong");
    const extents: Extent[] = [];
    for (const [i, extent] of heads.entries()) {
      const series = readMatrix(lines[i] ?? "", extent.grid);
      if (!series.ok) return series;
      extents.push({ ...extent, series: series.value });
    }
    return ok(extents);
  } catch (error) {
    // Whatever a foreign hand wrote there: it is not used.
    return fail(error instanceof Error ? error.message : String(error));
  }
}
