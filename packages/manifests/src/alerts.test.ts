/** Each alert by promtool: it fires when it must, and nothing fires while all is well. Skipped where that is not installed. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import {
  changed,
  growing,
  healthyClusters,
  healthyRoles,
  minutes,
  steady,
  type World,
} from "./alert-world.fixtures.ts";
import { runbookPage, type AlertRule, type RecordingRule } from "./alert-rule.ts";
import { objectsOf, planned, rendered } from "./rendered-fleet.fixtures.ts";

interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly (AlertRule | RecordingRule)[] }[];
}

// Clusters in two regions, a group of which writes; two replicas of whatever may have them.
const text = `
version: 1
name: alerts
nodes:
  node-1: { tier: 1, role: global, cores: 8, memory: 16Gi, disk: 100Gi, network: 1Gbit/s }
  node-2: { tier: 2, role: regional, cores: 8, memory: 16Gi, disk: 100Gi, network: 1Gbit/s }
  node-3: { tier: 2, role: regional, cores: 8, memory: 16Gi, disk: 100Gi, network: 1Gbit/s }
replicaLabels: [replica, ruler_replica]
groups:
  shops: { clusters: "shop-{01..04}", series: 20k, ingest: push }
  offices: { clusters: "office-{1..3}", series: 10k }
regions:
  east: { groups: [shops] }
  west: { groups: [offices] }
roles:
  query-frontend: { cpu: 250m, memory: 512Mi }
  global-querier: { cpu: 1, memory: 1Gi }
  regional-querier: { replicas: 2, cpu: 500m, memory: 1Gi }
  regional-store-gateway: { cpu: 250m, memory: 512Mi }
  receiver: { cpu: 250m, memory: 512Mi }
  compactor: { cpu: 500m, memory: 1Gi }
  ruler: { cpu: 250m, memory: 512Mi }
  alertmanager: { replicas: 2, cpu: 100m, memory: 128Mi, tiers: [1, 2] }
  grafana: { cpu: 250m, memory: 512Mi }
  object-store: { cpu: 500m, memory: 1Gi, on: [node-1] }
  monitoring-agent: { cpu: 250m, memory: 512Mi }
objectStorage: { bucket: alerts, capacity: 50Gi }
`;

interface Case {
  readonly what: string;
  readonly alerts: readonly string[]; // those that fire, and no others
  readonly changes: readonly (readonly [texts: readonly string[], values: string | undefined])[];
  readonly further?: Readonly<Record<string, string>>;
}

const quietly = "PleiadWatchdog";
const slow = growing(0); // of quick calls there are none any more

const ofRoles: readonly Case[] = [
  { what: "all is well", alerts: [], changes: [] },
  {
    what: "one replica of two is down",
    alerts: ["PleiadReplicasDown", "PleiadRoleDown"],
    changes: [[["up{", 'pod="regional-querier-east-0"'], steady(0)]],
  },
  {
    what: "one replica of two is gone from what is scraped",
    alerts: ["PleiadReplicasDown"],
    changes: [[["up{", 'pod="regional-querier-east-0"'], undefined]],
  },
  {
    what: "the only replica is gone",
    alerts: ["PleiadServiceDown"],
    changes: [[["up{", 'service="query-frontend"'], undefined]],
  },
  {
    what: "queries fail",
    alerts: ["PleiadQueriesFail"],
    changes: [[["http_requests_total{", 'service="global-querier"', 'code="500"'], growing(10)]],
  },
  {
    what: "queries are slow",
    alerts: ["PleiadQueriesSlow"],
    changes: [[["http_request_duration_seconds_bucket{", 'service="query-frontend"', 'le="0.1"'], slow]],
  },
  {
    what: "queries wait",
    alerts: ["PleiadQueriersFull"],
    changes: [[["thanos_query_concurrent_gate_queries_in_flight{", 'pod="global-querier-0"'], steady(19)]],
  },
  {
    what: "a querier reaches nobody",
    alerts: ["PleiadQuerierAlone"],
    changes: [[["thanos_store_nodes_grpc_connections{", 'pod="regional-querier-west-1"'], steady(0)]],
  },
  {
    what: "names do not resolve",
    alerts: ["PleiadNamesDoNotResolve"],
    changes: [[["thanos_query_endpoints_dns_failures_total{", "global-querier-0"], growing(1)]],
  },
  {
    what: "calls fail",
    alerts: ["PleiadCallsFail"],
    changes: [[["grpc_server_handled_total{", "store-gateway-east", "Unavailable"], growing(10)]],
  },
  {
    what: "calls are slow",
    alerts: ["PleiadCallsSlow"],
    changes: [[["grpc_server_handling_seconds_bucket{", "store-gateway-east", 'le="0.1"'], slow]],
  },
  {
    what: "a store gateway is slow",
    alerts: ["PleiadStoreGatewaySlow"],
    changes: [[["thanos_bucket_store_series_get_all_duration_seconds_bucket{", "east", 'le="0.1"'], slow]],
  },
  {
    what: "blocks cannot be loaded",
    alerts: ["PleiadBlocksUnreadable"],
    changes: [[["thanos_bucket_store_block_load_failures_total{", "east"], growing(0.5)]],
  },
  {
    what: "blocks cannot be opened when they are asked for",
    alerts: ["PleiadBlocksUnreadable"],
    changes: [[["thanos_bucket_store_indexheader_lazy_load_failed_total{", "east"], growing(0.5)]],
  },
  {
    what: "uploads of a ruler fail",
    alerts: ["PleiadUploadsFail"],
    changes: [[["thanos_shipper_upload_failures_total{", "ruler"], growing(0.1)]],
  },
  {
    what: "a ruler has long uploaded nothing",
    alerts: ["PleiadUploadsOld"],
    changes: [[["thanos_objstore_bucket_last_successful_upload_time{", "ruler"], steady(60)]],
  },
  {
    what: "the compactor has halted",
    alerts: ["PleiadCompactorHalted"],
    changes: [[["thanos_compact_halted{"], steady(1)]],
  },
  {
    what: "two compactors run",
    alerts: ["PleiadCompactorTwice"],
    changes: [],
    further: { 'up{job="thanos-compact", service="compactor", pod="compactor-of-yesterday"}': steady(1) },
  },
  {
    what: "the compactor has done nothing for a day",
    alerts: ["PleiadCompactorIdle"],
    changes: [[["thanos_compact_iterations_total{"], steady(7)]],
  },
  {
    what: "the compactor has started and not gone through once",
    alerts: [],
    changes: [
      [["thanos_compact_iterations_total{"], steady(0)],
      [["process_start_time_seconds{", "compactor"], steady(1)],
    ],
  },
  {
    what: "compactions fail",
    alerts: ["PleiadCompactionsFail"],
    changes: [[["thanos_compact_group_compactions_failures_total{"], growing(0.1)]],
  },
  {
    what: "requests to object storage fail",
    alerts: ["PleiadObjectStorageFails"],
    changes: [[["thanos_objstore_bucket_operation_failures_total{", "compactor"], growing(10)]],
  },
  {
    what: "object storage is slow",
    alerts: ["PleiadObjectStorageSlow"],
    changes: [[["thanos_objstore_bucket_operation_duration_seconds_bucket{", "west", 'le="0.1"'], slow]],
  },
  {
    what: "rules fail",
    alerts: ["PleiadRulesFail"],
    changes: [[["prometheus_rule_evaluation_failures_total{"], growing(1)]],
  },
  {
    what: "rules are evaluated over partial answers",
    alerts: ["PleiadRulesPartial"],
    changes: [[["thanos_rule_evaluation_with_warnings_total{"], growing(1)]],
  },
  {
    what: "rules take longer than their interval",
    alerts: ["PleiadRulesLate"],
    changes: [[["prometheus_rule_group_iterations_missed_total{"], growing(1)]],
  },
  {
    what: "a file of rules is no such",
    alerts: ["PleiadRulesNotLoaded"],
    changes: [[["thanos_rule_config_last_reload_successful{"], steady(0)]],
  },
  {
    what: "alerts are dropped on the way",
    alerts: ["PleiadAlertsDropped"],
    changes: [[["thanos_alert_sender_alerts_dropped_total{"], growing(1)]],
  },
  {
    what: "alerts are dropped before they leave",
    alerts: ["PleiadAlertsDropped"],
    changes: [[["thanos_alert_queue_alerts_dropped_total{"], growing(1)]],
  },
  {
    what: "writes fail",
    alerts: ["PleiadWritesFail"],
    changes: [],
    further: { 'http_requests_total{service="receiver-east", handler="receive", code="500"}': growing(60) },
  },
  {
    what: "notifications fail",
    alerts: ["PleiadNotificationsFail"],
    changes: [[["alertmanager_notifications_failed_total{"], growing(1)]],
  },
  {
    what: "the Alertmanagers do not see each other",
    alerts: ["PleiadAlertmanagerAlone"],
    changes: [[["alertmanager_cluster_members{"], steady(1)]],
  },
  {
    what: "a node's roles hold more memory than planned",
    alerts: ["PleiadNodeMemoryOverBudget"],
    changes: [[["process_resident_memory_bytes{", 'pod="global-querier-0"'], steady(9 * 2 ** 30)]],
  },
  {
    what: "a node's roles use more processors than planned",
    alerts: ["PleiadNodeCpuOverBudget"],
    changes: [[["process_cpu_seconds_total{", 'pod="global-querier-0"'], growing(600)]],
  },
  {
    what: "a certificate ends soon",
    alerts: ["PleiadCertificateEnds"],
    changes: [[["certmanager_certificate_expiration_timestamp_seconds{"], steady(1e6)]],
  },
  {
    what: "nobody watches certificates",
    alerts: ["PleiadCertificatesUnwatched"],
    changes: [[["certmanager_certificate_expiration_timestamp_seconds{"], undefined]],
  },
];

// Those that need longer than the rest.
const ofRolesLater: readonly Case[] = [
  {
    what: "the compactor does not keep up",
    alerts: ["PleiadCompactorBehind"],
    changes: [[["thanos_compact_todo_compactions{"], `600x${3 * minutes}`]],
  },
  {
    what: "downsampling does not keep up",
    alerts: ["PleiadCompactorBehind"],
    changes: [[["thanos_compact_todo_downsample_blocks{"], `600x${3 * minutes}`]],
  },
];

const ofClusters: readonly Case[] = [
  { what: "all is well", alerts: [], changes: [] },
  {
    what: "a cluster is missing from the start",
    alerts: ["PleiadRegionIncomplete"],
    changes: [[['cluster="office-1"'], undefined]],
  },
  {
    what: "a cluster goes",
    alerts: ["PleiadClusterMissing", "PleiadRegionIncomplete"],
    changes: [[['cluster="shop-01"'], "1x200"]],
  },
  {
    what: "targets of a cluster are down",
    alerts: ["PleiadClusterTargetsDown"],
    changes: [[["up{", 'cluster="shop-01"', "10.0.0.2"], steady(0)]],
  },
  {
    what: "a cluster stops uploading",
    alerts: ["PleiadClusterUploadsOld"],
    changes: [[["last_successful_upload_time{", 'cluster="shop-02"'], steady(60)]],
  },
  {
    what: "a cluster has never uploaded",
    alerts: ["PleiadClusterNeverUploads"],
    changes: [[["last_successful_upload_time{", 'cluster="shop-02"'], steady(0)]],
  },
  {
    what: "uploads of a cluster fail",
    alerts: ["PleiadClusterUploadsFail"],
    changes: [[["thanos_shipper_upload_failures_total{", 'cluster="office-1"'], growing(0.1)]],
  },
  {
    what: "a certificate of a cluster ends soon",
    alerts: ["PleiadClusterCertificateEnds"],
    changes: [[["certmanager_certificate_expiration_timestamp_seconds{", "shop-03"], steady(1e6)]],
  },
];

const folder = mkdtempSync(join(tmpdir(), "pleiad-rules-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The files of rules of a deployment, in the form of Prometheus's own. */
function ruleFiles(settings = {}): { readonly roles: readonly string[]; readonly regions: readonly string[] } {
  const objects = objectsOf(rendered(text, settings)).map(({ object }) => object);
  const roles = objects.flatMap((object) => (object.kind === "PrometheusRule" ? [JSON.stringify(object.spec)] : []));
  const regions = objects.flatMap((object) =>
    object.kind === "ConfigMap" && object.metadata?.name?.startsWith("rules-") ? Object.values(object.data ?? {}) : [],
  );
  return { roles, regions };
}

function written(name: string, texts: readonly string[]): readonly string[] {
  return texts.map((content, i) => {
    const path = join(folder, `${name}-${i}.yaml`);
    writeFileSync(path, content);
    return path;
  });
}

function promtool(...args: readonly string[]): { readonly ok: boolean; readonly output: string } {
  const { status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8", maxBuffer: 1 << 26 });
  return { ok: status === 0, output: `${stdout}${stderr}` };
}

/** What promtool finds wrong with the cases: each is a world of its own, looked at by its end. */
function judged(
  name: string,
  files: readonly string[],
  world: World,
  cases: readonly Case[],
  atMinute: number,
): string {
  const always = world === clusters ? [] : [quietly];
  const tests = cases.map(({ what, alerts, changes, further = {} }) => {
    let own: World = new Map([...world, ...Object.entries(further)]);
    for (const [texts, values] of changes) own = changed(own, texts, values);
    return {
      name: what,
      interval: "1m",
      input_series: [...own].map(([series, values]) => ({ series, values })),
      promql_expr_test: [
        {
          expr: 'group by (alertname) (ALERTS{alertstate="firing"})',
          eval_time: `${atMinute}m`,
          exp_samples: [...alerts, ...always].map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
        },
      ],
    };
  });
  const path = join(folder, `${name}-test.yaml`);
  writeFileSync(path, JSON.stringify({ rule_files: files, evaluation_interval: "5m", tests }));
  const { ok, output } = promtool("test", "rules", path);
  return ok ? "" : output;
}

const { plan } = planned(text);
const roles = healthyRoles(plan);
const clusters = healthyClusters(plan);
// Promtool evaluates each world for hours of its own.
const longer = { timeout: 300_000 };
const hasPromtool = promtool("--version").ok;
if (!hasPromtool && process.env["PLEIAD_REQUIRE_PEERS"] === "1")
  throw new Error("promtool is required here and missing");

describe.skipIf(!hasPromtool)("the rules, by promtool", () => {
  const files = ruleFiles();
  const roleFiles = written("roles", files.roles);
  const regionFiles = written("regions", files.regions);

  it("are rules", longer, () => {
    for (const [name, settings] of [
      ["cert-manager", {}],
      ["built-in", { certificates: "built-in" as const }],
    ] as const) {
      const { roles, regions } = ruleFiles(settings);
      expect([roles.length, regions.length]).toEqual([1, 2]);
      for (const file of written(name, [...roles, ...regions])) {
        expect(promtool("check", "rules", file)).toMatchObject({
          ok: true,
          output: expect.stringContaining("SUCCESS"),
        });
      }
    }
  });
  it("of the roles: each alert fires when it must, and no other does", longer, () => {
    expect(judged("roles", roleFiles, roles, ofRoles, 300)).toBe("");
  });
  it("of the roles: what takes hours to tell", longer, () => {
    const hours = new Map(
      [...roles].map(([series, values]) => [series, values.replace(`x${minutes}`, `x${3 * minutes}`)] as const),
    );
    expect(judged("later", roleFiles, hours, ofRolesLater, 900)).toBe("");
  });
  it("of the regions: each alert fires when it must, and no other does", longer, () => {
    expect(judged("regions", regionFiles, clusters, ofClusters, 300)).toBe("");
  });
  it("a case that expects what does not happen fails", () => {
    const wrong = [{ what: "nothing", alerts: ["PleiadCompactorHalted"], changes: [] }];
    expect(judged("wrong", roleFiles, roles, wrong, 60)).toContain("PleiadCompactorHalted");
  });
});

describe("every alert", () => {
  const all = (settings = {}) => {
    const { roles, regions } = ruleFiles(settings);
    return [...roles, ...regions].flatMap((file) =>
      (parse(file) as RuleFile).groups.flatMap(({ rules }) => rules.flatMap((rule) => ("alert" in rule ? [rule] : []))),
    );
  };
  const alerts = [...all(), ...all({ certificates: "built-in" })];

  it("has a case above in which it fires", () => {
    const cases = new Set([quietly, ...[...ofRoles, ...ofRolesLater, ...ofClusters].flatMap((one) => one.alerts)]);
    expect(alerts.map(({ alert }) => alert).filter((alert) => !cases.has(alert))).toEqual([]);
  });
  it("is told from every other by its labels, whoever evaluates it", () => {
    const identities = all().map(({ alert, labels }) => JSON.stringify([alert, labels]));
    expect(new Set(identities).size).toBe(identities.length);
  });
  it("has a section of the runbook, and every section an alert", () => {
    const page = readFileSync(new URL(`../../../${runbookPage}`, import.meta.url), "utf8");
    const sections = [...page.matchAll(/^### (\w+)$/gm)].map(([, name = ""]) => name);
    expect([...new Set(sections)].sort()).toEqual([...new Set(alerts.map(({ alert }) => alert))].sort());
    for (const { alert, annotations } of alerts) {
      expect(annotations.runbook_url).toBe(`${runbookPage}#${alert.toLowerCase()}`);
    }
  });
});
