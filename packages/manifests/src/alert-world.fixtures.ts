/** What a healthy fleet says of itself, as series for promtool's rule tests, and what becomes of it when something fails. */
import type { Plan } from "@pleiad/fleet";
import { labelsOf } from "./object-labels.ts";
import { workloadsOf } from "./workload.ts";

/** Series and their values a minute apart, in promtool's notation. */
export type World = ReadonlyMap<string, string>;

export const minutes = 330;

/** A level that stays, and a counter that grows by so much a minute. */
export const steady = (value: number) => `${value}x${minutes}`;
export const growing = (perMinute: number) => `0+${perMinute}x${minutes}`;

/** As the Prometheus that watches the roles sees it. */
export function healthyRoles(plan: Plan): World {
  const world = new Map<string, string>();
  for (const workload of workloadsOf(plan)) {
    const { kind, name, roles } = workload;
    if (kind === "monitoring-agent" || kind === "object-store-console") continue;
    for (const { id, node } of roles) {
      const target = `job="${labelsOf(workload)["app.kubernetes.io/name"]}", service="${name}", pod="${id}", node="${node}"`;
      const add = (metric: string, labels: string, values: string) =>
        world.set(`${metric}{${[target, labels].filter((one) => one !== "").join(", ")}}`, values);
      add("up", "", steady(1));
      add("process_resident_memory_bytes", "", steady(32 * 2 ** 20));
      add("process_cpu_seconds_total", "", growing(0.6));
      add("process_start_time_seconds", "", steady(-100_000));
      for (const [metric, labels, values] of figuresOf(kind, roles.length)) add(metric, labels, values);
    }
  }
  world.set('certmanager_certificate_expiration_timestamp_seconds{namespace="monitoring", name="grpc"}', steady(8e6));
  return world;
}

/** As the rulers see it: the app clusters, each with its region. */
export function healthyClusters(plan: Plan): World {
  const world = new Map<string, string>();
  for (const { name, region } of plan.clusters) {
    const labels = `cluster="${name}", region="${region}"`;
    for (let n = 0; n < 3; n++) world.set(`up{${labels}, instance="10.0.0.${n}:9100"}`, steady(1));
    const own = `${labels}, job="prometheus"`;
    world.set(`prometheus_tsdb_head_series{${own}}`, steady(1000));
    world.set(`prometheus_tsdb_head_samples_appended_total{${own}}`, growing(4000));
    world.set(`thanos_objstore_bucket_last_successful_upload_time{${own}, bucket="b"}`, `1+60x${minutes}`);
    world.set(`thanos_shipper_upload_failures_total{${own}}`, steady(0));
    world.set(
      `certmanager_certificate_expiration_timestamp_seconds{${labels}, namespace="cert-manager", exported_namespace="monitoring", name="prometheus"}`,
      steady(8e6),
    );
  }
  return world;
}

type Figure = readonly [metric: string, labels: string, values: string];

function figuresOf(kind: string, replicas: number): readonly Figure[] {
  switch (kind) {
    case "query-frontend":
      return questions("query-frontend");
    case "global-querier":
    case "regional-querier":
      return [
        ...questions("query"),
        ...calls,
        ["thanos_store_nodes_grpc_connections", 'store_type="sidecar"', steady(6)],
        ["thanos_query_concurrent_gate_queries_in_flight", "", steady(1)],
        ["thanos_query_concurrent_gate_queries_max", "", steady(20)],
        ["thanos_query_endpoints_dns_lookups_total", "", growing(2)],
        ["thanos_query_endpoints_dns_failures_total", "", steady(0)],
      ];
    case "store-gateway":
      return [
        ...calls,
        ...bucket("get_range"),
        ...histogram("thanos_bucket_store_series_get_all_duration_seconds", ""),
        ["thanos_bucket_store_block_load_failures_total", "", steady(0)],
        ["thanos_bucket_store_indexheader_lazy_load_failed_total", "", steady(0)],
      ];
    case "compactor":
      return [
        ...bucket("get"),
        ["thanos_compact_halted", "", steady(0)],
        ["thanos_compact_iterations_total", "", growing(0.2)],
        ["thanos_compact_todo_compactions", "", steady(1)],
        ["thanos_compact_todo_downsample_blocks", "", steady(1)],
        ["thanos_compact_group_compactions_failures_total", 'resolution="0"', steady(0)],
        ["thanos_objstore_bucket_last_successful_upload_time", 'bucket="b"', steady(1)],
      ];
    case "ruler":
      return [
        ...calls,
        ...bucket("upload"),
        ["thanos_shipper_upload_failures_total", "", steady(0)],
        ["thanos_objstore_bucket_last_successful_upload_time", 'bucket="b"', `1+60x${minutes}`],
        ["prometheus_rule_evaluation_failures_total", 'rule_group="east"', steady(0)],
        ["prometheus_rule_group_iterations_missed_total", 'rule_group="east"', steady(0)],
        ["thanos_rule_evaluation_with_warnings_total", 'strategy="warn"', steady(0)],
        ["thanos_rule_config_last_reload_successful", "", steady(1)],
        ["thanos_alert_sender_alerts_dropped_total", "", steady(0)],
        ["thanos_alert_queue_alerts_dropped_total", "", steady(0)],
      ];
    case "receiver":
      return [["http_requests_total", 'handler="receive", code="200"', growing(60)], ...calls, ...bucket("upload")];
    case "alertmanager":
      return [
        ["alertmanager_cluster_members", "", steady(replicas)],
        ["alertmanager_notifications_total", 'integration="webhook"', growing(1)],
        ["alertmanager_notifications_failed_total", 'integration="webhook"', steady(0)],
      ];
    default:
      return [];
  }
}

/** All quick. */
function histogram(metric: string, labels: string): readonly Figure[] {
  const le = (bound: string) => (labels === "" ? `le="${bound}"` : `${labels}, le="${bound}"`);
  return ["0.1", "60", "+Inf"].map((bound) => [`${metric}_bucket`, le(bound), growing(60)]);
}

function questions(handler: string): readonly Figure[] {
  return [
    ["http_requests_total", `handler="${handler}", code="200"`, growing(60)],
    ["http_requests_total", `handler="${handler}", code="500"`, steady(0)],
    ...histogram("http_request_duration_seconds", `handler="${handler}", code="200"`),
  ];
}

const calls: readonly Figure[] = [
  ["grpc_server_handled_total", 'grpc_method="Series", grpc_code="OK"', growing(60)],
  ["grpc_server_handled_total", 'grpc_method="Series", grpc_code="Unavailable"', steady(0)],
  ...histogram("grpc_server_handling_seconds", 'grpc_method="Series"'),
];

function bucket(operation: string): readonly Figure[] {
  const labels = `operation="${operation}"`;
  return [
    ["thanos_objstore_bucket_operations_total", labels, growing(60)],
    ["thanos_objstore_bucket_operation_failures_total", labels, steady(0)],
    ...histogram("thanos_objstore_bucket_operation_duration_seconds", labels),
  ];
}

/** The world where every series that holds all of these texts has other values; undefined: it is gone. */
export function changed(world: World, texts: readonly string[], values: string | undefined): World {
  const series = [...world.keys()].filter((one) => texts.every((text) => one.includes(text)));
  if (series.length === 0) throw new Error(`the fleet has no series with ${texts.join(" and ")}`);
  const next = new Map(world);
  for (const one of series) {
    if (values === undefined) next.delete(one);
    else next.set(one, values);
  }
  return next;
}
