/** `pleiad cluster add | remove | move`: the fleet file changed by one cluster, and what that changes in a rendered folder. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { changeCluster, type ChangedFleetFile, type ClusterChange } from "@pleiad/fleet";
import { deploymentOf, renderFleet } from "@pleiad/manifests";
import type { Command } from "commander";
import { previousOption } from "../command-options.ts";
import { clusterSteps } from "../cluster-steps.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { loadFleet, resolveFleetFile } from "../fleet-input.ts";
import { loadOlderPlan, loadPlannedFleet } from "../previous-plan.ts";
import { settingsOfFolder, writeFolder, type FolderDifference } from "../rendered-folder.ts";

interface ClusterOptions {
  readonly fleet: string;
  readonly output?: string;
  readonly previous?: string; // an older plan
}

export function addClusterCommand(program: Command): void {
  const cluster = program.command("cluster").description("add, remove and move clusters of a fleet file");
  const command = (name: string, description: string, argument: string) =>
    cluster
      .command(name)
      .description(description)
      .argument("<name>", argument)
      .requiredOption("--fleet <file>", "that is changed; comments and all other lines stay")
      .option("-o, --output <folder>", "rendered before, brought up to date with the settings that it has")
      .addOption(previousOption);
  command("add", "take a cluster into the fleet", "of the new cluster")
    .requiredOption("--group <name>", "that it joins")
    .option("--region <name>", "that asks it; default: with room, rather where its group is")
    .action((name: string, options: ClusterOptions & { group: string; region?: string }) =>
      clusterCommand({ kind: "add", cluster: name, group: options.group, ...regionOf(options) }, options),
    );
  command("remove", "take a cluster out of the fleet", "of the cluster").action(
    (name: string, options: ClusterOptions) => clusterCommand({ kind: "remove", cluster: name }, options),
  );
  command("move", "let another region ask a cluster", "of the cluster")
    .requiredOption("--region <name>", "that asks it from now on")
    .action((name: string, options: ClusterOptions & { region: string }) =>
      clusterCommand({ kind: "move", cluster: name, region: options.region }, options),
    );
}

function regionOf({ region }: { readonly region?: string }) {
  return region === undefined ? {} : { region };
}

function clusterCommand(change: ClusterChange, { fleet: file, output, ...options }: ClusterOptions): void {
  loadFleet(file); // a file that is wrong in itself is told of as everywhere
  const previous = options.previous === undefined ? undefined : loadOlderPlan(options.previous);
  const { path, shown } = resolveFleetFile(file);
  const changed = changeCluster(readFileSync(path, "utf8"), shown, change, previous);
  if (!changed.ok) throw new CommandFailure(exitCodes.badInput, changed.failure.message);
  writeFileSync(`${path}.new`, changed.value.text);
  renameSync(`${path}.new`, path);
  const lines = [headline(change, shown, changed.value)];
  if (output !== undefined) {
    const settings = settingsOfFolder(output);
    const { fleet, plan } = loadPlannedFleet(file, options.previous);
    const tree = renderFleet(fleet, plan, settings);
    if (!tree.ok) throw new CommandFailure(exitCodes.badInput, tree.failure.message);
    const deployment = deploymentOf(fleet, plan, settings);
    if (!deployment.ok) throw new CommandFailure(exitCodes.badInput, deployment.failure.message);
    const difference = writeFolder(output, tree.value);
    const flags = `${shown} -o ${output}${options.previous === undefined ? "" : ` --previous ${options.previous}`}`;
    const steps = clusterSteps(change, { output, flags, deployment: deployment.value, difference });
    lines.push("", ...changesOf(difference), "", ...numbered(steps));
  }
  process.stdout.write(`${lines.join("\n")}\n`);
}

function headline(
  { kind, cluster }: ClusterChange,
  shown: string,
  { regionBefore, regionAfter }: ChangedFleetFile,
): string {
  if (kind === "add") return `${shown}: ${cluster} added, in region ${regionAfter}.`;
  if (kind === "remove") return `${shown}: ${cluster} removed from region ${regionBefore}.`;
  return `${shown}: ${cluster} moved from region ${regionBefore} to ${regionAfter}.`;
}

function changesOf({ added, changed, removed }: FolderDifference): readonly string[] {
  return [
    ...added.map((path) => `+ ${path}`),
    ...changed.map((path) => `~ ${path}`),
    ...removed.map((path) => `- ${path}`),
  ];
}

function numbered(steps: readonly string[]): readonly string[] {
  return steps.map((step, i) => `${i + 1}. ${step}`);
}
