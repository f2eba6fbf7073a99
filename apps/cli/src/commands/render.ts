/** `pleiad render [file] -o dir` and `pleiad diff [file] -o dir`: the plan as files for Kubernetes. */
import { defaultRenderSettings, renderFleet, type RenderedTree, type RenderSettings } from "@pleiad/manifests";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { loadFleet, planOf } from "../fleet-input.ts";
import { compareFolder, writeFolder } from "../rendered-folder.ts";

export interface RenderCommandOptions {
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

export function renderCommand(file: string | undefined, options: RenderCommandOptions): void {
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
export function renderDiffCommand(file: string | undefined, options: RenderCommandOptions): void {
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
