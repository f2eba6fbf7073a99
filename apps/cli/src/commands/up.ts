/** `pleiad up [file]`: runs the whole hierarchy of a fleet on this machine until it is told to stop. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plan } from "@pleiad/fleet";
import { formatDuration } from "@pleiad/model";
import { runsInTwin, startTwin, type Twin, type TwinProgress } from "@pleiad/twin";
import { Listr } from "listr2";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { loadPlan } from "../fleet-input.ts";
import { Option, type Command } from "commander";
import { readHistorySpan, stateOption } from "../command-options.ts";

interface UpCommandOptions {
  readonly state: string;
  readonly history?: number; // milliseconds, in place of the file's
  readonly logLevel: "debug" | "info" | "warn" | "error";
}

const consoleDirectory = fileURLToPath(new URL("../../../console/dist", import.meta.url));
const stopGraceMs = 5000;

export function addUpCommand(program: Command): void {
  program
    .command("up")
    .description("run the whole hierarchy of a fleet on this machine, until Ctrl-C")
    .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
    .addOption(stateOption)
    .addOption(
      new Option("--log-level <level>", "of the log files").choices(["debug", "info", "warn", "error"]).default("info"),
    )
    .option("--history <span>", "made-up time before the first start, such as 14d; 0 for none", readHistorySpan)
    .action(async (file: string | undefined, options: UpCommandOptions) => await upCommand(file, options));
}

async function upCommand(file: string | undefined, options: UpCommandOptions): Promise<void> {
  const plan = loadPlan(file, options.history === undefined ? {} : { historyMs: options.history });
  if (plan.twin.refusal !== undefined) {
    throw new CommandFailure(exitCodes.badInput, `this fleet does not fit one machine: ${plan.twin.refusal}`);
  }
  if (!existsSync(join(consoleDirectory, "index.html"))) {
    throw new CommandFailure(
      exitCodes.failed,
      "the console is not built; run npm start once, or node scripts/setup.mjs run",
    );
  }
  const startedMs = performance.now();
  const { totals } = plan;
  process.stdout.write(
    `Pleiad: fleet ${plan.fleet}, ${plan.nodes.length} monitoring nodes, ${totals.clusters} clusters in ${plan.regions.length} regions\n\n`,
  );

  const stop = new AbortController();
  const stopped = new Promise<string>((resolve) => {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(name, () => {
        if (stop.signal.aborted && name === "SIGINT") process.exit(130);
        stop.abort(new Error("stopped"));
        resolve(name);
      });
    }
  });

  const twin = await startWithProgress(plan, options, stop.signal);
  if (stop.signal.aborted && twin === undefined) return;
  if (twin === undefined) throw new CommandFailure(exitCodes.failed, "the twin did not start");
  process.stdout.write(describe(plan, twin, performance.now() - startedMs));
  const watches = [watchRestarts(twin), watchHistory(twin)];
  await stopped;
  for (const watch of watches) clearInterval(watch);
  process.stdout.write("\nStopping …\n");
  await twin.stop(stopGraceMs);
  process.stdout.write("Stopped. Its state is kept; the next start continues from it.\n");
}

async function startWithProgress(
  plan: Plan,
  options: UpCommandOptions,
  signal: AbortSignal,
): Promise<Twin | undefined> {
  const stages = [
    stage("Processes"),
    stage("Clusters with their past"),
    stage("Clusters that answer through both tiers"),
  ];
  const onProgress = (progress: TwinProgress) => {
    stages[0]?.set(progress.processesReady, progress.processes);
    stages[1]?.set(progress.clustersFilled, progress.clusters);
    stages[2]?.set(progress.clustersAnswering, progress.clusters);
  };
  const starting = startTwin(
    {
      plan,
      stateDirectory: options.state,
      consoleDirectory,
      logLevel: options.logLevel,
      onProgress,
    },
    signal,
  );
  const view = new Listr(
    stages.map((one) => ({
      title: one.title,
      task: async (_: unknown, task: { title: string; skip(message: string): void }) => {
        one.onChange = (title) => {
          task.title = title;
        };
        if (!(await one.complete)) task.skip("not reached");
      },
    })),
    {
      concurrent: true,
      rendererOptions: { collapseSubtasks: false },
      fallbackRendererCondition: () => !process.stdout.isTTY,
    },
  );
  const shown = view.run();
  const result = await starting;
  for (const one of stages) one.end(result.ok);
  await shown;
  if (result.ok) return result.value;
  if (signal.aborted) {
    process.stdout.write("Stopped while starting.\n");
    return undefined;
  }
  throw new CommandFailure(exitCodes.failed, result.failure);
}

interface Stage {
  readonly title: string;
  readonly complete: Promise<boolean>; // false: it never was
  onChange(title: string): void;
  set(done: number, total: number): void;
  /** Nothing more comes: a stage that is not complete has failed unless all went well. */
  end(allWell: boolean): void;
}

function stage(title: string): Stage {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const one: Stage = {
    title,
    complete: promise,
    onChange: () => {},
    set: (done, total) => {
      one.onChange(`${title} ${done}/${total}`);
      if (done >= total) resolve(true);
    },
    end: resolve,
  };
  return one;
}

function describe(plan: Plan, twin: Twin, tookMs: number): string {
  const lines = [
    "",
    `Up in ${(tookMs / 1000).toFixed(1)} s.`,
    "",
    `  Console   ${twin.consoleUrl}`,
    ...twin.apiUrls.map(
      (url, i) => `  ${i === 0 ? "API    " : "       "}   ${url}   (Prometheus HTTP API, global querier ${i})`,
    ),
    ...twin.frontendUrls.map((url, i) => `            ${url}   (Prometheus HTTP API, query frontend ${i})`),
    `  Data      ${twin.dataDirectory}`,
    `  Logs      ${twin.logDirectory}`,
    "",
    "  npm run pleiad -- query 'count by (region) (up == 1)'",
    `  curl '${twin.consoleUrl}/api/v1/query?query=up'`,
    "",
  ];
  if (twin.planChanges.length > 0) {
    lines.push("  The plan is not that of the last start:", ...twin.planChanges.map((change) => `  - ${change}`), "");
  }
  const planned = plan.roles.filter((role) => !runsInTwin(role, plan)).length;
  if (planned > 0) lines.push(`  ${planned} planned roles do not run in the twin yet; the console shows which.`, "");
  lines.push("Ctrl-C stops everything.", "");
  return lines.join("\n");
}

const historyLines = 4;

/** Says how far the history is: when it begins, at each quarter, and when it is whole. */
function watchHistory(twin: Twin): NodeJS.Timeout {
  const startedMs = performance.now();
  let quarters = 0;
  let isBegun = false;
  const watch = setInterval(() => {
    const history = twin.history();
    if (history === undefined) return clearInterval(watch);
    const { blocks, blocksDone, spanMs, isWhole } = history;
    const span = formatDuration(spanMs);
    if (isWhole) {
      const tookSeconds = ((performance.now() - startedMs) / 1000).toFixed(0);
      if (blocks > 0) process.stdout.write(`History  ${span} is whole: ${blocks} blocks in ${tookSeconds} s\n`);
      return clearInterval(watch);
    }
    if (blocks === 0) return;
    if (!isBegun) process.stdout.write(`History  ${span} of it comes in the background, ${blocks} blocks\n`);
    isBegun = true;
    const reached = Math.floor((blocksDone / blocks) * historyLines);
    if (reached > quarters && reached < historyLines) {
      process.stdout.write(
        `History  ${Math.floor((blocksDone / blocks) * 100)} %, ${blocksDone} of ${blocks} blocks\n`,
      );
    }
    quarters = reached;
  }, 500);
  return watch;
}

/** Says what crashed and came back, one line each. */
function watchRestarts(twin: Twin): NodeJS.Timeout {
  const seen = new Map<string, string>();
  return setInterval(() => {
    for (const { name, state, lastEnd, restarts } of twin.status()) {
      const now = `${state} ${restarts}`;
      const before = seen.get(name) ?? "running 0";
      if (now !== before && state === "restarting")
        process.stdout.write(`${name} ${lastEnd ?? "ended"}; starting it again\n`);
      if (now !== before && state === "running" && restarts > 0) process.stdout.write(`${name} runs again\n`);
      seen.set(name, now);
    }
  }, 500);
}
