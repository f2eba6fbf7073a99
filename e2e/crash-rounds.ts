/**
 * Kills a process that writes to a data folder and uploads its blocks, with SIGKILL at random moments, again and again over
 * the same folder. After each: what was acknowledged is there, what is there was written, once, and nothing is half
 * written. By hand: `node e2e/crash-rounds.ts --rounds 1000 [--seed 7]`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { bucketBlockBytes, isUlid, openBlock } from "@pleiad/blocks";
import { createSampleColumns, decodeChunk } from "@pleiad/chunks";
import { collectSeries, emptyLabels, labelValue, plainSelect, type SeriesSource } from "@pleiad/model";
import { createNodePorts, nodeClock, nodeFiles } from "@pleiad/node-ports";
import { createFileBucket } from "@pleiad/objstore";
import { seededRandom, type Bucket } from "@pleiad/ports";
import { silentObservations } from "@pleiad/ports/testing";
import { defaultTsdbView, formatTsdbFailure, openTsdb, viewTsdb } from "@pleiad/tsdb";
import { lineOf, numberOf, samplesOf, workloadOptions } from "./crash-workload.ts";
import { temporaryFolder } from "./twin-under-test.ts";

export interface CrashReport {
  readonly rounds: number;
  readonly commits: number;
  /** Blocks that went through the bucket. */
  readonly blocks: number;
  /** What went wrong, by round. */
  readonly faults: readonly string[];
}

const child = fileURLToPath(new URL("crash-child.ts", import.meta.url));
const liveMsMax = 250;
const openMsMax = 20_000;

export async function crashRounds(
  rounds: number,
  seed: number,
  onRound = (_round: number) => {},
): Promise<CrashReport> {
  const folder = temporaryFolder();
  const random = seededRandom(seed);
  const directory = `${folder.path}/data`;
  const bucketDirectory = `${folder.path}/bucket`;
  const bucket = createFileBucket(bucketDirectory, nodeFiles(), nodeClock());
  const acknowledged = new Set<number>();
  const uploaded = { ulids: new Set<string>(), lines: new Set<string>() };
  const faults: string[] = [];
  let next = 0;
  try {
    await nodeFiles().makeDirectory(directory);
    for (let round = 1; round <= rounds && faults.length === 0; round++) {
      onRound(round);
      const told = await live(directory, bucketDirectory, next, random.float() * liveMsMax);
      for (const number of told.acknowledged) acknowledged.add(number);
      next = told.tried + 1;
      const found = await lookAt(directory, bucket, uploaded, next);
      const wrong = [...told.faults, ...found.faults, ...compare(found.lines, uploaded.lines, acknowledged, next)];
      faults.push(...wrong.slice(0, 20).map((fault) => `round ${round} of seed ${seed}: ${fault}`));
    }
    return { rounds, commits: acknowledged.size, blocks: uploaded.ulids.size, faults };
  } finally {
    folder.remove();
  }
}

/** One process, from its start to its end by SIGKILL, some time after it has opened the folder. */
async function live(directory: string, bucketDirectory: string, first: number, liveMs: number) {
  const process_ = spawn(process.execPath, [child, directory, bucketDirectory, String(first)]);
  let said = "";
  let complained = "";
  let timer = setTimeout(() => process_.kill("SIGKILL"), openMsMax);
  process_.stdout.on("data", (piece: Uint8Array) => {
    const isOpen = said.length > 0;
    said += new TextDecoder().decode(piece);
    if (isOpen) return;
    clearTimeout(timer);
    timer = setTimeout(() => process_.kill("SIGKILL"), liveMs);
  });
  process_.stderr.on("data", (piece: Uint8Array) => (complained += new TextDecoder().decode(piece)));
  await once(process_, "close");
  clearTimeout(timer);
  const faults = process_.signalCode === "SIGKILL" && said !== "" ? [] : [`the process ended by itself: ${complained}`];
  const numbers = (word: string) =>
    said.split("\n").flatMap((line) => (line.startsWith(`${word} `) ? [Number(line.slice(4))] : []));
  return { acknowledged: numbers("ack"), tried: numbers("try").at(-1) ?? first - 1, faults };
}

/**
 * The lines of the folder as they are now; those of blocks that came to the bucket since the last look go to `uploaded`.
 * `next` is the first commit that nobody tried.
 */
async function lookAt(
  directory: string,
  bucket: Bucket,
  uploaded: { readonly ulids: Set<string>; readonly lines: Set<string> },
  next: number,
) {
  const faults: string[] = [];
  const { signal } = new AbortController();
  const ports = createNodePorts({ observations: silentObservations() });
  for await (const folder of bucket.list("", { delimiter: "/" })) {
    const ulid = folder.replace("/", "");
    if (!isUlid(ulid) || uploaded.ulids.has(ulid)) continue;
    const bytes = bucketBlockBytes(bucket, ulid);
    // Without it nobody takes the rest for a block.
    if ((await bytes.sizeOf("meta.json")) === undefined) continue;
    uploaded.ulids.add(ulid);
    const options = { externalLabels: emptyLabels, intern: (text: string) => text, cacheBytesMax: 0 };
    const block = await openBlock(bytes, options);
    if (!block.ok) faults.push(`block ${ulid} of the bucket does not open: ${block.failure.kind}`);
    else for (const line of await linesOf(block.value, signal, faults)) uploaded.lines.add(line);
  }
  // Who only looks sees the same, before anything is repaired.
  const view = await viewTsdb(directory, defaultTsdbView, ports);
  if (!view.ok) return { lines: [], faults: [...faults, formatTsdbFailure(view.failure)] };
  if (view.value.head.damagedRecords > 0) faults.push("a record of the log is damaged");
  const seen = new Set(await linesOf(view.value, signal, faults));
  await view.value.close();
  const opened = await openTsdb(directory, workloadOptions, ports);
  if (!opened.ok) return { lines: [], faults: [...faults, formatTsdbFailure(opened.failure)] };
  const { unreadableBlocks, head } = opened.value.statistics();
  if (unreadableBlocks > 0) faults.push("a block does not open");
  if (head.damagedRecords > 0 || head.skippedSamples > 0) faults.push("a record of the log is damaged");
  const lines = await linesOf(opened.value, signal, faults);
  const closed = await opened.value.close();
  if (!closed.ok) faults.push(formatTsdbFailure(closed.failure));
  if (lines.some((line) => !seen.has(line))) faults.push("a view does not see everything");
  // The log of samples out of order may have some whose block is gone.
  for (const line of seen) if (!isWritten(line, next)) faults.push(`a view invents ${line}`);
  return { lines, faults };
}

async function linesOf(source: SeriesSource, signal: AbortSignal, faults: string[]): Promise<string[]> {
  const { series, failure, warnings } = await collectSeries(source.select(plainSelect, signal));
  if (failure !== undefined) faults.push(`a select failed: ${failure.kind}`);
  faults.push(...warnings);
  const lines: string[] = [];
  for (const { labels, chunks } of series) {
    for (const { content } of chunks) {
      if (content.kind !== "raw") continue;
      const columns = createSampleColumns(120);
      if (decodeChunk(content.encoding, content.data, columns) !== undefined) faults.push("a chunk does not decode");
      for (let i = 0; i < columns.count; i++) {
        const [timestampMs = 0, value = 0] = [columns.timestampsMs[i], columns.values[i]];
        lines.push(lineOf({ name: labelValue(labels, "__name__"), timestampMs, value }));
      }
    }
  }
  return lines;
}

function compare(
  local: readonly string[],
  uploaded: ReadonlySet<string>,
  acknowledged: ReadonlySet<number>,
  next: number,
): string[] {
  const faults: string[] = [];
  const there = new Set(local);
  if (there.size < local.length) faults.push("a sample is told twice");
  for (const line of uploaded) there.add(line);
  for (const line of there) {
    if (!isWritten(line, next)) faults.push(`invented: ${line}`);
  }
  for (const number of acknowledged) {
    for (const sample of samplesOf(number)) if (!there.has(lineOf(sample))) faults.push(`lost: ${lineOf(sample)}`);
  }
  return faults;
}

function isWritten(line: string, next: number): boolean {
  const number = numberOf(Number(line.split(" ")[1]));
  return number < next && samplesOf(number).some((sample) => lineOf(sample) === line);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { values } = parseArgs({ options: { rounds: { type: "string" }, seed: { type: "string" } } });
  const rounds = Number(values.rounds ?? 1000);
  const report = await crashRounds(rounds, Number(values.seed ?? 1), (round) => {
    if (round % 50 === 0) process.stdout.write(`${round} of ${rounds}\n`);
  });
  process.stdout.write(`${report.rounds} rounds, ${report.commits} commits, ${report.blocks} blocks in the bucket\n`);
  for (const fault of report.faults) process.stdout.write(`${fault}\n`);
  process.exitCode = report.faults.length === 0 ? 0 : 1;
}
