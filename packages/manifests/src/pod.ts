/**
 * Pods as all components have them: the strictest pod security that Kubernetes knows ("restricted"), requests that are
 * limits, probes, and replicas that never share a node where the plan spreads them.
 */
import type { IPodSpec } from "kubernetes-models/v1/PodSpec";
import type { IContainer } from "kubernetes-models/v1/Container";
import type { IVolume } from "kubernetes-models/v1/Volume";
import type { IPodTemplateSpec } from "kubernetes-models/v1/PodTemplateSpec";
import { labelsOf, selectorOf } from "./object-labels.ts";
import { httpPort, portsOf } from "./ports.ts";
import type { Workload } from "./workload.ts";

export type { IContainer, IVolume };

/** What differs from component to component. */
export interface WorkloadPod {
  readonly version: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args: readonly string[];
  readonly env?: IContainer["env"];
  readonly mounts?: NonNullable<IContainer["volumeMounts"]>;
  readonly volumes?: readonly IVolume[];
  readonly probes: Probes | undefined;
  readonly userId?: number;
  readonly terminationGraceSeconds?: number;
  readonly sidecars?: readonly IContainer[];
}

export interface Probes {
  readonly port: number;
  readonly livePath: string;
  readonly readyPath: string;
}

export const thanosProbes: Probes = { port: httpPort.port, livePath: "/-/healthy", readyPath: "/-/ready" };
const nobody = 65534;

/** The pod of a workload; what one replica gets is what the plan says. */
export function podOf(workload: Workload, options: WorkloadPod): IPodTemplateSpec {
  const { version, image, command, args, env, mounts, volumes, probes, userId = nobody } = options;
  const container: IContainer = {
    name: workload.kind,
    image,
    ...(command === undefined ? {} : { command: [...command] }),
    args: [...args],
    ...(env === undefined ? {} : { env }),
    ports: portsOf(workload.kind).map(({ name, port }) => ({ name, containerPort: port })),
    ...(mounts === undefined ? {} : { volumeMounts: mounts }),
    ...(probes === undefined ? {} : probeFields(probes)),
    resources: resourcesOf(workload),
    securityContext: containerSecurity,
  };
  const spec: IPodSpec = {
    serviceAccountName: workload.name,
    automountServiceAccountToken: false,
    priorityClassName: priorityOf(workload),
    securityContext: podSecurity(userId),
    affinity: affinityOf(workload),
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: "topology.kubernetes.io/zone",
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: selectorOf(workload) },
      },
    ],
    terminationGracePeriodSeconds: options.terminationGraceSeconds ?? 120,
    containers: [container, ...(options.sidecars ?? [])],
    ...(volumes === undefined || volumes.length === 0 ? {} : { volumes: [...volumes] }),
  };
  return { metadata: { labels: labelsOf(workload, version) }, spec };
}

/** Requests are limits: what the plan adds up is what the scheduler counts, and no pod is killed for another's sake. */
export function resourcesOf({ roles }: Workload): NonNullable<IContainer["resources"]> {
  const cpu = Math.max(...roles.map((role) => role.cpuMillicores));
  const memory = Math.max(...roles.map((role) => role.memoryBytes));
  const amounts = { cpu: `${cpu}m`, memory: `${Math.ceil(memory / 2 ** 20)}Mi` };
  return { requests: amounts, limits: { memory: amounts.memory } };
}

export const containerSecurity: NonNullable<IContainer["securityContext"]> = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};

export function podSecurity(userId: number): NonNullable<IPodSpec["securityContext"]> {
  return {
    runAsNonRoot: true,
    runAsUser: userId,
    runAsGroup: userId,
    fsGroup: userId,
    seccompProfile: { type: "RuntimeDefault" },
  };
}

function probeFields({ port, livePath, readyPath }: Probes): Pick<IContainer, "livenessProbe" | "readinessProbe"> {
  return {
    livenessProbe: { httpGet: { path: livePath, port }, periodSeconds: 30, failureThreshold: 8 },
    readinessProbe: { httpGet: { path: readyPath, port }, periodSeconds: 5, failureThreshold: 20 },
  };
}

/** What alerts must live when a node is full; caches and dashboards may wait. */
export const priorities = {
  "pleiad-alerting": 1_000_000,
  "pleiad-serving": 900_000,
  "pleiad-background": 800_000,
} as const;

function priorityOf({ kind }: Workload): keyof typeof priorities {
  switch (kind) {
    case "alertmanager":
    case "ruler":
    case "monitoring-agent":
    case "receiver":
    case "object-store":
      return "pleiad-alerting";
    case "compactor":
    case "grafana":
    case "object-store-console":
      return "pleiad-background";
    default:
      return "pleiad-serving";
  }
}

/** Nodes by their label `tier`. */
export function onTiers(tiers: readonly string[]) {
  return {
    nodeSelectorTerms: [{ matchExpressions: [{ key: "tier", operator: "In" as const, values: [...tiers] }] }],
  };
}

/**
 * Only nodes of the plan's tiers, there first those that the plan chose; replicas on different nodes where the plan has
 * them on different nodes.
 */
function affinityOf(workload: Workload): NonNullable<IPodSpec["affinity"]> {
  const together = { labelSelector: { matchLabels: selectorOf(workload) }, topologyKey: "kubernetes.io/hostname" };
  return {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: onTiers(workload.tiers),
      preferredDuringSchedulingIgnoredDuringExecution: [
        {
          weight: 100,
          preference: {
            matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [...workload.nodes] }],
          },
        },
      ],
    },
    ...(workload.roles.length < 2
      ? {}
      : {
          podAntiAffinity:
            workload.nodes.length === workload.roles.length
              ? { requiredDuringSchedulingIgnoredDuringExecution: [together] }
              : { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: together }] },
        }),
  };
}
