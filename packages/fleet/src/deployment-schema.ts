/**
 * The section `deployment`: how a fleet is deployed where somebody else than Pleiad wrote the manifests. Nothing of it
 * changes the plan; it is what findings judge. Left out, the deployment is taken for what Pleiad itself writes.
 */
import * as z from "zod";

const text = z.string().min(1).max(500);
const flagList = z.array(text).max(100);
const workload = z.enum(["stateful-set", "deployment", "deployment-per-replica"]);

/** What has flags and a workload of its own: the roles that run Thanos, and the sidecar of every cluster. */
export const deployedComponents = [
  "sidecar",
  "query-frontend",
  "global-querier",
  "regional-querier",
  "global-store-gateway",
  "regional-store-gateway",
  "compactor",
  "ruler",
] as const;
export type DeployedComponent = (typeof deployedComponents)[number];

/** Of each component that the file names, one `item`. */
function perComponent<T extends z.ZodType>(item: T) {
  const optional = item.optional();
  return z
    .strictObject({
      sidecar: optional,
      "query-frontend": optional,
      "global-querier": optional,
      "regional-querier": optional,
      "global-store-gateway": optional,
      "regional-store-gateway": optional,
      compactor: optional,
      ruler: optional,
    } satisfies Record<DeployedComponent, typeof optional>)
    .prefault({});
}

export const deploymentSchema = z.strictObject({
  /** Command line flags; a component that is not named has those that Pleiad writes. */
  flags: perComponent(flagList),
  workloads: perComponent(workload),
  controlPlane: z.array(text).min(1).max(16).optional(),
  /** Whether every Service that an address names exists. */
  services: z.enum(["defined", "assumed"]).default("defined"),
  sidecars: z
    .strictObject({
      objectStorageConfig: z.enum(["existing-secret", "name-and-key"]).default("existing-secret"),
      exposure: z.enum(["load-balancer", "ingress", "leaf-querier", "none"]).default("load-balancer"),
      tls: z.enum(["mutual", "none"]).default("mutual"),
    })
    .prefault({}),
  endpointFiles: z
    .strictObject({
      written: text.default("endpoints-${region}"), // ConfigMap that is generated
      mounted: text.default("endpoints-${region}"), // ConfigMap that queriers mount
      hashSuffix: z.boolean().default(false),
      format: z.enum(["endpoint-sd", "file-sd", "literals"]).default("endpoint-sd"),
    })
    .prefault({}),
  storeSelectors: z.enum(["region", "block-hash", "none"]).default("region"),
  objectStorage: z
    .strictObject({
      image: text.optional(),
      credentials: z.enum(["per-cluster", "shared-root"]).default("per-cluster"),
      volume: z.enum(["persistent", "host-path"]).default("persistent"),
    })
    .prefault({}),
  chart: z
    .strictObject({
      includeCrds: z.boolean().default(true),
      namespace: z.boolean().default(true), // given, rather than helm's own
      subcharts: z.enum(["disabled", "beside-own"]).default("disabled"),
    })
    .prefault({}),
  grafanaDatabase: z.enum(["shared", "sqlite"]).default("shared"),
  volumeReplicas: z.int().min(1).max(5).default(1), // of the storage class that caches are on
  memoryRequests: z.enum(["limits", "half-of-limits"]).default("limits"),
  /** Names of metrics that the deployment's alerts, dashboards and checks read. */
  metrics: z.array(text).max(1000).default([]),
});

/** Every key with its default filled in. */
export type FleetDeployment = z.output<typeof deploymentSchema>;
