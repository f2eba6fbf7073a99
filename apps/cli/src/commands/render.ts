/** `pleiad render [file] -o dir` and `pleiad diff [file] -o dir`: the plan as files for Kubernetes. */
import { defaultRenderSettings, renderFleet, type RenderedTree, type RenderSettings } from "@pleiad/manifests";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { loadFleet, planOf } from "../fleet-input.ts";
import { compareFolder, writeFolder } from "../rendered-folder.ts";
import { Option, type Command } from "commander";
import { collectValues } from "../command-options.ts";

interface RenderCommandOptions {
  readonly output: string;
  readonly namespace: string;
  readonly storageClass?: string;
  readonly clusterAddress: string;
  readonly publicDomain: string;
  readonly monitoringCidr: readonly string[];
  readonly externalSecretStore?: string;
  readonly certificates: RenderSettings["certificates"];
  readonly appClusters: RenderSettings["appClusters"];
  readonly imageMirror?: string;
  readonly gitRepository?: string;
  readonly gitRevision: string;
  readonly gitPath: string;
}

export function addRenderCommand(program: Command): void {
  renderingCommand(program, "render", "write what Kubernetes needs to run the plan with real Thanos").action(
    (file: string | undefined, options: RenderCommandOptions) => renderCommand(file, options),
  );
}

export function addDiffCommand(program: Command): void {
  renderingCommand(
    program,
    "diff",
    "say how a rendered folder differs from the fleet file; exit code 3 where it does",
  ).action((file: string | undefined, options: RenderCommandOptions) => renderDiffCommand(file, options));
}

function renderingCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
    .requiredOption("-o, --output <folder>", "folder of the rendered files")
    .option("--namespace <name>", "of everything but object storage", defaultRenderSettings.namespace)
    .option("--storage-class <name>", "of volumes; default: the cluster's own")
    .option(
      "--cluster-address <template>",
      "where an app cluster's sidecars are reached",
      defaultRenderSettings.clusterAddress,
    )
    .option("--public-domain <name>", "of what app clusters reach", defaultRenderSettings.publicDomain)
    .option("--monitoring-cidr <cidr>", "where the monitoring nodes come from; may be repeated", collectValues, [])
    .option(
      "--external-secret-store <name>",
      "Secrets are filled from this ClusterSecretStore; default: they are there",
    )
    .addOption(
      new Option("--certificates <source>", "of gRPC").choices(["cert-manager", "built-in"]).default("cert-manager"),
    )
    .addOption(
      new Option("--app-clusters <form>", "of their Prometheus")
        .choices(["operator", "kube-prometheus-stack"])
        .default("operator"),
    )
    .option("--image-mirror <registry>", "takes the place of every image's registry")
    .option("--git-repository <url>", "where the folder is kept, for ApplicationSets of Argo CD; default: none")
    .option("--git-revision <name>", "branch or tag of the repository", "main")
    .option("--git-path <path>", "of the folder in the repository", "deploy");
}

function renderCommand(file: string | undefined, options: RenderCommandOptions): void {
  const tree = renderedTree(file, options);
  const { added, changed, removed } = writeFolder(options.output, tree);
  const objects = [...tree.keys()].length;
  process.stdout.write(
    `${options.output}: ${objects} files, ${added.length} new, ${changed.length} changed, ${removed.length} removed.\n` +
      (added.length === objects
        ? `\n${options.output}/README.md says what must be there first, and what is applied where in which order.\n`
        : ""),
  );
}

/** Ends with code 3 where the folder is not what would be rendered. */
function renderDiffCommand(file: string | undefined, options: RenderCommandOptions): void {
  const { added, changed, removed } = compareFolder(options.output, renderedTree(file, options));
  const lines = [
    ...added.map((path) => `+ ${path}`),
    ...changed.map((path) => `~ ${path}`),
    ...removed.map((path) => `- ${path}`),
  ];
  process.stdout.write(lines.length === 0 ? `${options.output}: nothing differs.\n` : `${lines.join("\n")}\n`);
  if (lines.length > 0) process.exitCode = exitCodes.findings;
}

function renderedTree(file: string | undefined, options: RenderCommandOptions): RenderedTree {
  const fleet = loadFleet(file);
  const tree = renderFleet(fleet, planOf(fleet), settingsOf(options));
  if (!tree.ok) throw new CommandFailure(exitCodes.badInput, tree.failure.message);
  return tree.value;
}

function settingsOf(options: RenderCommandOptions): RenderSettings {
  if (!/:\d{1,5}$/.test(options.clusterAddress)) {
    throw new CommandFailure(exitCodes.badInput, `--cluster-address ${options.clusterAddress}: ends in no port`);
  }
  if (!options.clusterAddress.includes("${cluster}") || !options.clusterAddress.includes("${replica}")) {
    throw new CommandFailure(
      exitCodes.badInput,
      `--cluster-address ${options.clusterAddress}: holds no \${cluster} or no \${replica}, so several would have one address`,
    );
  }
  return {
    ...defaultRenderSettings,
    namespace: options.namespace,
    storageClass: options.storageClass,
    clusterAddress: options.clusterAddress,
    publicDomain: options.publicDomain,
    monitoringCidrs:
      options.monitoringCidr.length === 0 ? defaultRenderSettings.monitoringCidrs : options.monitoringCidr,
    secrets:
      options.externalSecretStore === undefined
        ? { kind: "existing" }
        : { kind: "external-secrets", store: options.externalSecretStore },
    certificates: options.certificates,
    appClusters: options.appClusters,
    imageMirror: options.imageMirror,
    gitOps:
      options.gitRepository === undefined
        ? undefined
        : { repository: options.gitRepository, revision: options.gitRevision, path: options.gitPath },
  };
}
