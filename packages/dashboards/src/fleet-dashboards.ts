/** The dashboards of what is watched: the fleet, a region, a cluster. */
import type { Dashboard, Panel } from "./dashboard.ts";
import { panel, processRow, quantile, questionRow, services } from "./panel-rows.ts";
import {
  callSecondsOfService,
  lastUploadOfCluster,
  samplesOfCluster,
  seriesOfCluster,
  targetsDownOfCluster,
  targetsOfCluster,
  type Reader,
} from "./recordings.ts";

const uploadAge = (read: Reader, matchers: string): Panel =>
  panel(
    "Since the last upload",
    "The ten clusters longest without one. A block comes every two hours; what is not uploaded when the cluster's own retention ends is lost.",
    "s",
    ["{{cluster}}", `topk(10, time() - max by (cluster) (${read(lastUploadOfCluster, matchers)}))`],
  );

export function fleetDashboard(read: Reader): Dashboard {
  const inRegions = 'region!=""';
  return {
    name: "fleet",
    title: "Fleet",
    description: "Whether everything is there that should be, and whether it can be asked. Look here first.",
    choices: [],
    rows: [
      {
        title: "Clusters",
        panels: [
          panel(
            "Clusters seen",
            "Clusters with any target, by region. Each must be as many as the fleet file has.",
            "short",
            ["{{region}}", `count by (region) (${read(targetsOfCluster, inRegions)})`],
          ),
          panel("Targets down", "Targets that their cluster cannot scrape.", "short", [
            "{{region}}",
            `sum by (region) (${read(targetsDownOfCluster, inRegions)})`,
          ]),
          panel("Series", "Series in the heads of all clusters: what the plan was sized by.", "short", [
            "{{region}}",
            `sum by (region) (${read(seriesOfCluster, inRegions)})`,
          ]),
          panel("Samples", "Samples stored in a second.", "cps", [
            "{{region}}",
            `sum by (region) (${read(samplesOfCluster, inRegions)})`,
          ]),
          uploadAge(read, inRegions),
        ],
      },
      questionRow(services.queryFrontend, read),
      {
        title: "Nodes",
        panels: [
          panel("Memory", "What the roles of a node hold. Above what the plan gave them, an alert comes.", "bytes", [
            "{{node}}",
            `sum by (node) (process_resident_memory_bytes{${services.all}, node!=""})`,
          ]),
          panel("CPU", "Processors that the roles of a node use.", "short", [
            "{{node}}",
            `sum by (node) (rate(process_cpu_seconds_total{${services.all}, node!=""}[$__rate_interval]))`,
          ]),
        ],
      },
      processRow(services.all),
      {
        title: "Alerts",
        panels: [
          panel(
            "Firing",
            "Alerts that fire, of the hierarchy and of the fleet. Each has a page in docs/guide/alerts.md.",
            "short",
            ["{{alertname}}", 'count by (alertname) (ALERTS{alertstate="firing"})'],
          ),
          panel("At Alertmanager", "Alerts that Alertmanager knows, those that are silenced among them.", "short", [
            "{{state}}",
            "sum by (state) (alertmanager_alerts)",
          ]),
          panel("Notifications that failed", "Notifications that nobody got.", "reqps", [
            "{{integration}}",
            "sum by (integration) (rate(alertmanager_notifications_failed_total[$__rate_interval]))",
          ]),
        ],
      },
    ],
  };
}

export function regionDashboard(read: Reader): Dashboard {
  const chosen = 'region=~"$region", region!=""';
  const queriers = `service=~"regional-querier-($region)"`;
  return {
    name: "region",
    title: "Region",
    description: "Which of a region's clusters lacks, and whether its queriers reach them.",
    choices: [{ label: "region", of: 'up{region!=""}' }],
    rows: [
      {
        title: "Clusters",
        panels: [
          panel(
            "Clusters seen",
            "Clusters with any target. Fewer than the fleet file has: some are missing.",
            "short",
            ["{{region}}", `count by (region) (${read(targetsOfCluster, chosen)})`],
          ),
          panel("Targets down", "The ten clusters with most targets that they cannot scrape.", "short", [
            "{{cluster}}",
            `topk(10, sum by (cluster) (${read(targetsDownOfCluster, chosen)}))`,
          ]),
          panel("Series", "The ten largest clusters.", "short", [
            "{{cluster}}",
            `topk(10, sum by (cluster) (${read(seriesOfCluster, chosen)}))`,
          ]),
          uploadAge(read, chosen),
        ],
      },
      {
        title: "Regional queriers",
        panels: [
          panel(
            "Stores that answer",
            "Clusters and store gateways that a querier is connected to. It should not fall.",
            "short",
            ["{{pod}} {{store_type}}", `sum by (pod, store_type) (thanos_store_nodes_grpc_connections{${queriers}})`],
          ),
          panel(
            "Slowest hundredth of what is asked",
            "Time of calls by the tier above. It waits for the slowest cluster.",
            "s",
            ["{{service}}", quantile(0.99, "service", read(callSecondsOfService, queriers))],
          ),
        ],
      },
      processRow(queriers),
    ],
  };
}

export function clusterDashboard(read: Reader): Dashboard {
  const chosen = 'cluster=~"$cluster", region!=""';
  return {
    name: "cluster",
    title: "Cluster",
    description: "One cluster's Prometheus, and whether what it has reaches the bucket.",
    choices: [{ label: "cluster", of: 'up{region!=""}' }],
    rows: [
      {
        title: "Prometheus",
        panels: [
          panel("Targets up", "Targets that answer, by job.", "short", [
            "{{cluster}} {{job}}",
            `sum by (cluster, job) (up{${chosen}})`,
          ]),
          panel("Series", "Series in the head: memory grows with them.", "short", [
            "{{cluster}} {{pod}}",
            `sum by (cluster, pod) (prometheus_tsdb_head_series{${chosen}})`,
          ]),
          panel("Samples", "Samples stored in a second.", "cps", [
            "{{cluster}}",
            `sum by (cluster) (${read(samplesOfCluster, chosen)})`,
          ]),
          panel("Memory", "Of Prometheus and its sidecar.", "bytes", [
            "{{cluster}} {{pod}}",
            `sum by (cluster, pod) (process_resident_memory_bytes{${chosen}, job=~".*prometheus.*"})`,
          ]),
        ],
      },
      {
        title: "Blocks",
        panels: [
          panel("On disk", "Bytes of blocks; retention ends them.", "bytes", [
            "{{cluster}}",
            `max by (cluster) (prometheus_tsdb_storage_blocks_bytes{${chosen}})`,
          ]),
          panel(
            "Uploads within six hours",
            "Three blocks come in six hours. A failed upload is tried again.",
            "short",
            ["done {{cluster}}", `sum by (cluster) (increase(thanos_shipper_uploads_total{${chosen}}[6h]))`],
            ["failed {{cluster}}", `sum by (cluster) (increase(thanos_shipper_upload_failures_total{${chosen}}[6h]))`],
          ),
          uploadAge(read, chosen),
          panel(
            "Samples refused",
            "Samples out of order or twice at one time: two targets that claim to be the same.",
            "cps",
            [
              "{{cluster}}",
              `sum by (cluster) (rate(prometheus_target_scrapes_sample_out_of_order_total{${chosen}}[$__rate_interval]) + rate(prometheus_target_scrapes_sample_duplicate_timestamp_total{${chosen}}[$__rate_interval]))`,
            ],
          ),
        ],
      },
    ],
  };
}
