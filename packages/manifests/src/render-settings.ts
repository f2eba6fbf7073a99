/** What a fleet file does not say and Kubernetes has to be told: names, addresses, and who keeps the secrets. */

export interface RenderSettings {
  readonly namespace: string; // of everything but object storage
  readonly storageNamespace: string;
  readonly storageClass: string | undefined; // of volumes that must outlive their node; undefined = the cluster's default
  /**
   * Where the sidecar or receiver of an app cluster is reached from the monitoring nodes: `${cluster}` and `${replica}`
   * are filled in.
   */
  readonly clusterAddress: string;
  /** Where app clusters reach object storage and receivers: hosts below this domain. */
  readonly publicDomain: string;
  /** From where the monitoring nodes come, as app clusters see them. */
  readonly monitoringCidrs: readonly string[];
  readonly secrets: SecretSource;
  readonly certificates: "cert-manager" | "built-in";
  /** How an app cluster gets its Prometheus: a custom resource of the operator, or values of the chart that is there. */
  readonly appClusters: "operator" | "kube-prometheus-stack";
  /** Registry that images are taken from in place of their own, for those without a way out. */
  readonly imageMirror: string | undefined;
  /** Where the rendered files are kept, for Argo CD; undefined = no ApplicationSets. */
  readonly gitOps: GitOpsSource | undefined;
}

export type SecretSource =
  /** Secrets are there already; their names and keys are listed in the folder's README. */
  | { readonly kind: "existing" }
  /** External Secrets fills them from this ClusterSecretStore. */
  | { readonly kind: "external-secrets"; readonly store: string };

export interface GitOpsSource {
  readonly repository: string;
  readonly revision: string;
  readonly path: string; // of the rendered folder in the repository
}

export const defaultRenderSettings: RenderSettings = {
  namespace: "monitoring",
  storageNamespace: "storage",
  storageClass: undefined,
  clusterAddress: "prometheus-${replica}.${cluster}.clusters.internal:10901",
  publicDomain: "monitoring.internal",
  monitoringCidrs: ["10.0.0.0/8"],
  secrets: { kind: "existing" },
  certificates: "cert-manager",
  appClusters: "operator",
  imageMirror: undefined,
  gitOps: undefined,
};
