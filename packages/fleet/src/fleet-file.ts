/** A fleet file's text to a fleet: syntax, then shape, then what the parts mean together. */
import { fail, formatDuration, ok, type Result } from "@pleiad/model";
import { checkLabelScheme, clusterPlaceholders, expandLabels, labelNameMismatch } from "./external-labels.ts";
import { expandClusterNames, nameMismatch } from "./cluster-range.ts";
import type { FleetFile } from "./fleet-schema.ts";
import type { FleetSource, Path } from "./fleet-source.ts";
import type {
  Fleet,
  FleetCluster,
  FleetObjectStorage,
  FleetPolicies,
  FleetRegion,
  FleetRole,
  FleetStaff,
  RoleKey,
} from "./fleet.ts";
import { expandNodes, nodesMax } from "./node-ranges.ts";
import { readMembership, shortList, type Membership } from "./membership.ts";
import { compareNames } from "./name-order.ts";
import type { PlannedTarget, RoleKind, Tier } from "./plan.ts";
import { ProblemLog } from "./problem-log.ts";
import { fleetFailure, type FleetFailure, type Mismatch } from "./problems.ts";
import { checkShape, valueAt } from "./schema-issues.ts";
import { readYamlTree } from "./yaml-tree.ts";

/** Reads a fleet file. `fileName` only names it in messages. All problems of a stage are found in one run. */
export function readFleet(text: string, fileName: string): Result<Fleet, FleetFailure> {
  const tree = readYamlTree(text, fileName);
  if (tree.problems.length > 0) return fail(fleetFailure(tree.problems));
  const log = new ProblemLog(tree.source);
  const { file: written, problems } = checkShape(tree.value, tree.source);
  log.add(problems);
  checkNames(tree.value, log);
  // What parts mean together is only asked of parts that have the right shape.
  if (written === undefined) return fail(fleetFailure(log.problems));
  const { nodes, source } = expandNodes(written.nodes, tree.source, log);
  const file: FleetFile = { ...written, nodes };
  for (const [node, { role, zone }] of Object.entries(written.nodes)) {
    report(nameMismatch(role), ["nodes", node, "role"], role, log.atValue.bind(log));
    if (zone !== undefined) report(nameMismatch(zone), ["nodes", node, "zone"], zone, log.atValue.bind(log));
  }
  checkLabels(file, log);
  checkPresence(file, log);
  checkTargets(file, log);
  checkBackfill(file, log);
  checkBucketRetention(file, log);
  const membership = readMembership(file, log);
  const fleet = assembleFleet(file, membership, source);
  checkLabelCollisions(fleet, log);
  return log.problems.length > 0 ? fail(fleetFailure(log.problems)) : ok(fleet);
}

/** Each role's kind and scope, and the tier of the nodes that it runs on unless the file says otherwise. */
const roleKinds: Readonly<Record<RoleKey, readonly [kind: RoleKind, scope: FleetRole["scope"], tier: Tier]>> = {
  "query-frontend": ["query-frontend", "fleet", 1],
  "global-querier": ["global-querier", "fleet", 1],
  "super-regional-querier": ["super-regional-querier", "super-region", 1],
  "regional-querier": ["regional-querier", "region", 2],
  // The same as a regional querier, for what has no region.
  "leaf-querier": ["regional-querier", "fleet", 1],
  "global-store-gateway": ["store-gateway", "fleet", 1],
  "regional-store-gateway": ["store-gateway", "region", 2],
  receiver: ["receiver", "region", 2],
  compactor: ["compactor", "fleet", 1],
  ruler: ["ruler", "fleet", 1],
  alertmanager: ["alertmanager", "fleet", 1],
  grafana: ["grafana", "fleet", 1],
  "object-store": ["object-store", "fleet", 3],
  "object-store-console": ["object-store-console", "fleet", 3],
  "monitoring-agent": ["monitoring-agent", "fleet", 1],
};
// In the order of the plan.
const roleKeys = Object.keys(roleKinds) as readonly RoleKey[];

function assembleFleet(file: FleetFile, membership: Membership, source: FleetSource): Fleet {
  const names = [...membership.groupOf.keys()].sort(compareNames);
  const clusters = names.map((name, i) => cluster(name, i + 1, file, membership));
  const clustersOfRegion = Map.groupBy(clusters, ({ region }) => region);
  const regions = regionNames(file, clustersOfRegion).map((name): FleetRegion => ({
    name,
    clusters: (clustersOfRegion.get(name) ?? []).map(({ name }) => name),
    clustersMax: file.regions?.[name]?.clustersMax ?? file.policies.clustersPerRegionMax,
    on: file.regions?.[name]?.on,
  }));
  const nodes = byName(file.nodes).map(([name, node]) => ({
    name,
    tier: node.tier,
    role: node.role,
    cpuMillicores: node.cores,
    memoryBytes: node.memory,
    diskBytes: node.disk,
    networkBitsPerSecond: node.network,
    zone: node.zone,
    priceMicrosMonth: node.price ?? file.prices.node,
  }));
  const { monitoring, prices, queryLoad, growth } = file;
  const hasMonitoring = file.roles["monitoring-agent"] !== undefined;
  return {
    name: file.name,
    engine: file.engine,
    queryMode: file.queryMode,
    versions: file.versions,
    replicaLabels: file.replicaLabels,
    policies: policies(file),
    nodes,
    clusters,
    regions,
    areRegionsAutomatic: file.regions === undefined,
    roles: roleKeys.flatMap((key) => role(key, file)),
    queryLoad: {
      perSecond: queryLoad.perSecond,
      concurrentMax: queryLoad.concurrent,
      concurrentPerQuerierMax: queryLoad.concurrentPerQuerier,
      series: queryLoad.series,
      rangeMs: queryLoad.range,
      historyRatio: queryLoad.history,
    },
    objectStorage: objectStorage(file),
    prices: {
      currency: prices.currency,
      storageMicrosGigabyteMonth: prices.storageGigabyte,
      readMicrosThousand: prices.thousandReads,
      writeMicrosThousand: prices.thousandWrites,
      networkMicrosMonth: prices.network,
      clusterAloneMicrosMonth: prices.clusterAlone,
    },
    staff: staff(file),
    growth:
      growth === undefined ? undefined : { clustersPerMonth: growth.clusters, seriesRatioPerMonth: growth.series },
    monitoring: hasMonitoring
      ? {
          job: monitoring?.job ?? "monitoring",
          scrapeIntervalMs: monitoring?.scrapeInterval ?? file.defaults.scrapeInterval,
          retentionMs: file.defaults.retention,
          externalLabels: monitoring?.externalLabels ?? defaultMonitoringLabels,
        }
      : undefined,
    deployment: file.deployment,
    twin: {
      basePort: file.twin.basePort,
      backfillMs: file.twin.backfill,
      retentionMs: file.twin.retention,
      historyMs: file.twin.history,
      historyIntervalMs: file.twin.historyInterval,
    },
    source,
  };
}

function regionNames(file: FleetFile, clustersOfRegion: ReadonlyMap<string, unknown>): readonly string[] {
  return [...(file.regions === undefined ? clustersOfRegion.keys() : Object.keys(file.regions))].sort(compareNames);
}

function policies({ policies }: FleetFile): FleetPolicies {
  const { clustersPerRegionMax, regionsPerQuerierMax, spreadReplicas, spreadZones, nodesLostMax } = policies;
  return {
    clustersPerRegionMax,
    regionsPerQuerierMax,
    spreadReplicas,
    spreadZones,
    reserve: { cpuMillicores: policies.reserve.cpu ?? 0, memoryBytes: policies.reserve.memory ?? 0 },
    headroomRatio: policies.headroom,
    nodesLostMax,
  };
}

function objectStorage({ objectStorage, roles }: FleetFile): FleetObjectStorage | undefined {
  if (objectStorage === undefined) return undefined;
  const { bucket, capacity, retention, endpoint, discovery, deduplicate, price } = objectStorage;
  return {
    kind: objectStorage.kind ?? (roles["object-store"] === undefined ? "external" : "seaweedfs"),
    bucket,
    capacityBytes: capacity,
    retention: { rawMs: retention.raw, fiveMinutesMs: retention["5m"], oneHourMs: retention["1h"] },
    endpoint,
    blockDiscovery: discovery,
    isDeduplicated: deduplicate,
    priceMicrosMonth: price,
  };
}

function staff({ staff }: FleetFile): FleetStaff | undefined {
  if (staff === undefined) return undefined;
  return { people: staff.people, peopleAlone: staff.peopleAlone ?? staff.people, priceMicrosMonth: staff.price };
}

const defaultMonitoringLabels = { cluster: "monitoring", replica: "${replica}" };

function cluster(name: string, number: number, file: FleetFile, { groupOf, regionOf }: Membership): FleetCluster {
  const group = groupOf.get(name) ?? "";
  const region = regionOf.get(name) ?? "";
  const settings = file.groups[group];
  if (settings === undefined) throw new Error(`cluster ${name} has no group`);
  const share = settings.series * file.twin.seriesScale;
  // A small cluster is still one: only nothing of nothing is nothing.
  const made = share > 0 ? Math.max(1, Math.round(share)) : 0;
  return {
    name,
    number,
    group,
    region,
    importance: settings.importance,
    externalLabels: expandLabels(file.externalLabels, { cluster: name, group, region, replica: "0" }),
    series: settings.series,
    churnPerHour: settings.churn ?? file.defaults.churn,
    prometheusReplicas: settings.prometheusReplicas ?? file.defaults.prometheusReplicas,
    ingest: settings.ingest ?? file.defaults.ingest,
    availability: settings.availability ?? file.defaults.availability,
    twinSeries: settings.twinSeries ?? made,
    scrapeIntervalMs: settings.scrapeInterval ?? file.defaults.scrapeInterval,
    retentionMs: settings.retention ?? file.defaults.retention,
    targets: settings.targets.map((target) => targetOf(target, name)),
  };
}

function targetOf({ job, url }: PlannedTarget, cluster: string): PlannedTarget {
  return { job, url: url.replaceAll("${cluster}", cluster) };
}

function role(key: RoleKey, file: FleetFile): readonly FleetRole[] {
  const settings = file.roles[key];
  if (settings === undefined) return [];
  const [kind, scope, tier] = roleKinds[key];
  const { replicas, cpu, memory, disk, tiers } = settings;
  const on = "on" in settings ? settings.on : undefined;
  return [
    {
      key,
      kind,
      scope,
      replicas,
      shards: "shards" in settings ? settings.shards : isDivided(kind) ? undefined : 1,
      concurrency: "concurrency" in settings ? settings.concurrency : undefined,
      cpuMillicores: cpu,
      memoryBytes: memory,
      diskBytes: disk,
      on,
      tiers: tiers === undefined ? [tier] : [...new Set(tiers)].sort(),
    },
  ];
}

/** Blocks may be too many for one of these. */
function isDivided(kind: RoleKind): boolean {
  return kind === "store-gateway" || kind === "compactor";
}

function byName<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record).sort(([a], [b]) => compareNames(a, b));
}

/** Names of nodes, groups, regions and the fleet itself: labels, file names and DNS names are made of them. */
function checkNames(tree: unknown, log: ProblemLog): void {
  const name = valueAt(tree, ["name"]);
  if (typeof name === "string") report(nameMismatch(name), ["name"], name, log.atValue.bind(log));
  for (const section of ["nodes", "groups", "regions"]) {
    const mapping = valueAt(tree, [section]);
    if (typeof mapping !== "object" || mapping === null || Array.isArray(mapping)) continue;
    const keys = Object.keys(mapping);
    if (keys.length === 0 || keys.length > nodesMax) {
      log.atValue([section], { code: "RANGE", expected: `1 to ${nodesMax} entries`, found: String(keys.length) });
    }
    for (const key of keys) {
      const names = section === "nodes" ? expandClusterNames(key) : undefined;
      const wrong = names === undefined ? nameMismatch(key) : names.ok ? undefined : names.failure;
      report(wrong, [section, key], key, log.atKey.bind(log));
    }
  }
}

function report(
  wrong: Mismatch | undefined,
  path: Path,
  text: string,
  at: (path: Path, finding: Mismatch & { readonly found: string }) => void,
): void {
  if (wrong !== undefined) at(path, { found: JSON.stringify(text.slice(0, 80)), ...wrong });
}

function checkLabels(file: FleetFile, log: ProblemLog): void {
  checkLabelScheme(file.externalLabels, clusterPlaceholders, ["externalLabels"], log);
  if (file.monitoring !== undefined) {
    checkLabelScheme(file.monitoring.externalLabels, ["replica"], ["monitoring", "externalLabels"], log);
  }
  const tellsReplicas = Object.entries(file.externalLabels).some(
    ([name, text]) => file.replicaLabels.includes(name) && text.includes("${replica}"),
  );
  for (const [group, { prometheusReplicas = file.defaults.prometheusReplicas }] of Object.entries(file.groups)) {
    if (prometheusReplicas === 1 || tellsReplicas) continue;
    log.atKey(["groups", group, "prometheusReplicas"], {
      code: "NO_REPLICA_LABEL",
      expected: `one of replicaLabels (${shortList(file.replicaLabels)}) among externalLabels, as \${replica}`,
      found: `none, and ${prometheusReplicas} replicas`,
      hint: `add ${file.replicaLabels[0] ?? "replica"}: \${replica}`,
    });
  }
  file.replicaLabels.forEach((name, i) => {
    report(labelNameMismatch(name), ["replicaLabels", i], name, log.atValue.bind(log));
  });
}

/** Deduplication takes series for the same where they differ only by replica labels: no two clusters may. */
function checkLabelCollisions(fleet: Fleet, log: ProblemLog): void {
  const seen = new Map<string, string>();
  for (const { name, externalLabels } of fleet.clusters) {
    const kept = Object.entries(externalLabels).filter(([label]) => !fleet.replicaLabels.includes(label));
    const key = JSON.stringify(kept);
    const other = seen.get(key);
    if (other !== undefined) {
      log.atKey(["externalLabels"], {
        code: "LABEL_COLLISION",
        expected: "external labels that tell clusters apart without the replica labels",
        found: `the same for ${other} and ${name}`,
        hint: "add cluster: ${cluster}",
      });
      return;
    }
    seen.set(key, name);
  }
}

/** Sections that roles need, and roles that sections need. */
function checkPresence({ roles, groups, defaults, objectStorage, monitoring }: FleetFile, log: ProblemLog): void {
  for (const key of roleKeys) {
    const settings = roles[key];
    if (settings === undefined) continue;
    if ("on" in settings && settings.on !== undefined && settings.tiers !== undefined) {
      log.atKey(["roles", key, "tiers"], {
        code: "KEY_CONFLICT",
        expected: "one of the keys on and tiers",
        found: "both",
        hint: "on pins replicas to nodes, tiers lets the planner choose",
      });
    }
  }
  for (const [group, { ingest }] of Object.entries(groups)) {
    if ((ingest ?? defaults.ingest) === "pull" || roles.receiver !== undefined) continue;
    log.atKey(["groups", group, "ingest"], {
      code: "KEY_MISSING",
      expected: 'the key "receiver" in roles',
      found: `none, and clusters of ${group} that push`,
      hint: "nobody would take what they write",
    });
  }
  const needsBucket = roleKeys.find((key) => roles[key] !== undefined && /store|compactor/.test(key));
  if (needsBucket !== undefined && objectStorage === undefined) {
    log.atKey(["roles", needsBucket], {
      code: "KEY_MISSING",
      expected: 'the key "objectStorage" in the file',
      found: `none, and the role ${needsBucket}`,
    });
  }
  if (objectStorage !== undefined && !/^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(objectStorage.bucket)) {
    log.atValue(["objectStorage", "bucket"], {
      code: "BUCKET_NAME",
      expected: "a bucket name of 3 to 63 characters: a-z, 0-9, '-' and single dots, a letter or digit at either end",
      found: JSON.stringify(objectStorage.bucket.slice(0, 80)),
    });
  }
  if (monitoring !== undefined && roles["monitoring-agent"] === undefined) {
    log.atKey(["monitoring"], {
      code: "KEY_MISSING",
      expected: 'the key "monitoring-agent" in roles',
      found: "none",
      hint: "nobody would scrape the job",
    });
  }
}

function checkTargets({ groups }: FleetFile, log: ProblemLog): void {
  for (const [group, { targets }] of Object.entries(groups)) {
    const seen = new Set<string>();
    targets.forEach(({ job, url }, i) => {
      const path = ["groups", group, "targets", i];
      const text = url.replaceAll("${cluster}", "cluster");
      const wrong = urlMismatch(text);
      if (wrong !== undefined) {
        // What is found may hold a password: the place shows enough.
        log.atValue([...path, "url"], wrong);
        return;
      }
      const { host } = new URL(text);
      const key = JSON.stringify([job, host]);
      if (seen.has(key)) {
        log.atValue(path, {
          code: "DUP_TARGET",
          expected: "targets that differ in job or address",
          found: `the job ${JSON.stringify(job)} and ${host} again`,
          hint: "series carry job and instance, not the path: give one of them another job",
        });
      }
      seen.add(key);
    });
  }
}

/** Compactors make points of five minutes from what is older than 40 h, and points of an hour from 10 d on. */
const leastKeptMs = { raw: 40 * 3_600_000, "5m": 10 * 86_400_000 } as const;

function checkBucketRetention({ objectStorage }: FleetFile, log: ProblemLog): void {
  for (const resolution of ["raw", "5m"] as const) {
    const keptMs = objectStorage?.retention[resolution];
    if (keptMs === undefined || keptMs >= leastKeptMs[resolution]) continue;
    log.atValue(["objectStorage", "retention", resolution], {
      code: "RETENTION_ORDER",
      expected: `at least ${formatDuration(leastKeptMs[resolution])}`,
      found: formatDuration(keptMs),
      hint: "the next resolution is made of samples of that age: they would be gone before",
    });
  }
}

function checkBackfill({ twin }: FleetFile, log: ProblemLog): void {
  if (twin.backfill <= twin.retention) return;
  log.atValue(["twin", "backfill"], {
    code: "RANGE",
    expected: `at most the twin's retention, ${formatDuration(twin.retention)}`,
    found: formatDuration(twin.backfill),
    hint: "what is older is dropped at once: raise twin.retention too",
  });
}

function urlMismatch(text: string): (Mismatch & { readonly found: string }) | undefined {
  const expected = "an http or https URL such as http://127.0.0.1:9100/metrics";
  const hint = "it starts with http:// or https://";
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return { code: "URL", expected, found: "no URL", hint };
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return { code: "URL", expected, found: `the scheme ${url.protocol.slice(0, -1)}`, hint };
  }
  if (url.username !== "" || url.password !== "") {
    return { code: "URL", expected: "a URL without credentials", found: "user or password in it" };
  }
  if (url.hash !== "") return { code: "URL", expected: "a URL without a fragment", found: "a # in it" };
  if (/^169\.254\.|^\[fe[89ab]/i.test(url.hostname)) {
    return {
      code: "URL",
      expected: "an address that may be scraped",
      found: url.hostname,
      hint: "link-local addresses serve credentials of machines",
    };
  }
  return undefined;
}
