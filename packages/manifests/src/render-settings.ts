/** What a fleet file does not say and Kubernetes has to be told: names, addresses, and who keeps the secrets. */

import * as z from "zod";
import { fail, ok, type Result } from "@pleiad/model";
import { parse } from "yaml";
import { yamlOf } from "./yaml-text.ts";

/** Stands in the rendered folder, so that the next run needs no flags. */
export const settingsFile = "render-settings.yaml";

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

const settingsSchema = z.strictObject({
  namespace: z.string(),
  storageNamespace: z.string(),
  storageClass: z.string().nullable(),
  clusterAddress: z.string(),
  publicDomain: z.string(),
  monitoringCidrs: z.array(z.string()),
  secrets: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("existing") }),
    z.strictObject({ kind: z.literal("external-secrets"), store: z.string() }),
  ]),
  certificates: z.enum(["cert-manager", "built-in"]),
  appClusters: z.enum(["operator", "kube-prometheus-stack"]),
  imageMirror: z.string().nullable(),
  gitOps: z.strictObject({ repository: z.string(), revision: z.string(), path: z.string() }).nullable(),
});

export function formatRenderSettings(settings: RenderSettings): string {
  const { storageClass, imageMirror, gitOps, ...others } = settings;
  const all = { ...others, storageClass, imageMirror, gitOps };
  // In one order, however the settings were put together; YAML has no `undefined`.
  const entries = Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1));
  return `# What the files of this folder were rendered with.\n${yamlOf(Object.fromEntries(entries.map(([name, value]) => [name, value ?? null])))}`;
}

/** The settings of a folder that was rendered before. */
export function readRenderSettings(text: string): Result<RenderSettings, { readonly message: string }> {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    return fail({ message: String(error) });
  }
  const read = settingsSchema.safeParse(value);
  if (!read.success) return fail({ message: z.prettifyError(read.error) });
  const { storageClass, imageMirror, gitOps, ...settings } = read.data;
  return ok({
    ...settings,
    storageClass: storageClass ?? undefined,
    imageMirror: imageMirror ?? undefined,
    gitOps: gitOps ?? undefined,
  });
}
