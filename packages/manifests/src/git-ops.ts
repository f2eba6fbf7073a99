/** The folders as Applications of Argo CD: the monitoring cluster's in the order in which they are applied, one an app cluster. */
import type { Deployment } from "./deployment.ts";
import type { ApplicationSetObject } from "./kubernetes-object.ts";
import { commonLabels } from "./object-labels.ts";
import type { GitOpsSource } from "./render-settings.ts";

const namespace = "argocd";

/** Nothing where the rendered files are not kept in a repository. `folders` are the monitoring cluster's, first to last. */
export function applicationSets(deployment: Deployment, folders: readonly string[]): readonly ApplicationSetObject[] {
  const { plan, settings } = deployment;
  const { gitOps } = settings;
  if (gitOps === undefined) return [];
  return [
    applicationSet("pleiad-monitoring", gitOps, {
      elements: folders.map((folder, i) => ({ name: folder, path: `${gitOps.path}/${folder}`, wave: String(i) })),
      destination: { server: "https://kubernetes.default.svc" },
      // A wave begins when the one before it is healthy.
      strategy: folders.map((_, i) => String(i)),
    }),
    applicationSet("pleiad-app-clusters", gitOps, {
      elements: plan.clusters.map(({ name }) => ({ name, path: `${gitOps.path}/app-clusters/${name}` })),
      // Argo CD knows each app cluster by its name in the fleet file.
      destination: { name: "{{.name}}" },
      strategy: undefined,
    }),
  ];
}

interface Applications {
  readonly elements: readonly Readonly<Record<string, string>>[];
  readonly destination: Readonly<Record<string, string>>;
  readonly strategy: readonly string[] | undefined; // waves
}

function applicationSet(
  name: string,
  { repository, revision }: GitOpsSource,
  { elements, destination, strategy }: Applications,
): ApplicationSetObject {
  return {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "ApplicationSet",
    metadata: { name, namespace, labels: { ...commonLabels } },
    spec: {
      goTemplate: true,
      goTemplateOptions: ["missingkey=error"],
      generators: [{ list: { elements } }],
      ...(strategy === undefined
        ? {}
        : {
            strategy: {
              type: "RollingSync",
              rollingSync: {
                steps: strategy.map((wave) => ({
                  matchExpressions: [{ key: "pleiad/wave", operator: "In", values: [wave] }],
                })),
              },
            },
          }),
      // A cluster that leaves the list keeps what it runs until somebody takes it down.
      syncPolicy: { preserveResourcesOnDeletion: true },
      template: {
        metadata: {
          name: "pleiad-{{.name}}",
          labels: { ...commonLabels, ...(strategy === undefined ? {} : { "pleiad/wave": "{{.wave}}" }) },
        },
        spec: {
          project: "default",
          source: { repoURL: repository, targetRevision: revision, path: "{{.path}}" },
          destination,
          syncPolicy: {
            automated: { prune: true, selfHeal: true },
            syncOptions: ["ServerSideApply=true"],
          },
        },
      },
    },
  };
}
