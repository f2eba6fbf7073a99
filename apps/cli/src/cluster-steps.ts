/** What is done where, and in which order, once a cluster came to a fleet, left it, or moved within it. */
import type { ClusterChange } from "@pleiad/fleet";
import { bucketKeySteps, clusterPrincipal, type Deployment } from "@pleiad/manifests";
import type { FolderDifference } from "./rendered-folder.ts";

export interface ChangedFolder {
  readonly output: string; // the rendered folder
  readonly flags: string; // fleet file and folder, as `pleiad apply` takes them
  readonly deployment: Deployment; // after the change
  readonly difference: FolderDifference;
}

/** A line a step. A new cluster answers before it is asked, and one that goes is no longer asked before it is gone. */
export function clusterSteps({ kind, cluster }: ClusterChange, changed: ChangedFolder): readonly string[] {
  const { output, flags, deployment, difference } = changed;
  const own = `app-clusters/${cluster}`;
  const monitoring = monitoringSteps(changed);
  const apply = `pleiad apply ${flags} --only ${own}`;
  switch (kind) {
    case "add":
      return [
        `pleiad certs ${flags}`,
        ...bucketKeySteps(deployment, clusterPrincipal(cluster), output),
        `in ${cluster}: the Secrets that ${output}/README.md lists, with those keys`,
        apply,
        ...(deployment.settings.appClusters === "operator"
          ? []
          : [`in ${cluster}: helm with ${output}/${own}/values.yaml`]),
        ...monitoring,
      ];
    case "move":
      return [apply, ...monitoring];
    case "remove": {
      const files = difference.removed.filter((path) => path.startsWith(`${own}/`)).length;
      return [
        ...monitoring,
        `in ${cluster}: delete what ${own} had (${files} files, in the history of the folder); its history stays in the bucket`,
        `in ${cluster} and the monitoring cluster: take back the keys of its bucket and certificate`,
      ];
    }
    default:
      return kind satisfies never;
  }
}

/** The folders of the monitoring cluster that changed, each by itself: a fault in one region ends there. */
function monitoringSteps({ flags, output, difference }: ChangedFolder): readonly string[] {
  const folders = new Set(
    [...difference.added, ...difference.changed, ...difference.removed].flatMap((path) => {
      const [, folder] = /^(s3|global|regional-[^/]+|argo-cd)\//.exec(path) ?? [];
      return folder ?? [];
    }),
  );
  return [...folders]
    .sort()
    .map((folder) =>
      folder === "argo-cd"
        ? `where Argo CD runs: kubectl apply --server-side -k ${output}/argo-cd`
        : `pleiad apply ${flags} --only ${folder}`,
    );
}
