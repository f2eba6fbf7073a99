/** What one replica of every other role needs: receivers, rulers, alerts, dashboards, the agent. */
import { figures, inputs, type Definition } from "./definition.ts";

const mimir = "Mimir planning page";
const receive = "Mimir ingester: a core, 2.5 GB and 5 GB of disk for 300,000 series in memory";

export const roleDefinitions: readonly Definition[] = [
  ...inputs("fleet", [
    ["receiver.replicas", "count", 1, "in each region", "the fleet file"],
    ["ruler.replicas", "count", 0, "of the role", "the fleet file"],
    ["monitoring-agent.replicas", "count", 0, "of the role", "the fleet file"],
    [
      "monitoring-agent.base-memory",
      "bytes",
      { thanos: 2 ** 28, embedded: 2 ** 27 },
      "before the first series",
      "as one Prometheus. Pleiad's roles: chosen after pleiad measure on a twin of three nodes",
    ],
    ["monitoring-agent.targets", "count", 20, "roles that it scrapes", "the plan"],
    [
      "monitoring-agent.series",
      "series",
      1000,
      "of one role's own metrics",
      "a default: Thanos's components have 500 to 1,500",
    ],
    [
      "ruler.series",
      "series",
      20,
      "that rules over several clusters make of each cluster",
      "a default; write what your rules give",
    ],
    ["grafana.users", "count", 50, "people with a dashboard open", "a default; write what there are"],
    ["alertmanager.alerts", "count", 5000, "that fire at once", "a default; Mimir planning page: 1 GB for 5,000"],
    ["receiver.series-core", "series", 300_000, "that one core takes in", receive],
    ["receiver.series-memory", "bytes/series", 8333, "in memory", receive],
    ["receiver.series-disk", "bytes/series", 16_667, "on disk", receive],
  ]),
  ...figures("fleet", [
    [
      "ruler.memory",
      "bytes",
      "536870912 + fleet.clusters * ruler.series * 6144",
      "of one replica",
      "Thanos ruler documentation: rules over several clusters alone, a few results a cluster",
    ],
    ["ruler.cpu", "cores", "0.25 + fleet.clusters / 10000", "of one replica", "Thanos ruler documentation"],
    [
      "ruler.disk",
      "bytes",
      "5368709120",
      "of one replica: two days of results",
      "Thanos ruler documentation: it uploads as a sidecar does",
    ],
    [
      "alertmanager.memory",
      "bytes",
      "134217728 + alertmanager.alerts * 200000",
      "of one replica",
      `${mimir}: 1 GB for 5,000 alerts that fire`,
    ],
    [
      "alertmanager.cpu",
      "cores",
      "0.1 + alertmanager.alerts / 25000",
      "of one replica",
      `${mimir}: a core for 100 notifications a second`,
    ],
    [
      "alertmanager.disk",
      "bytes",
      "1073741824",
      "of one replica: silences and the log of notifications",
      "Alertmanager documentation",
    ],
    [
      "grafana.memory",
      "bytes",
      "536870912 + grafana.users * 10485760",
      "of one replica",
      "Grafana documentation: 512 MB at least",
    ],
    [
      "grafana.cpu",
      "cores",
      "0.25 + grafana.users / 100",
      "of one replica",
      "Grafana documentation: a core at least for many users",
    ],
    ["grafana.disk", "bytes", "0", "its database is elsewhere", "Grafana documentation: replicas share a database"],
    [
      "monitoring-agent.memory",
      "bytes",
      "monitoring-agent.base-memory + monitoring-agent.targets * monitoring-agent.series * 6144",
      "of one replica",
      "as one Prometheus",
    ],
    [
      "monitoring-agent.cpu",
      "cores",
      "0.1 + monitoring-agent.targets * monitoring-agent.series / 30 * 0.00006",
      "of one replica",
      "as one Prometheus",
    ],
    [
      "monitoring-agent.disk",
      "bytes",
      "1073741824 + monitoring-agent.targets * monitoring-agent.series / 30 * 172800 * 2",
      "of one replica: two days",
      "as one Prometheus",
    ],
    ["object-store-console.disk", "bytes", "0", "it keeps nothing", "a page for few people"],
  ]),
  ...figures("region", [
    ["receiver.series", "series", "sum(clusters.pushed-series)", "written to the region's receivers", "sum"],
    [
      "receiver.memory",
      "bytes",
      "268435456 + receiver.series * receiver.series-memory",
      "of one replica: each takes all, so that one may be lost",
      receive,
    ],
    ["receiver.cpu", "cores", "0.25 + receiver.series / receiver.series-core", "of one replica", receive],
    ["receiver.disk", "bytes", "1073741824 + receiver.series * receiver.series-disk", "of one replica", receive],
    [
      "receiver.network-in",
      "bytes/s",
      "sum(clusters.pushed-samples) * 10",
      "of one replica",
      "remote write with snappy: about 10 bytes a sample",
    ],
  ]),
];
