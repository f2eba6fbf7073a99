/** Rows that several dashboards have, and the services that each role of a hierarchy runs as. */
import type { Panel, Row } from "./dashboard.ts";
import {
  bucketFailuresOfService,
  bucketRequestsOfService,
  bucketSecondsOfService,
  questionSecondsOfService,
  questionsOfService,
  type Reader,
} from "./recordings.ts";

/** Matchers of the services that are one role, whatever its region and shard. */
export const services = {
  queryFrontend: `service="query-frontend"`,
  querier: `service=~".+-querier.*"`,
  storeGateway: `service=~"store-gateway.*"`,
  compactor: `service=~"compactor.*"`,
  ruler: `service="ruler"`,
  receiver: `service=~"receiver.*"`,
  all: `service=~"query-frontend|.+-querier.*|store-gateway.*|compactor.*|ruler|receiver.*|alertmanager|grafana|object-store.*|monitoring-agent"`,
} as const;

export function panel(title: string, description: string, unit: string, ...queries: Panel["queries"]): Panel {
  return { title, description, unit, queries };
}

/** A quantile over the rates of a histogram's buckets. */
export function quantile(share: number, by: string, bucketRates: string): string {
  return `histogram_quantile(${share}, sum by (${by}, le) (${bucketRates}))`;
}

/** The rates of a histogram's buckets that nobody records. */
export function bucketRates(metric: string, matchers = ""): string {
  return `rate(${metric}_bucket${matchers === "" ? "" : `{${matchers}}`}[$__rate_interval])`;
}

/** What every process says of itself. */
export function processRow(matchers: string): Row {
  return {
    title: "Processes",
    panels: [
      panel("Up", "Replicas that can be scraped. One fewer than planned is an alert after 15 minutes.", "short", [
        "{{service}}",
        `sum by (service) (up{${matchers}})`,
      ]),
      panel(
        "Restarts within an hour",
        "Starts since then. A process that starts again and again lacks memory.",
        "short",
        ["{{pod}}", `sum by (pod) (changes(process_start_time_seconds{${matchers}}[1h]))`],
      ),
      panel("Memory", "Resident memory. What the plan gave is a limit: above it the process is killed.", "bytes", [
        "{{pod}}",
        `sum by (pod) (process_resident_memory_bytes{${matchers}})`,
      ]),
      panel("CPU", "Processors in use.", "short", [
        "{{pod}}",
        `sum by (pod) (rate(process_cpu_seconds_total{${matchers}}[$__rate_interval]))`,
      ]),
    ],
  };
}

export function questionRow(matchers: string, read: Reader): Row {
  return {
    title: "Questions",
    panels: [
      panel(
        "Questions",
        "Queries by the status of their answer: 5xx is a fault of the hierarchy, 4xx the asker's.",
        "reqps",
        ["{{service}} {{code}}", `sum by (service, code) (${read(questionsOfService, matchers)})`],
      ),
      panel(
        "Time to the answer",
        "Of queries that were answered within five minutes. Where the slowest hundredth takes over 10 s, an alert comes.",
        "s",
        ["median {{service}}", quantile(0.5, "service", read(questionSecondsOfService, matchers))],
        ["slowest hundredth {{service}}", quantile(0.99, "service", read(questionSecondsOfService, matchers))],
      ),
    ],
  };
}

export function bucketRow(matchers: string, read: Reader): Row {
  return {
    title: "Object storage",
    panels: [
      panel("Requests", "Requests to the bucket: what is paid for, and what a sync of many blocks costs.", "reqps", [
        "{{operation}}",
        `sum by (operation) (${read(bucketRequestsOfService, matchers)})`,
      ]),
      panel(
        "Failures",
        "Requests that failed and were not to. A few are tried again, many are history that is missing.",
        "reqps",
        ["{{operation}}", `sum by (operation) (${read(bucketFailuresOfService, matchers)})`],
      ),
      panel("Slowest hundredth", "Of the requests that succeeded. Slow storage makes every long query slow.", "s", [
        "{{operation}}",
        quantile(0.99, "operation", read(bucketSecondsOfService, matchers)),
      ]),
    ],
  };
}
