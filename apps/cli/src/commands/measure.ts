/** `pleiad measure [fleet]`: what the capacity model says of the running twin, beside what the twin does. */
import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { join, resolve } from "node:path";
import { createBlockLister } from "@pleiad/blocks";
import { formatAmount } from "@pleiad/capacity";
import type { Fleet, Plan } from "@pleiad/fleet";
import { parseDuration } from "@pleiad/model";
import { createBucket } from "@pleiad/objstore";
import { readRunningTwin, runsInTwin, type RunningTwin } from "@pleiad/twin";
import { InvalidArgumentError, type Command } from "commander";
import { bucketSizes, type BucketSizes } from "../block-sizes.ts";
import { stateOption } from "../command-options.ts";
import { commandPorts } from "../command-ports.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { loadFleet, planOf } from "../fleet-input.ts";
import { readMetricsPage, type MetricsPage } from "../metrics-page.ts";
import { bucketConfigOf } from "../object-storage-input.ts";
import { formatTable, left, right } from "../table.ts";
import {
  compareTwin,
  measuredText,
  type ComparedFigure,
  type TwinComparison,
  type TwinPages,
} from "../twin-measurement.ts";

interface MeasureCommandOptions {
  readonly state: string;
  readonly for: number;
  readonly json: boolean;
  readonly output?: string;
}

const windowMsMin = 10_000;
const windowMsMax = 86_400_000;
const pageTimeoutMs = 10_000;
const never = new AbortController().signal;

const readWindow = (text: string) => {
  const span = parseDuration(text);
  if (span.ok && span.value >= windowMsMin && span.value <= windowMsMax) return span.value;
  throw new InvalidArgumentError("expected a duration from 10s to 1d, such as 2m");
};

export function addMeasureCommand(program: Command): void {
  program
    .command("measure")
    .description("set the capacity model's figures beside those of the running twin")
    .argument("[fleet]", "fleet file that the twin runs; default: fleets/seven-nodes.yaml")
    .addOption(stateOption)
    .option("--for <duration>", "between the two looks that rates are made of", readWindow, 120_000)
    .option("--json", "print it as data", false)
    .option("-o, --output <file>", "write what was measured for pleiad plan --measured")
    .action(async (file: string | undefined, options: MeasureCommandOptions) => await measureCommand(file, options));
}

async function measureCommand(file: string | undefined, options: MeasureCommandOptions): Promise<void> {
  const fleet = loadFleet(file);
  const plan = planOf(fleet);
  const running = runningTwinOf(plan, options.state);
  const before = await readPages(plan);
  await sleep(options.for);
  const after = await readPages(plan);
  const reading = {
    before,
    after,
    residentBytes: await residentBytes(plan, running, after),
    bucket: await readBucket(fleet, plan, options.state),
  };
  const comparison = compareTwin(fleet, plan, reading);
  if (options.output !== undefined) writeFileSync(options.output, measuredText(comparison, plan.fleet));
  process.stdout.write(options.json ? comparisonData(comparison) : comparisonText(comparison));
}

function runningTwinOf(plan: Plan, state: string): RunningTwin {
  const running = readRunningTwin(state);
  if (running === undefined) {
    throw new CommandFailure(exitCodes.failed, `no twin runs on ${state}; start one with pleiad up --state ${state}`);
  }
  if (running.fleet !== plan.fleet || running.consoleUrl !== `http://127.0.0.1:${plan.twin.consolePort}`) {
    throw new CommandFailure(
      exitCodes.badInput,
      `the twin on ${state} runs fleet ${running.fleet} with its console at ${running.consoleUrl}; name its fleet file`,
    );
  }
  return running;
}

/** Where the public pages are, by the id of a role or the name of a process of clusters. */
function pageUrls(plan: Plan): ReadonlyMap<string, string> {
  const listening = [
    ...plan.roles.filter((role) => runsInTwin(role, plan)).map(({ id, httpPort }) => [id, httpPort] as const),
    ...plan.twin.clusterProcesses.map(({ name, httpPort }) => [name, httpPort] as const),
  ];
  return new Map(
    listening.flatMap(([name, port]) => (port === undefined ? [] : [[name, `http://127.0.0.1:${port}`] as const])),
  );
}

/** All pages or a failure: a role that does not answer would make every sum too small. */
async function readPages(plan: Plan): Promise<TwinPages> {
  const pages = await Promise.all(
    [...pageUrls(plan)].map(async ([name, url]) => [name, await readPage(name, `${url}/metrics`)] as const),
  );
  return { takenMs: Date.now(), pages: new Map(pages) };
}

async function readPage(name: string, url: string): Promise<MetricsPage> {
  let bytes: Uint8Array;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(pageTimeoutMs) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(exitCodes.failed, `${name} does not show its metrics at ${url}: ${reason}`);
  }
  const page = readMetricsPage(bytes);
  if (!page.ok) throw new CommandFailure(exitCodes.failed, `${name}: ${url}: ${page.failure}`);
  return page.value;
}

/** The most of the last hour, as the monitoring job saw it; what the process says now where nobody looks. */
async function residentBytes(plan: Plan, running: RunningTwin, now: TwinPages): Promise<ReadonlyMap<string, number>> {
  const seen = await peakByInstance(running);
  const urls = pageUrls(plan);
  const peakOf = (pageName: string) => {
    const seenBytes = seen.get(urls.get(pageName)?.replace("http://", "") ?? "") ?? 0;
    return Math.max(seenBytes, now.pages.get(pageName)?.sum("process_resident_memory_bytes") ?? 0);
  };
  const nodes = plan.nodes.flatMap(({ name, roles }) => {
    const pages = roles.filter((role) => now.pages.has(role));
    return pages.length === 0 ? [] : [[name, Math.max(...pages.map(peakOf))] as const];
  });
  return new Map([...nodes, ...plan.twin.clusterProcesses.map(({ name }) => [name, peakOf(name)] as const)]);
}

async function peakByInstance({ apiUrls }: RunningTwin): Promise<ReadonlyMap<string, number>> {
  const [url] = apiUrls;
  if (url === undefined) return new Map();
  const query = "max by (instance) (max_over_time(process_resident_memory_bytes[1h]))";
  const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query }).toString()}`, {
    signal: AbortSignal.timeout(pageTimeoutMs),
  });
  if (!response.ok) throw new CommandFailure(exitCodes.failed, `${url} answers with status ${response.status}`);
  const answer = (await response.json()) as {
    readonly data: { readonly result: readonly { metric: Record<string, string>; value: [number, string] }[] };
  };
  return new Map(answer.data.result.map(({ metric, value }) => [metric["instance"] ?? "", Number(value[1])]));
}

/** The bucket as the twin's object store has it on disk. */
async function readBucket({ name }: Fleet, plan: Plan, state: string): Promise<BucketSizes | undefined> {
  const store = plan.roles.find((role) => role.kind === "object-store" && runsInTwin(role, plan));
  if (store === undefined || plan.objectStorage === undefined) return undefined;
  const directory = join(resolve(state), "fleets", name, "roles", store.id, "buckets", plan.objectStorage.bucket);
  if (!existsSync(directory)) return undefined;
  const bucket = createBucket(bucketConfigOf({ type: "FILESYSTEM", config: { directory } }, directory), commandPorts());
  const listing = await createBlockLister(bucket).refresh(never);
  if (!listing.ok) throw new CommandFailure(exitCodes.failed, listing.failure.message);
  const blocks = [...listing.value.blocks.values()].map(({ meta, marks }) => ({
    meta,
    isMarked: marks.has("deletion"),
  }));
  return bucketSizes(blocks, new Set(plan.clusters.map((cluster) => cluster.name)));
}

function comparisonText({ windowSeconds, given, figures }: TwinComparison): string {
  const table = formatTable(
    [left("FIGURE"), left("OF"), right("PREDICTED"), right("MEASURED"), right("ERROR")],
    figures.map((one) => [
      one.figure,
      one.scope,
      formatAmount(one.predicted, one.unit),
      formatAmount(one.measured, one.unit),
      errorText(one),
    ]),
  );
  const load = [...given].map(([name, value]) => `  ${name}: ${Number(value.toPrecision(4))}\n`).join("");
  return `${table}
Rates are those of ${Math.round(windowSeconds)} s. Roles that share a process share its memory: the sum of theirs, with what each
takes before it has work counted once, stands against the most that the process had in an hour.
The model was given the load that the twin had:
${load}`;
}

/** `+12 %`; from twice on as a factor. */
function errorText({ error, predicted, measured }: ComparedFigure): string {
  if (error === undefined) return "nothing measured";
  if (error >= 1) return `${(predicted / measured).toPrecision(2)} times`;
  if (error <= -0.5 && predicted > 0) return `1/${(measured / predicted).toPrecision(2)}`;
  const percent = Math.round(error * 1000) / 10;
  return `${percent < 0 ? "−" : "+"}${Math.abs(percent)} %`;
}

function comparisonData({ windowSeconds, given, constants, figures }: TwinComparison): string {
  const data = {
    windowSeconds,
    given: Object.fromEntries(given),
    measured: Object.fromEntries(constants),
    figures: figures.map((one) => ({ ...one, error: one.error ?? null })),
  };
  return `${JSON.stringify(data, undefined, 2)}\n`;
}
