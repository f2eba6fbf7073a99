/**
 * Times questions over HTTP through both tiers of a running twin: one client, after one warm-up, median of the runs.
 * The checksum is the number of series and points: a faster answer that lacks some is seen.
 */
import type { BenchQuery } from "./queries.ts";

export interface Timing {
  readonly name: string;
  readonly medianMs: number;
  readonly leastMs: number;
  readonly mostMs: number;
  readonly series: number;
  readonly points: number;
  readonly bytes: number;
  readonly warnings: number;
}

interface Envelope {
  readonly status: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly data: { readonly result: readonly { readonly values?: readonly unknown[] }[] };
}

export async function timeQuery(url: string, one: BenchQuery, runs: number, endSeconds: number): Promise<Timing> {
  const times: number[] = [];
  let text = "";
  for (let run = 0; run <= runs; run++) {
    const parameters = new URLSearchParams({ query: one.query });
    if (one.range === undefined) {
      parameters.set("time", String(endSeconds));
    } else {
      parameters.set("start", String(endSeconds - one.range.spanSeconds));
      parameters.set("end", String(endSeconds));
      parameters.set("step", String(one.range.stepSeconds));
    }
    const startedMs = performance.now();
    const response = await fetch(`${url}/api/v1/${one.range === undefined ? "query" : "query_range"}`, {
      method: "POST",
      body: parameters,
    });
    text = await response.text();
    if (run > 0) times.push(performance.now() - startedMs);
  }
  const envelope = JSON.parse(text) as Envelope;
  if (envelope.status !== "success") throw new Error(`${one.name}: ${envelope.error ?? "no reason"}`);
  times.sort((a, b) => a - b);
  const { result } = envelope.data;
  return {
    name: one.name,
    medianMs: times[times.length >> 1] as number,
    leastMs: Math.min(...times),
    mostMs: Math.max(...times),
    series: result.length,
    points: result.reduce((sum, series) => sum + (series.values?.length ?? 1), 0),
    bytes: text.length,
    warnings: envelope.warnings?.length ?? 0,
  };
}
