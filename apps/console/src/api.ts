/** What the console asks of its server: the state of the hierarchy, and the Prometheus HTTP API. */

import type { ConsoleCluster, ConsoleHistory, ConsoleNode, ConsoleRole, ConsoleState } from "@pleiad/twin";

export type HierarchyState = ConsoleState;
export type MonitorNode = ConsoleNode;
export type Role = ConsoleRole;
export type RoleState = ConsoleRole["state"];
export type Cluster = ConsoleCluster;
export type History = ConsoleHistory;

export async function fetchState(signal: AbortSignal): Promise<HierarchyState> {
  const response = await fetch("/console/state", { signal });
  if (!response.ok) throw new Error(`the console's server answers ${response.status}`);
  return (await response.json()) as HierarchyState;
}

export interface RangeSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly values?: readonly (readonly [seconds: number, value: string])[];
}

export interface RangeAnswer {
  readonly series: readonly RangeSeries[];
  readonly warnings: readonly string[];
  readonly tookMs: number;
}

/** Throws an Error whose message is the querier's own. */
export async function queryRange(
  query: string,
  range: { readonly start: number; readonly end: number; readonly step: number },
  signal: AbortSignal,
): Promise<RangeAnswer> {
  const startedMs = performance.now();
  const body = new URLSearchParams({
    query,
    start: String(range.start),
    end: String(range.end),
    step: String(range.step),
  });
  const response = await fetch("/api/v1/query_range", { method: "POST", body, signal });
  const envelope = (await response.json()) as {
    readonly status: string;
    readonly error?: string;
    readonly warnings?: readonly string[];
    readonly infos?: readonly string[];
    readonly data?: { readonly result: readonly RangeSeries[] };
  };
  if (envelope.status !== "success" || envelope.data === undefined) {
    throw new Error(envelope.error ?? `the querier answers ${response.status}`);
  }
  return {
    series: envelope.data.result,
    warnings: [...(envelope.warnings ?? []), ...(envelope.infos ?? [])],
    tookMs: performance.now() - startedMs,
  };
}
