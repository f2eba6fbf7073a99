export {
  choiceQuery,
  dashboardJson,
  datasource,
  type Choice,
  type Dashboard,
  type Panel,
  type Row,
} from "./dashboard.ts";
export { dashboardNames, dashboardsOf } from "./dashboards.ts";
export { familiesOf, metricFacts, type Families, type MetricFacts, type MetricKind } from "./metric-catalogue.ts";
export { queryMetrics, type QueryMetrics } from "./query-metrics.ts";
export { readerOf, recordings, type Reader, type Recorder, type Recording } from "./recordings.ts";
