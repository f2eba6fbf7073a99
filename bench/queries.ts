/** The questions that the benchmark asks, as dashboards and people ask them. */
export interface BenchQuery {
  readonly name: string;
  readonly query: string;
  /** Absent for an instant query at now. */
  readonly range?: { readonly spanSeconds: number; readonly stepSeconds: number };
}

const twoHours = { spanSeconds: 7200, stepSeconds: 60 };

export const benchQueries: readonly BenchQuery[] = [
  { name: "up_by_region", query: "count by (region) (up == 1)" },
  { name: "count_all", query: 'count({__name__=~".+"})' },
  { name: "cpu_rate_instant", query: 'sum by (cluster) (rate(node_cpu_seconds_total{mode!="idle"}[5m]))' },
  {
    name: "cpu_rate_2h_60s",
    query: 'sum by (cluster) (rate(node_cpu_seconds_total{mode!="idle"}[5m]))',
    range: twoHours,
  },
  {
    name: "histq_2h_60s",
    query: "histogram_quantile(0.99, sum by (le, cluster) (rate(http_request_duration_seconds_bucket[5m])))",
    range: twoHours,
  },
  {
    name: "topk_2h_60s",
    query: "topk(10, sum by (cluster, namespace) (rate(container_cpu_usage_seconds_total[5m])))",
    range: twoHours,
  },
  {
    name: "dash_cpu_by_ns",
    query: 'sum by (namespace) (rate(container_cpu_usage_seconds_total{cluster=~"cluster-004|shop-04"}[5m]))',
    range: twoHours,
  },
];
