/**
 * Whether what a cluster says of an object means that it runs as it was asked to: by generation, so that the state of what
 * was there before is not taken for the new one.
 */
import { objectKey, type KubernetesObject } from "./kubernetes-object.ts";

export type Readiness =
  | { readonly state: "ready" }
  | { readonly state: "waiting"; readonly why: string }
  | { readonly state: "failed"; readonly why: string }; // waiting longer changes nothing

/** An object as the API server gives it, as far as readiness is told from it. Numbers that are 0 are left out there. */
export interface LiveObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly generation?: number };
  readonly spec?: { readonly replicas?: number; readonly updateStrategy?: { readonly type?: string } };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
    readonly currentRevision?: string;
    readonly updateRevision?: string;
    readonly phase?: string;
    readonly conditions?: readonly Condition[];
  };
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
}

const ready: Readiness = { state: "ready" };
const waiting = (why: string): Readiness => ({ state: "waiting", why });

/** Conditions that must be true, by kind. */
const conditionsOf: Readonly<Record<string, readonly string[]>> = {
  Alertmanager: ["Reconciled", "Available"],
  Certificate: ["Ready"],
  ClusterIssuer: ["Ready"],
  CustomResourceDefinition: ["Established"],
  ExternalSecret: ["Ready"],
  Prometheus: ["Reconciled", "Available"],
};

const phasesOf: Readonly<Record<string, string>> = { Namespace: "Active", ObjectBucketClaim: "Bound" };

/** Whether an object of this kind begins to work some time after it was applied. */
export function isWaitedFor({ kind }: Pick<KubernetesObject, "kind">): boolean {
  return ["Deployment", "StatefulSet", "Job"].includes(kind) || kind in conditionsOf || kind in phasesOf;
}

export function readinessOf(live: LiveObject): Readiness {
  const { kind, metadata, status = {} } = live;
  if (kind === "Job") return jobReadiness(status.conditions ?? []);
  if (phasesOf[kind] !== undefined) {
    return status.phase === phasesOf[kind] ? ready : waiting(`phase ${status.phase ?? "unknown"}`);
  }
  const generation = metadata.generation ?? 0;
  const conditions = conditionsOf[kind];
  if (conditions !== undefined) return conditionReadiness(conditions, status.conditions ?? [], generation);
  if (kind !== "Deployment" && kind !== "StatefulSet") return ready;
  if ((status.observedGeneration ?? 0) < generation) return waiting("its controller has not seen it yet");
  return kind === "Deployment" ? deploymentReadiness(live) : statefulSetReadiness(live);
}

function deploymentReadiness({ spec, status = {} }: LiveObject): Readiness {
  const wanted = spec?.replicas ?? 1;
  const progress = status.conditions?.find(({ type }) => type === "Progressing");
  if (progress?.reason === "ProgressDeadlineExceeded") {
    return { state: "failed", why: progress.message ?? "its progress deadline is exceeded" };
  }
  const updated = status.updatedReplicas ?? 0;
  const available = status.availableReplicas ?? 0;
  if (updated < wanted) return waiting(`${updated} of ${wanted} replicas are updated`);
  const old = (status.replicas ?? 0) - updated;
  if (old > 0) return waiting(`${old} old replicas have not ended`);
  return available < updated ? waiting(`${available} of ${updated} replicas are available`) : ready;
}

function statefulSetReadiness({ spec, status = {} }: LiveObject): Readiness {
  const wanted = spec?.replicas ?? 1;
  const [replicas, updated] = [status.readyReplicas ?? 0, status.updatedReplicas ?? 0];
  if (replicas < wanted) return waiting(`${replicas} of ${wanted} replicas are ready`);
  if (spec?.updateStrategy?.type === "OnDelete") return ready;
  // The controller makes both one when the last replica is of the new revision.
  return status.currentRevision === status.updateRevision
    ? ready
    : waiting(`${updated} of ${wanted} replicas are updated`);
}

function jobReadiness(conditions: readonly Condition[]): Readiness {
  const isTrue = (name: string) => conditions.find(({ type, status }) => type === name && status === "True");
  const failed = isTrue("Failed");
  if (failed !== undefined) return { state: "failed", why: failed.message ?? failed.reason ?? "it failed" };
  return isTrue("Complete") === undefined ? waiting("it has not completed") : ready;
}

function conditionReadiness(
  wanted: readonly string[],
  conditions: readonly Condition[],
  generation: number,
): Readiness {
  for (const name of wanted) {
    const condition = conditions.find(({ type }) => type === name);
    if (condition === undefined) return waiting(`no condition ${name}: nobody looks after it yet`);
    if ((condition.observedGeneration ?? generation) < generation) return waiting(`${name} is told of an older one`);
    if (condition.status !== "True") {
      return waiting([`not ${name}`, condition.reason, condition.message].filter(Boolean).join(": "));
    }
  }
  return ready;
}

/** How messages and kubectl name an object: `deployment monitoring/query-frontend`. */
export function objectTitle(object: Pick<KubernetesObject, "apiVersion" | "kind" | "metadata">): string {
  return objectKey(object as KubernetesObject).replace(/^\S+ (\S+)/, (_, kind: string) => kind.toLowerCase());
}
