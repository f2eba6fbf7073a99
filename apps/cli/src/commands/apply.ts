/** `pleiad apply [file] -o dir`: what was rendered, brought to the clusters wave by wave through kubectl. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { applySteps, deploymentOf, renderFleet, requiredSecrets, type ApplyStep } from "@pleiad/manifests";
import { parseDuration } from "@pleiad/model";
import { nodeClock } from "@pleiad/node-ports";
import { InvalidArgumentError, Option, type Command } from "commander";
import {
  emptyJournal,
  leftovers,
  readJournal,
  withEarlier,
  writeJournal,
  type AppliedFolder,
  type Leftover,
} from "../applied-journal.ts";
import { runApply, type ApplyReport, type ApplyTarget } from "../apply-run.ts";
import { contextsOf, type ContextOptions } from "../cluster-contexts.ts";
import { collectValues, previousOption } from "../command-options.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { loadPlannedFleet } from "../previous-plan.ts";
import { stillThere } from "../cluster-contents.ts";
import { kubectlProgram, type Kubectl } from "../kubectl.ts";
import { reachClusters } from "../reached-clusters.ts";
import { compareFolder, settingsOfFolder } from "../rendered-folder.ts";
import { selectSteps, type StepSelection } from "../step-selection.ts";
import { stopSignal } from "../stop-signal.ts";

/** What every command has that reaches clusters. */
export interface ClusterCommandOptions extends ContextOptions, StepSelection {
  readonly kubectl: string;
  readonly fieldManager: string;
  readonly parallel: number;
  readonly previous?: string; // an older plan
}

interface ApplyCommandOptions extends ClusterCommandOptions {
  readonly output: string;
  readonly dryRun?: "client" | "server";
  readonly forceConflicts: boolean;
  readonly resume: boolean;
  readonly timeout: number; // milliseconds
}

const pollMs = 2000;

export function addApplyCommand(program: Command): void {
  const command = program
    .command("apply")
    .description("bring what was rendered to the clusters, wave by wave, and wait until it runs")
    .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
    .requiredOption("-o, --output <folder>", "rendered from that file; Secrets of pleiad certs in it are applied too");
  addClusterOptions(command)
    .addOption(
      new Option(
        "--dry-run <side>",
        "client: say what would be applied where; server: let the API servers check it",
      ).choices(["client", "server"]),
    )
    .option("--force-conflicts", "take over fields that another manager owns", false)
    .option("--resume", "leave out what an earlier run applied and that is the same now", false)
    .option("--timeout <duration>", "until what a folder has must be ready", readSpan, 600_000)
    .action(async (file: string | undefined, options: ApplyCommandOptions) => await applyCommand(file, options));
}

/** How clusters are reached, which of them, and as whom. */
export function addClusterOptions(command: Command): Command {
  return command
    .option("--kubectl <program>", "that is run", "kubectl")
    .option("--context <name>", "of the monitoring cluster; default: kubectl's current one")
    .option("--context-template <text>", "contexts of app clusters, ${cluster} being the name", "${cluster}")
    .option("--context-of <cluster=context>", "of one app cluster; may be repeated", collectValues, [])
    .option("--only <folder>", "or wave: storage, global, regional, app-clusters; may be repeated", collectValues, [])
    .option("--except <folder>", "or wave, the same way", collectValues, [])
    .option("--field-manager <name>", "who owns the fields", "pleiad")
    .option("--parallel <number>", "app clusters at once", readParallel, 4)
    .addOption(previousOption);
}

async function applyCommand(file: string | undefined, options: ApplyCommandOptions): Promise<void> {
  const { output, dryRun } = options;
  const all = renderedSteps(file, options);
  const steps = selectSteps(all, options);
  const contextOf = contextsOf(
    steps.flatMap(({ cluster }) => cluster ?? []),
    options,
  );
  if (dryRun === "client") {
    process.stdout.write(`${steps.map((step) => stepLine(step, contextOf(step.cluster))).join("\n")}\n`);
    return;
  }
  const stop = stopSignal();
  const kubectl = kubectlProgram(options.kubectl);
  const clusters = [...new Set(steps.map(({ cluster }) => cluster))];
  const reached = await reachClusters(kubectl, clusters, contextOf, options, stop);
  const targets = steps.flatMap((step): readonly ApplyTarget[] => {
    const cluster = reached.get(step.cluster);
    return cluster === undefined ? [] : [{ step, ...cluster, secretText: secretText(output, step) }];
  });
  const before = readJournal(output);
  const journal = new Map(before);
  const report = await runApply(
    targets,
    {
      ...options,
      isDryRun: dryRun === "server",
      readyTimeoutMs: options.timeout,
      pollMs,
      resumeFrom: options.resume ? before : emptyJournal,
    },
    {
      kubectl,
      clock: nodeClock(),
      tell: (line) => process.stdout.write(`${line}\n`),
      remember: (folder, applied) => {
        journal.set(folder, { ...applied, objects: withEarlier(applied.objects, before.get(folder)) });
        writeJournal(output, journal);
      },
    },
    stop,
  );
  finish(report, file, options);
  if (dryRun === undefined) await tellLeftovers(kubectl, output, { journal, left: leftovers(before, all) }, stop);
}

/** The folder as steps; what is applied is what was looked at, so that one that is out of date is refused. */
export function renderedSteps(
  file: string | undefined,
  { output, previous }: { readonly output: string; readonly previous?: string },
): readonly ApplyStep[] {
  const { fleet, plan } = loadPlannedFleet(file, previous);
  const settings = settingsOfFolder(output);
  const tree = renderFleet(fleet, plan, settings);
  const deployment = deploymentOf(fleet, plan, settings);
  if (!tree.ok) throw new CommandFailure(exitCodes.badInput, tree.failure.message);
  if (!deployment.ok) throw new CommandFailure(exitCodes.badInput, deployment.failure.message);
  const { added, changed, removed } = compareFolder(output, tree.value);
  const differing = added.length + changed.length + removed.length;
  if (differing > 0) {
    throw new CommandFailure(
      exitCodes.findings,
      `${output}: ${differing} files are not what the fleet file says. pleiad diff shows which, pleiad render writes them.`,
    );
  }
  return applySteps(tree.value, requiredSecrets(deployment.value));
}

function finish({ ends }: ApplyReport, file: string | undefined, { output, dryRun }: ApplyCommandOptions): void {
  const lines: string[] = [];
  const failures = ends.flatMap(({ target, end }) => (end.kind === "failed" ? [{ target, why: end.why }] : []));
  for (const { target, why } of failures) lines.push("", `${target.step.folder}, in ${target.context}:`, indented(why));
  const left = ends.filter(({ end }) => end.kind !== "applied" && end.kind !== "unchanged");
  const isWhole = left.length === 0;
  if (!isWhole) {
    const done = ends.length - left.length;
    const again = `pleiad apply ${file === undefined ? "" : `${file} `}-o ${output} --resume`;
    lines.push(
      "",
      `${failures.length === 0 ? "Stopped" : "Failed"}: ${done} of ${ends.length} folders are done. Not done: ${listed(left.map(({ target }) => target.step.folder))}.`,
      ...(dryRun === undefined ? [`Once that is put right, with the same flags: ${again}`] : []),
    );
  }
  if (lines.length > 0) process.stdout.write(`${lines.join("\n")}\n`);
  if (!isWhole) process.exitCode = exitCodes.failed;
}

/** Objects that nobody renders any more, as far as they are still there; those that are not are forgotten. */
async function tellLeftovers(
  kubectl: Kubectl,
  output: string,
  { journal, left }: { readonly journal: Map<string, AppliedFolder>; readonly left: readonly Leftover[] },
  signal: AbortSignal,
): Promise<void> {
  for (const { folder, context, keys } of left) {
    if (signal.aborted) return;
    const there = await stillThere({ kubectl, context }, keys, signal);
    if (!there.ok) continue; // told again by the next run
    const gone = new Set(keys.filter((key) => !there.value.includes(key)));
    const entry = journal.get(folder);
    if (entry === undefined) continue;
    journal.set(folder, { ...entry, objects: entry.objects.filter((key) => !gone.has(key)) });
    if (there.value.length === 0) continue;
    const lines = [`No longer rendered, and still in ${context}: delete what you do not want to keep.`, ...there.value];
    process.stdout.write(`\n${lines.join("\n  ")}\n`);
  }
  if (left.length > 0) writeJournal(output, journal);
}

/** What `pleiad certs` wrote for the cluster of a step that has a place for it. */
export function secretText(output: string, { cluster, secrets }: ApplyStep): string | undefined {
  if (!secrets.some(({ filledBy }) => filledBy === "pleiad certs")) return undefined;
  const path = join(output, "secrets", cluster === undefined ? "monitoring.yaml" : `app-clusters/${cluster}.yaml`);
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

function stepLine({ wave, folder, foundation, objects }: ApplyStep, context: string | undefined): string {
  const kinds = [...Map.groupBy([...foundation, ...objects], ({ kind }) => kind)].map(
    ([kind, all]) => `${all.length} ${kind}`,
  );
  return `${wave}: ${folder} to ${context ?? "the current context"}: ${kinds.join(", ")}`;
}

const foldersMax = 10;

function listed(folders: readonly string[]): string {
  const more = folders.length > foldersMax ? ` and ${folders.length - foldersMax} more` : "";
  return `${folders.slice(0, foldersMax).join(", ")}${more}`;
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, "  ");
}

function readSpan(text: string): number {
  const span = parseDuration(text);
  if (!span.ok || span.value <= 0) throw new InvalidArgumentError("expected a duration such as 10m");
  return span.value;
}

const parallelMax = 64;

function readParallel(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= parallelMax) return count;
  throw new InvalidArgumentError(`expected a number from 1 to ${parallelMax}`);
}
