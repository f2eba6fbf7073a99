/** README.md of the rendered folder: what has to be there first, and what is applied where in which order. */
import type { Deployment } from "./deployment.ts";
import { requiredSecrets, type RequiredSecret } from "./required-secrets.ts";

export function folderReadme(deployment: Deployment, folders: readonly string[]): string {
  const { plan, settings } = deployment;
  const secrets = requiredSecrets(deployment);
  const ofMonitoring = secrets.filter(({ cluster }) => cluster === undefined);
  const [first] = plan.clusters;
  const ofCluster = secrets.filter(({ cluster }) => cluster === first?.name);
  const isChart = settings.appClusters === "kube-prometheus-stack";
  return [
    `# The fleet ${plan.fleet}`,
    "",
    "Rendered by `pleiad render`: change the fleet file, not these files.",
    "",
    "## What has to be there first",
    "",
    "The custom resources of prometheus-operator" +
      (settings.certificates === "cert-manager" ? ", cert-manager" : "") +
      (settings.secrets.kind === "external-secrets" ? ", External Secrets" : "") +
      " in every cluster. The labels of the monitoring nodes:",
    "",
    "```sh",
    ...plan.nodes.map(
      ({ name, labels }) =>
        `kubectl label node ${name} ${Object.entries(labels)
          .map(([label, value]) => `${label}=${value}`)
          .join(" ")}`,
    ),
    "```",
    "",
    "Secrets of the monitoring cluster:",
    "",
    ...secretTable(ofMonitoring),
    "",
    "Secrets of each app cluster:",
    "",
    ...secretTable(ofCluster),
    "",
    "## The order",
    "",
    "`pleiad apply` brings all but the Secrets that you make to the clusters in this order, and waits for each. By hand:",
    "",
    "1. The Secrets above, in the namespaces that they name.",
    ...folders.map((folder, i) => `${i + 2}. \`kubectl apply --server-side -k ${folder}\` in the monitoring cluster.`),
    `${folders.length + 2}. Each folder below \`app-clusters\` in the cluster of that name: \`kubectl --context CLUSTER apply --server-side -k app-clusters/CLUSTER\`${isChart ? ", then helm with its `values.yaml`" : ""}.`,
    "",
    "`images.txt` lists every image, for a mirror. `render-settings.yaml` keeps the settings, for the next run.",
    "",
  ].join("\n");
}

function secretTable(secrets: readonly RequiredSecret[]): readonly string[] {
  return [
    "| namespace | name | keys | filled by | what |",
    "| --- | --- | --- | --- | --- |",
    ...secrets.map(
      ({ namespace, name, keys, filledBy, content }) =>
        `| ${namespace} | ${name} | ${keys.join(", ")} | ${filledBy} | ${content} |`,
    ),
  ];
}
