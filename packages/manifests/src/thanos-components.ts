/** The components that run Thanos, each a function of the deployment and its workload. */
import {
  certificateObjects,
  certificateSecret,
  inClusterServerName,
  receiverHost,
  tlsFolder,
  tlsServerFlags,
  workloadCertificate,
} from "./certificates.ts";
import type { Deployment } from "./deployment.ts";
import { endpointFlags, endpointsFolder, endpointsName } from "./endpoints.ts";
import { ruleConfigMaps } from "./region-rules.ts";
import type { IConfigMap, KubernetesObject } from "./kubernetes-object.ts";
import { labelsOf, selectorOf } from "./object-labels.ts";
import { storageConfigFile, storageFolder, storageSecretOf, type BucketUse } from "./object-storage-config.ts";
import { thanosProbes, type IContainer, type IVolume } from "./pod.ts";
import { grpcPort, httpPort, memcachedPort, remoteWritePort } from "./ports.ts";
import { flagOf, thanosCommand, type FlagValues } from "./thanos-command.ts";
import type { ThanosComponent } from "./thanos-flags.ts";
import { workloadObjects, type WorkloadOptions } from "./workload-objects.ts";
import type { Workload } from "./workload.ts";
import { yamlOf } from "./yaml-text.ts";

const gibibyte = 2 ** 30;
const dataFolder = "/var/thanos";

/** Global, super-regional and regional alike: they differ by what they ask. */
export function querierObjects(deployment: Deployment, workload: Workload): readonly KubernetesObject[] {
  const { plan, fleet } = deployment;
  const flags: FlagValues = {
    ...listenFlags(deployment),
    // The same on every querier, so that a region asked directly shows each series once too.
    "query.replica-label": [...plan.replicaLabels],
    "deduplication.func": deduplicationOf(deployment),
    "query.partition-label": plan.queryMode === "distributed" ? ["region", "cluster"] : undefined,
    "query.mode": plan.queryMode === "distributed" && workload.kind === "global-querier" ? "distributed" : undefined,
    "query.promql-engine": plan.queryMode === "distributed" ? "thanos" : undefined,
    "query.max-concurrent": fleet.queryLoad.concurrentPerQuerierMax,
    "query.timeout": "2m",
    "store.response-timeout": "30s",
    ...requestLimits(workload, 0.5),
    "query.auto-downsampling": true,
    ...endpointFlags(deployment, workload),
  };
  return thanosObjects(deployment, workload, "query", flags, {
    mounts: [
      { name: "endpoints", mountPath: endpointsFolder, readOnly: true },
      { name: "tmp", mountPath: "/tmp" },
    ],
    volumes: [
      { name: "endpoints", configMap: { name: endpointsName(workload) } },
      { name: "tmp", emptyDir: { sizeLimit: "100Mi" } },
    ],
  });
}

/** Thanos has no "auto": its default, penalty, stands for it. Before 0.38 it has nothing else. */
function deduplicationOf({ plan: { deduplication }, thanos }: Deployment): string | undefined {
  const isKnown = flagOf(thanos, "query", "deduplication.func") !== undefined;
  return isKnown && deduplication !== "auto" ? deduplication : undefined;
}

export function queryFrontendObjects(deployment: Deployment, workload: Workload): readonly KubernetesObject[] {
  const config = {
    type: "MEMCACHED",
    config: {
      addresses: [`dnssrv+_${memcachedPort.name}._tcp.memcached.${deployment.settings.namespace}.svc.cluster.local`],
      max_item_size: "5MiB",
      max_async_concurrency: 20,
      expiration: "24h",
    },
  };
  const flags: FlagValues = {
    "http-address": `0.0.0.0:${httpPort.port}`,
    "query-frontend.downstream-url": serviceUrl(deployment, "global-querier"),
    "query-frontend.compress-responses": true,
    "query-frontend.log-queries-longer-than": "10s",
    "query-range.split-interval": "24h",
    "query-range.max-query-length": historyOf(deployment),
    "query-range.align-range-with-step": true,
    "query-range.max-query-parallelism": 14,
    "query-range.response-cache-max-freshness": "5m",
    "query-range.response-cache-config": yamlOf(config),
    "labels.split-interval": "24h",
    "labels.response-cache-config": yamlOf(config),
  };
  return thanosObjects(deployment, workload, "query-frontend", flags, {});
}

/** No question reaches further back than blocks are kept; undefined where they are kept forever. */
function historyOf({ storage }: Deployment): string | undefined {
  const keptMs = storage?.retention.oneHourMs;
  return keptMs === undefined ? undefined : `${Math.ceil(keptMs / 3_600_000)}h`;
}

/**
 * What one request may take of a role's memory: 2 KiB a series with its chunks' places, 16 bytes a sample. Above it the
 * request fails, and the role lives.
 */
function requestLimits({ roles }: Workload, share: number): FlagValues {
  const bytes = (roles[0]?.memoryBytes ?? 2 ** 30) * share;
  return {
    "store.limits.request-series": Math.floor(bytes / 2048),
    "store.limits.request-samples": Math.floor(bytes / 16),
  };
}

export function storeGatewayObjects(deployment: Deployment, workload: Workload): readonly KubernetesObject[] {
  const bytes = workload.roles[0]?.memoryBytes ?? 0;
  const flags: FlagValues = {
    ...listenFlags(deployment),
    "data-dir": dataFolder,
    "objstore.config-file": storageConfigFile,
    "selector.relabel-config-file": `${selectorFolder}/selector.yaml`,
    "index-cache-size": `${Math.max(250, Math.floor(bytes / 8 / 2 ** 20))}MB`,
    "chunk-pool-size": `${Math.max(500, Math.floor(bytes / 4 / 2 ** 20))}MB`,
    "block-discovery-strategy": deployment.storage?.blockDiscovery ?? "concurrent",
    "store.enable-index-header-lazy-reader": true,
    // Caches and pools have the rest.
    ...requestLimits(workload, 0.25),
    "ignore-deletion-marks-delay": "24h",
  };
  return [
    selectorConfigMap(deployment, workload, storeSelector(deployment, workload)),
    ...thanosObjects(deployment, workload, "store", flags, {
      mounts: [storageMount, selectorMount],
      volumes: [storageVolume("read"), selectorVolume(workload)],
      volume: { mountPath: dataFolder, bytes: diskOf(workload, 50 * gibibyte) },
    }),
  ];
}

export function compactorObjects(deployment: Deployment, workload: Workload): readonly KubernetesObject[] {
  const { storage, plan, fleet } = deployment;
  const role = fleet.roles.find(({ kind }) => kind === "compactor");
  const retention = (ms: number | undefined) => (ms === undefined ? "0d" : `${Math.ceil(ms / 86_400_000)}d`);
  const flags: FlagValues = {
    "http-address": `0.0.0.0:${httpPort.port}`,
    "data-dir": dataFolder,
    "objstore.config-file": storageConfigFile,
    "selector.relabel-config-file": `${selectorFolder}/selector.yaml`,
    wait: true,
    // Only the pause between two rounds; a round over tens of thousands of blocks takes longer than the default.
    "wait-interval": "30m",
    "compact.concurrency": role?.concurrency ?? Math.max(1, Math.floor((workload.roles[0]?.cpuMillicores ?? 0) / 1000)),
    "downsample.concurrency": 2,
    "retention.resolution-raw": retention(storage?.retention.rawMs),
    "retention.resolution-5m": retention(storage?.retention.fiveMinutesMs),
    "retention.resolution-1h": retention(storage?.retention.oneHourMs),
    "delete-delay": "48h",
    "block-discovery-strategy": storage?.blockDiscovery ?? "concurrent",
    "deduplication.replica-label": storage?.isDeduplicated === true ? [...plan.replicaLabels] : undefined,
    "deduplication.func": storage?.isDeduplicated === true ? "penalty" : undefined,
    "compact.enable-vertical-compaction": storage?.isDeduplicated === true ? true : undefined,
  };
  return [
    selectorConfigMap(deployment, workload, compactorSelector(workload)),
    ...thanosObjects(deployment, workload, "compact", flags, {
      mounts: [storageMount, selectorMount, { name: "tmp", mountPath: "/tmp" }],
      volumes: [storageVolume("compact"), selectorVolume(workload), { name: "tmp", emptyDir: { sizeLimit: "1Gi" } }],
      volume: { mountPath: dataFolder, bytes: diskOf(workload, 200 * gibibyte) },
      terminationGraceSeconds: 300,
    }),
  ];
}

export function rulerObjects(deployment: Deployment, workload: Workload): readonly KubernetesObject[] {
  const { settings } = deployment;
  const flags: FlagValues = {
    ...listenFlags(deployment),
    "data-dir": dataFolder,
    "rule-file": "/etc/thanos/rules/*.yaml",
    "eval-interval": "1m",
    query: [`dnssrv+_http._tcp.global-querier.${settings.namespace}.svc.cluster.local`],
    "alertmanagers.url": [`dnssrv+http://_http._tcp.alertmanager.${settings.namespace}.svc.cluster.local`],
    // Both rulers fire the same alerts: without this label Alertmanager sees that they are the same.
    label: ['ruler_replica="$(POD_NAME)"'],
    "alert.label-drop": ["ruler_replica"],
    "objstore.config-file": storageConfigFile,
    "tsdb.retention": "48h",
    "rule-concurrent-evaluation": 4,
  };
  return thanosObjects(deployment, workload, "rule", flags, {
    env: [{ name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
    mounts: [storageMount, { name: "rules", mountPath: "/etc/thanos/rules", readOnly: true }],
    volumes: [
      storageVolume("upload"),
      {
        name: "rules",
        projected: { sources: ruleConfigMaps(deployment).map((name) => ({ configMap: { name } })) },
      },
    ],
    volume: { mountPath: dataFolder, bytes: diskOf(workload, 20 * gibibyte) },
  });
}

export function receiverObjects(deployment: Deployment, workload: Workload): readonly KubernetesObject[] {
  const { plan } = deployment;
  const labels = workload.region === undefined ? [] : [`region="${workload.region}"`];
  const flags: FlagValues = {
    ...listenFlags(deployment),
    "remote-write.address": `0.0.0.0:${remoteWritePort.port}`,
    "remote-write.server-tls-cert": `${tlsFolder}/tls.crt`,
    "remote-write.server-tls-key": `${tlsFolder}/tls.key`,
    "remote-write.server-tls-client-ca": `${tlsFolder}/ca.crt`,
    // Receivers hand on to each other what the hashring says is another's.
    "remote-write.client-tls-secure":
      flagOf(deployment.thanos, "receive", "remote-write.client-tls-secure") === undefined ? undefined : true,
    "remote-write.client-tls-cert": `${tlsFolder}/tls.crt`,
    "remote-write.client-tls-key": `${tlsFolder}/tls.key`,
    "remote-write.client-tls-ca": `${tlsFolder}/ca.crt`,
    "remote-write.client-server-name": inClusterServerName,
    "tsdb.path": dataFolder,
    "tsdb.retention": "48h",
    label: [...labels, `${plan.replicaLabels[0] ?? "replica"}="$(POD_NAME)"`],
    "receive.hashrings-file": "/etc/thanos/hashring/hashrings.json",
    "receive.hashrings-algorithm": "ketama",
    "receive.local-endpoint": `$(POD_NAME).${workload.name}.${deployment.settings.namespace}.svc.cluster.local:${grpcPort.port}`,
    // The certificate says which cluster writes: no cluster can write as another.
    "receive.tenant-certificate-field": "commonName",
    "receive.tenant-label-name": "cluster",
    "receive.replication-factor": Math.min(workload.roles.length, 3) >= 3 ? 3 : 1,
    "objstore.config-file": storageConfigFile,
  };
  const endpoints = workload.roles.map(
    (_, i) =>
      `${workload.name}-${i}.${workload.name}.${deployment.settings.namespace}.svc.cluster.local:${grpcPort.port}`,
  );
  return [
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: {
        name: `hashring-${workload.name}`,
        namespace: deployment.settings.namespace,
        labels: labelsOf(workload),
      },
      data: { "hashrings.json": `${JSON.stringify([{ hashring: workload.name, endpoints }], undefined, 2)}\n` },
    },
    {
      // Clusters that push come in here; every one of them shows its certificate.
      apiVersion: "v1",
      kind: "Service",
      metadata: {
        name: `${workload.name}-public`,
        namespace: deployment.settings.namespace,
        labels: labelsOf(workload),
        annotations: { "external-dns.alpha.kubernetes.io/hostname": receiverHost(deployment, workload.region) },
      },
      spec: {
        type: "LoadBalancer",
        selector: selectorOf(workload),
        ports: [{ name: remoteWritePort.name, port: 443, targetPort: remoteWritePort.port }],
      },
    },
    ...thanosObjects(deployment, workload, "receive", flags, {
      env: [{ name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
      mounts: [storageMount, { name: "hashring", mountPath: "/etc/thanos/hashring", readOnly: true }],
      volumes: [storageVolume("upload"), { name: "hashring", configMap: { name: `hashring-${workload.name}` } }],
      volume: { mountPath: dataFolder, bytes: diskOf(workload, 100 * gibibyte) },
      terminationGraceSeconds: 300,
    }),
  ];
}

type Extras = Pick<WorkloadOptions, "env" | "mounts" | "volumes" | "volume" | "terminationGraceSeconds">;

/** What every Thanos component has: its command, probes, certificate and the objects around it. */
function thanosObjects(
  deployment: Deployment,
  workload: Workload,
  component: ThanosComponent,
  flags: FlagValues,
  extras: Extras,
): readonly KubernetesObject[] {
  const { images, plan } = deployment;
  const hasGrpc = "grpc-address" in flags;
  const mounts = [...(extras.mounts ?? []), ...(hasGrpc ? [tlsMount] : [])];
  const volumes = [...(extras.volumes ?? []), ...(hasGrpc ? [tlsVolume(workload)] : [])];
  return [
    ...workloadObjects(deployment, workload, {
      ...extras,
      version: plan.versions.thanos,
      image: images.thanos,
      args: thanosCommand(deployment.thanos, component, { ...logFlags, ...flags, "enable-auto-gomemlimit": true }),
      probes: thanosProbes,
      ...(mounts.length === 0 ? {} : { mounts }),
      volumes,
    }),
    ...(hasGrpc ? certificateObjects(deployment, workloadCertificate(deployment, workload)) : []),
  ];
}

const logFlags: FlagValues = { "log.level": "info", "log.format": "logfmt" };

function listenFlags(_deployment: Deployment): FlagValues {
  return {
    "grpc-address": `0.0.0.0:${grpcPort.port}`,
    "http-address": `0.0.0.0:${httpPort.port}`,
    ...tlsServerFlags,
  };
}

const tlsMount = { name: "tls", mountPath: tlsFolder, readOnly: true };
function tlsVolume(workload: Workload): IVolume {
  return { name: "tls", secret: { secretName: certificateSecret(workload) } };
}

const storageMount: NonNullable<IContainer["volumeMounts"]>[number] = {
  name: "objstore",
  mountPath: storageFolder,
  readOnly: true,
};
function storageVolume(use: BucketUse): IVolume {
  return { name: "objstore", secret: { secretName: storageSecretOf(use) } };
}

const selectorFolder = "/etc/thanos/selector";
const selectorMount = { name: "selector", mountPath: selectorFolder, readOnly: true };
function selectorVolume(workload: Workload): IVolume {
  return { name: "selector", configMap: { name: `selector-${workload.name}` } };
}

interface RelabelRule {
  readonly source_labels: readonly string[];
  readonly action: "keep" | "drop" | "hashmod";
  readonly regex?: string;
  readonly modulus?: number;
  readonly target_label?: string;
}

/** Blocks of its region and no other; of what has no region, the gateways of the whole fleet. Shards divide by block. */
function storeSelector({ plan }: Deployment, { region, shard }: Workload): readonly RelabelRule[] {
  const regions = plan.regions.map(({ name }) => name).join("|");
  const part: RelabelRule =
    region === undefined
      ? { source_labels: ["region"], action: "drop", regex: regions }
      : { source_labels: ["region"], action: "keep", regex: region };
  return [part, ...(shard === undefined ? [] : shardRules(["__block_id"], shard))];
}

/** A compactor's shard has whole clusters: blocks that are merged with each other are never divided. */
function compactorSelector({ shard }: Workload): readonly RelabelRule[] {
  return shard === undefined ? [] : shardRules(["cluster"], shard);
}

function shardRules(
  labels: readonly string[],
  shard: { readonly index: number; readonly count: number },
): RelabelRule[] {
  return [
    { source_labels: labels, action: "hashmod", modulus: shard.count, target_label: "shard" },
    { source_labels: ["shard"], action: "keep", regex: String(shard.index) },
  ];
}

function selectorConfigMap({ settings }: Deployment, workload: Workload, rules: readonly RelabelRule[]): IConfigMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: `selector-${workload.name}`, namespace: settings.namespace, labels: labelsOf(workload) },
    data: { "selector.yaml": yamlOf(rules) },
  };
}

function diskOf({ roles }: Workload, defaultBytes: number): number {
  return roles[0]?.diskBytes ?? defaultBytes;
}

export function serviceUrl({ settings }: Deployment, name: string, port = httpPort.port): string {
  return `http://${name}.${settings.namespace}.svc.cluster.local:${port}`;
}
