/** `pleiad diff [file] -o dir`: how a rendered folder differs from the fleet file, or clusters from the folder. */
import { renderFleet, type ApplyStep } from "@pleiad/manifests";
import type { Command } from "commander";
import { contextsOf } from "../cluster-contexts.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { loadPlannedFleet } from "../previous-plan.ts";
import { kubectlProgram, type Kubectl } from "../kubectl.ts";
import { clusterDifference } from "../live-difference.ts";
import { reachClusters, type ReachedContext } from "../reached-clusters.ts";
import { compareFolder, settingsOfFolder } from "../rendered-folder.ts";
import { selectSteps } from "../step-selection.ts";
import { stopSignal } from "../stop-signal.ts";
import { workAtOnce } from "../work-at-once.ts";
import { addClusterOptions, renderedSteps, secretText, type ClusterCommandOptions } from "./apply.ts";

interface DiffCommandOptions extends ClusterCommandOptions {
  readonly output: string;
  readonly live: boolean;
}

export function addDiffCommand(program: Command): void {
  const command = program
    .command("diff")
    .description("say how a rendered folder differs from the fleet file; exit code 3 where it does")
    .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
    .requiredOption("-o, --output <folder>", "folder of the rendered files")
    .option("--live", "say instead what applying the folder would change in the clusters", false);
  addClusterOptions(command).action(async (file: string | undefined, options: DiffCommandOptions) =>
    options.live ? await liveDiff(file, options) : folderDiff(file, options),
  );
}

function folderDiff(file: string | undefined, { output, previous }: DiffCommandOptions): void {
  const { fleet, plan } = loadPlannedFleet(file, previous);
  const tree = renderFleet(fleet, plan, settingsOfFolder(output));
  if (!tree.ok) throw new CommandFailure(exitCodes.badInput, tree.failure.message);
  const { added, changed, removed } = compareFolder(output, tree.value);
  const lines = [
    ...added.map((path) => `+ ${path}`),
    ...changed.map((path) => `~ ${path}`),
    ...removed.map((path) => `- ${path}`),
  ];
  process.stdout.write(lines.length === 0 ? `${output}: nothing differs.\n` : `${lines.join("\n")}\n`);
  if (lines.length > 0) process.exitCode = exitCodes.findings;
}

async function liveDiff(file: string | undefined, options: DiffCommandOptions): Promise<void> {
  const steps = selectSteps(renderedSteps(file, options), options);
  const clusters = [...new Set(steps.map(({ cluster }) => cluster))];
  const contextOf = contextsOf(
    clusters.flatMap((cluster) => cluster ?? []),
    options,
  );
  const stop = stopSignal();
  const kubectl = kubectlProgram(options.kubectl);
  const reached = await reachClusters(kubectl, clusters, contextOf, options, stop);
  const told = await differences(kubectl, steps, reached, options, stop);
  const failures = told.flatMap(({ step, failure }) => (failure === undefined ? [] : [`${step.folder}: ${failure}`]));
  for (const { step, text } of told) {
    if (text !== "") process.stdout.write(`# ${step.folder}, in ${reached.get(step.cluster)?.context}\n${text}`);
  }
  if (stop.aborted) throw new CommandFailure(exitCodes.failed, "stopped before all clusters were asked");
  if (failures.length > 0) throw new CommandFailure(exitCodes.failed, failures.join("\n"));
  const differing = told.filter(({ text }) => text !== "").length;
  if (differing === 0) process.stdout.write(`${steps.length} folders: nothing differs.\n`);
  else process.exitCode = exitCodes.findings;
}

interface ToldDifference {
  readonly step: ApplyStep;
  readonly text: string;
  readonly failure?: string;
}

/** In the order of the steps. */
async function differences(
  kubectl: Kubectl,
  steps: readonly ApplyStep[],
  reached: ReadonlyMap<string | undefined, ReachedContext>,
  options: DiffCommandOptions,
  signal: AbortSignal,
): Promise<readonly ToldDifference[]> {
  const told = new Map<ApplyStep, ToldDifference>();
  await workAtOnce(steps, options.parallel, async (step) => {
    const cluster = reached.get(step.cluster);
    if (cluster === undefined || signal.aborted) return;
    const secrets = secretText(options.output, step);
    const text = await clusterDifference({ kubectl, ...cluster }, step, secrets, options.fieldManager, signal);
    told.set(step, text.ok ? { step, text: text.value } : { step, text: "", failure: text.failure });
  });
  return steps.flatMap((step) => told.get(step) ?? []);
}
