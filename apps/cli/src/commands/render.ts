/** `pleiad render [file] -o dir`: the plan as files for Kubernetes. */
import { defaultRenderSettings, renderFleet, type RenderSettings } from "@pleiad/manifests";
import { Option, type Command } from "commander";
import { collectValues, previousOption } from "../command-options.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { loadPlannedFleet } from "../previous-plan.ts";
import { settingsOfFolder, writeFolder } from "../rendered-folder.ts";

/** What is not given stays as the folder has it. */
interface RenderCommandOptions {
  readonly output: string;
  readonly namespace?: string;
  readonly storageClass?: string;
  readonly clusterAddress?: string;
  readonly publicDomain?: string;
  readonly monitoringCidr: readonly string[];
  readonly externalSecretStore?: string;
  readonly certificates?: RenderSettings["certificates"];
  readonly appClusters?: RenderSettings["appClusters"];
  readonly imageMirror?: string;
  readonly gitRepository?: string;
  readonly gitRevision?: string;
  readonly gitPath?: string;
  readonly previous?: string; // an older plan
}

const defaults = defaultRenderSettings;

export function addRenderCommand(program: Command): void {
  program
    .command("render")
    .description(
      "write what Kubernetes needs to run the plan with real Thanos; flags that are not given stay as they were",
    )
    .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
    .requiredOption("-o, --output <folder>", "folder of the rendered files")
    .option("--namespace <name>", `of everything but object storage; first: ${defaults.namespace}`)
    .option("--storage-class <name>", "of volumes; first, and with none: the cluster's own")
    .option(
      "--cluster-address <template>",
      `where an app cluster's sidecars are reached; first: ${defaults.clusterAddress}`,
    )
    .option("--public-domain <name>", `of what app clusters reach; first: ${defaults.publicDomain}`)
    .option("--monitoring-cidr <cidr>", "where the monitoring nodes come from; may be repeated", collectValues, [])
    .option(
      "--external-secret-store <name>",
      "this ClusterSecretStore fills Secrets; first, and with none: they are there",
    )
    .addOption(
      new Option("--certificates <source>", `of gRPC; first: ${defaults.certificates}`).choices([
        "cert-manager",
        "built-in",
      ]),
    )
    .addOption(
      new Option("--app-clusters <form>", `of their Prometheus; first: ${defaults.appClusters}`).choices([
        "operator",
        "kube-prometheus-stack",
      ]),
    )
    .option("--image-mirror <registry>", "takes the place of every image's registry; first, and with none: no mirror")
    .option(
      "--git-repository <url>",
      "where the folder is kept, for ApplicationSets of Argo CD; first, and with none: none",
    )
    .option("--git-revision <name>", "branch or tag of the repository; first: main")
    .option("--git-path <path>", "of the folder in the repository; first: deploy")
    .addOption(previousOption)
    .action((file: string | undefined, options: RenderCommandOptions) => renderCommand(file, options));
}

function renderCommand(file: string | undefined, options: RenderCommandOptions): void {
  const { fleet, plan } = loadPlannedFleet(file, options.previous);
  const tree = renderFleet(fleet, plan, changedSettings(settingsOfFolder(options.output), options));
  if (!tree.ok) throw new CommandFailure(exitCodes.badInput, tree.failure.message);
  const { added, changed, removed } = writeFolder(options.output, tree.value);
  const files = tree.value.size;
  process.stdout.write(
    `${options.output}: ${files} files, ${added.length} new, ${changed.length} changed, ${removed.length} removed.\n` +
      (added.length === files
        ? `\n${options.output}/README.md says what must be there first, and what is applied where in which order.\n`
        : ""),
  );
}

function changedSettings(before: RenderSettings, options: RenderCommandOptions): RenderSettings {
  const { clusterAddress = before.clusterAddress, externalSecretStore } = options;
  checkClusterAddress(clusterAddress);
  return {
    ...before,
    namespace: options.namespace ?? before.namespace,
    storageClass: changedName(options.storageClass, before.storageClass),
    clusterAddress,
    publicDomain: options.publicDomain ?? before.publicDomain,
    monitoringCidrs: options.monitoringCidr.length === 0 ? before.monitoringCidrs : options.monitoringCidr,
    secrets: changedSecrets(externalSecretStore, before.secrets),
    certificates: options.certificates ?? before.certificates,
    appClusters: options.appClusters ?? before.appClusters,
    imageMirror: changedName(options.imageMirror, before.imageMirror),
    gitOps: changedGitOps(options, before.gitOps),
  };
}

function checkClusterAddress(template: string): void {
  if (!/:\d{1,5}$/.test(template)) {
    throw new CommandFailure(exitCodes.badInput, `--cluster-address ${template}: ends in no port`);
  }
  if (!template.includes("${cluster}") || !template.includes("${replica}")) {
    throw new CommandFailure(
      exitCodes.badInput,
      `--cluster-address ${template}: holds no \${cluster} or no \${replica}, so several would have one address`,
    );
  }
}

/** `none` takes a setting back. */
function changedName(given: string | undefined, before: string | undefined): string | undefined {
  if (given === "none") return undefined;
  return given ?? before;
}

function changedSecrets(store: string | undefined, before: RenderSettings["secrets"]): RenderSettings["secrets"] {
  if (store === undefined) return before;
  return store === "none" ? { kind: "existing" } : { kind: "external-secrets", store };
}

function changedGitOps(
  { gitRepository, gitRevision, gitPath }: RenderCommandOptions,
  before: RenderSettings["gitOps"],
): RenderSettings["gitOps"] {
  const repository = changedName(gitRepository, before?.repository);
  if (repository !== undefined) {
    return {
      repository,
      revision: gitRevision ?? before?.revision ?? "main",
      path: gitPath ?? before?.path ?? "deploy",
    };
  }
  if (gitRevision === undefined && gitPath === undefined) return undefined;
  throw new CommandFailure(exitCodes.badInput, "--git-revision and --git-path want --git-repository beside them");
}
