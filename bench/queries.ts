/** The questions that the benchmark asks, as dashboards and people ask them. */
export interface BenchQuery {
  readonly name: string;
  readonly query: string;
  /** Only of a twin with so much history in its bucket. */
  readonly historyMs?: number;
  /** Absent for an instant query at now. */
  readonly range?: { readonly spanSeconds: number; readonly stepSeconds: number };
}

const dayMs = 86_400_000;
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
  // The ranges of the requirements: agents, then blocks as they were uploaded, then compacted and downsampled ones.
  ...[
    { name: "last_2h", days: 2 / 24, stepSeconds: 60 },
    { name: "2h_to_1d", days: 1, stepSeconds: 300 },
    { name: "2h_to_7d", days: 7, stepSeconds: 1800 },
    { name: "over_7d", days: 14, stepSeconds: 3600 },
  ].map(({ name, days, stepSeconds }) => ({
    name,
    query: `sum by (cluster) (rate(node_cpu_seconds_total{mode="user"}[${Math.max(5, (2 * stepSeconds) / 60)}m]))`,
    historyMs: days <= 2 / 24 ? 0 : days * dayMs,
    range: { spanSeconds: days * 86_400, stepSeconds },
  })),
];
