/** Kubernetes objects as plain data. Their types forbid unknown fields where they are written; schemas check them again. */
import type { IPrometheus } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/Prometheus";
import type { IPodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor";
import type { IPrometheusRule } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule";
import type { IServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor";
import type { IAlertmanager } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/Alertmanager";
import type { IDeployment } from "kubernetes-models/apps/v1/Deployment";
import type { IStatefulSet } from "kubernetes-models/apps/v1/StatefulSet";
import type { IJob } from "kubernetes-models/batch/v1/Job";
import type { INetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import type { IPodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import type { IRole } from "kubernetes-models/rbac.authorization.k8s.io/v1/Role";
import type { IRoleBinding } from "kubernetes-models/rbac.authorization.k8s.io/v1/RoleBinding";
import type { IClusterRole } from "kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRole";
import type { IClusterRoleBinding } from "kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRoleBinding";
import type { IPriorityClass } from "kubernetes-models/scheduling.k8s.io/v1/PriorityClass";
import type { IConfigMap } from "kubernetes-models/v1/ConfigMap";
import type { INamespace } from "kubernetes-models/v1/Namespace";
import type { ISecret } from "kubernetes-models/v1/Secret";
import type { IService } from "kubernetes-models/v1/Service";
import type { IServiceAccount } from "kubernetes-models/v1/ServiceAccount";

/** A Certificate or Issuer of cert-manager 1.x, as far as Pleiad writes it. */
export interface CertManagerObject {
  apiVersion: "cert-manager.io/v1";
  kind: "Certificate" | "Issuer" | "ClusterIssuer";
  metadata: ObjectName;
  spec: Record<string, unknown>;
}

/** An ExternalSecret of External Secrets: fills a Secret from a store outside the cluster. */
export interface ExternalSecretObject {
  apiVersion: "external-secrets.io/v1";
  kind: "ExternalSecret";
  metadata: ObjectName;
  spec: Record<string, unknown>;
}

/** A bucket that a Rook operator makes. */
export interface BucketClaimObject {
  apiVersion: "objectbucket.io/v1alpha1";
  kind: "ObjectBucketClaim";
  metadata: ObjectName;
  spec: { bucketName: string; storageClassName: string };
}

/** One object a cluster or folder, made by Argo CD from a list. */
export interface ApplicationSetObject {
  apiVersion: "argoproj.io/v1alpha1";
  kind: "ApplicationSet";
  metadata: ObjectName;
  spec: Record<string, unknown>;
}

export interface ObjectName {
  name: string;
  namespace?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export type KubernetesObject =
  | IAlertmanager
  | IClusterRole
  | IClusterRoleBinding
  | IConfigMap
  | IDeployment
  | IJob
  | INamespace
  | INetworkPolicy
  | IPodDisruptionBudget
  | IPodMonitor
  | IPriorityClass
  | IPrometheus
  | IPrometheusRule
  | IRole
  | IRoleBinding
  | ISecret
  | IService
  | IServiceAccount
  | IServiceMonitor
  | IStatefulSet
  | ApplicationSetObject
  | BucketClaimObject
  | CertManagerObject
  | ExternalSecretObject;

export type {
  IConfigMap,
  IDeployment,
  INetworkPolicy,
  IPodDisruptionBudget,
  IPrometheus,
  ISecret,
  IService,
  IStatefulSet,
};

/** What tells an object apart from all others of a cluster: `apps/v1 Deployment monitoring/regional-querier-a1`. */
export function objectKey({ apiVersion, kind, metadata }: KubernetesObject): string {
  const name = metadata?.name ?? "";
  return `${apiVersion} ${kind} ${metadata?.namespace === undefined ? name : `${metadata.namespace}/${name}`}`;
}
