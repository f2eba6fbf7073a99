export { dashboardJson, datasource, type Choice, type Dashboard, type Panel, type Row } from "./dashboard.ts";
export { dashboards } from "./dashboards.ts";
export { metricCatalogue, metricFacts, type MetricFacts, type MetricKind } from "./metric-catalogue.ts";
export { queryMetrics, type QueryMetrics } from "./query-metrics.ts";
