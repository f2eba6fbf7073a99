/** What the engines are asked about the reference fleet. */
import { clusterNameOf } from "./reference-fleet.ts";

export type QueryClass = "heavy range" | "heavy instant" | "raw" | "dashboard" | "metadata";

/** `times` says which parameters are the start of the data and which its end. */
export interface ReferenceQuery {
  readonly name: string;
  readonly kind: QueryClass;
  readonly path: string; // below /api/v1/
  readonly parameters: Readonly<Record<string, string>>;
  readonly times: Readonly<Record<string, "start" | "end">>;
}

const cpuRate = 'sum by (cluster) (rate(node_cpu_seconds_total{mode!="idle"}[5m]))';
const requestQuantile =
  "histogram_quantile(0.99, sum by (le, cluster) (rate(http_request_duration_seconds_bucket[5m])))";

const instant = (name: string, kind: QueryClass, query: string): ReferenceQuery => ({
  name,
  kind,
  path: "query",
  parameters: { query },
  times: { time: "end" },
});
const range = (name: string, kind: QueryClass, stepSeconds: number, query: string): ReferenceQuery => ({
  name,
  kind,
  path: "query_range",
  parameters: { query, step: String(stepSeconds) },
  times: { start: "start", end: "end" },
});
const metadata = (name: string, path: string, parameters: Readonly<Record<string, string>> = {}): ReferenceQuery => ({
  name,
  kind: "metadata",
  path,
  parameters,
  times: { start: "start", end: "end" },
});

/** The questions to a fleet of so many clusters; those of one cluster ask for the 42nd, or the last. */
export function referenceQueries(clusters: number): readonly ReferenceQuery[] {
  const cluster = clusterNameOf(Math.min(42, clusters));
  const oneCluster = `{cluster="${cluster}"}`;
  return [
    instant("up", "dashboard", "up"),
    instant("up_by_cluster", "dashboard", "sum by (cluster) (up)"),
    instant("up_one_cluster", "dashboard", `up${oneCluster}`),
    instant("count_all", "heavy instant", 'count({__name__=~".+"})'),
    instant("cpu_rate_instant", "heavy instant", cpuRate),
    range("cpu_rate_2h_30s", "heavy range", 30, cpuRate),
    range("cpu_rate_2h_60s", "heavy range", 60, cpuRate),
    instant("histq_instant", "heavy instant", requestQuantile),
    range("histq_2h_30s", "heavy range", 30, requestQuantile),
    range(
      "topk_2h_60s",
      "heavy range",
      60,
      "topk(10, sum by (cluster, namespace) (rate(container_cpu_usage_seconds_total[5m])))",
    ),
    range(
      "gauge_avg_2h_60s",
      "heavy range",
      60,
      "avg by (region) (node_memory_MemAvailable_bytes / on (cluster, region, instance) node_memory_MemTotal_bytes)",
    ),
    range(
      "dash_cpu_by_ns",
      "dashboard",
      30,
      `sum by (namespace) (rate(container_cpu_usage_seconds_total${oneCluster}[5m]))`,
    ),
    range(
      "dash_mem",
      "dashboard",
      30,
      `1 - node_memory_MemAvailable_bytes${oneCluster} / node_memory_MemTotal_bytes${oneCluster}`,
    ),
    range(
      "dash_api_errors",
      "dashboard",
      30,
      `sum by (verb) (rate(apiserver_request_total{cluster="${cluster}",code=~"5.."}[5m])) / ` +
        `sum by (verb) (rate(apiserver_request_total${oneCluster}[5m]))`,
    ),
    metadata("label_values_cluster", "label/cluster/values"),
    metadata("label_values_ns_one_cluster", "label/namespace/values", { "match[]": oneCluster }),
    metadata("series_one_cluster", "series", { "match[]": oneCluster }),
    range("raw_20k_x_240", "raw", 30, 'node_cpu_seconds_total{cluster=~"cluster-(0..|1[01].|12[0-5])"}'),
  ];
}

/** The request path with its times: the end is a second before that of the data, so that it is within the last sample's. */
export function pathOf(query: ReferenceQuery, data: { readonly startMs: number; readonly endMs: number }): string {
  const parameters = new URLSearchParams(query.parameters);
  for (const [name, which] of Object.entries(query.times)) {
    parameters.set(name, String((which === "start" ? data.startMs : data.endMs - 1000) / 1000));
  }
  return `/api/v1/${query.path}?${parameters.toString()}`;
}
