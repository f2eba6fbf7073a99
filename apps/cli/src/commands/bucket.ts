/** `pleiad bucket ls | inspect | verify`: the blocks in object storage, as people look at them. */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import {
  bucketBlockBytes,
  createBlockLister,
  defaultVerify,
  formatBlockFailure,
  verifyBlock,
  type BlockListing,
  type ListedBlock,
} from "@pleiad/blocks";
import { createBucket, parseBucketConfig } from "@pleiad/objstore";
import type { Bucket } from "@pleiad/ports";
import { parse } from "yaml";
import { commandPorts } from "../command-ports.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { formatBytes, formatSpan, formatTime } from "../quantities.ts";
import { formatTable, type Column } from "../table.ts";

export interface BucketOptions {
  readonly objstore: string | undefined; // a file as Thanos has it
  readonly directory: string | undefined; // the bucket is a folder
  readonly label: readonly string[]; // name=value, all must hold
}

const never = new AbortController().signal;
const right = "right" as const;

/** A line a block, then what is no block or not whole. */
export async function bucketListCommand(options: BucketOptions): Promise<void> {
  const listing = await readListing(openBucket(options));
  const blocks = chosenBlocks(listing, options.label);
  const columns: readonly Column[] = [
    { title: "BLOCK" },
    { title: "FROM" },
    { title: "SPAN", alignment: right },
    { title: "LEVEL", alignment: right },
    { title: "RESOLUTION", alignment: right },
    { title: "SERIES", alignment: right },
    { title: "SAMPLES", alignment: right },
    { title: "SIZE", alignment: right },
    { title: "MARKS" },
    { title: "LABELS" },
  ];
  const rows = blocks.map(({ meta, marks }) => [
    meta.ulid,
    formatTime(meta.minTimeMs),
    formatSpan(meta.maxTimeMs - meta.minTimeMs),
    String(meta.compaction.level),
    resolutionOf(meta.thanos?.resolutionMs ?? 0),
    String(meta.stats.numSeries),
    String(meta.stats.numSamples),
    sizeOf(meta.thanos?.files),
    [...marks.keys()].join(",") || "-",
    labelsOf(meta.thanos?.labels),
  ]);
  process.stdout.write(formatTable(columns, rows));
  process.stdout.write(describeRest(listing));
}

/** A line a stream: what each set of external labels has at each resolution. */
export async function bucketInspectCommand(options: BucketOptions): Promise<void> {
  const listing = await readListing(openBucket(options));
  const streams = Map.groupBy(
    chosenBlocks(listing, options.label),
    ({ meta }) => `${labelsOf(meta.thanos?.labels)} ${resolutionOf(meta.thanos?.resolutionMs ?? 0)}`,
  );
  const columns: readonly Column[] = [
    { title: "LABELS" },
    { title: "RESOLUTION", alignment: right },
    { title: "BLOCKS", alignment: right },
    { title: "LEVELS" },
    { title: "FROM" },
    { title: "TO" },
    { title: "SAMPLES", alignment: right },
    { title: "SIZE", alignment: right },
    { title: "TO DELETE", alignment: right },
  ];
  const rows = [...streams].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, blocks]) => streamRow(blocks));
  process.stdout.write(formatTable(columns, rows));
  process.stdout.write(describeRest(listing));
}

/** Reads blocks from end to end, by range reads; exit code 1 if anything is wrong. */
export async function bucketVerifyCommand(ulid: string | undefined, options: BucketOptions): Promise<void> {
  const bucket = openBucket(options);
  const listing = await readListing(bucket);
  const blocks = chosenBlocks(listing, options.label).filter(({ meta }) => ulid === undefined || meta.ulid === ulid);
  if (ulid !== undefined && blocks.length === 0) {
    throw new CommandFailure(exitCodes.badInput, `the bucket has no whole block ${ulid}`);
  }
  let wrong = listing.malformed.size + listing.faults.length;
  for (const { meta } of blocks) {
    const report = await verifyBlock(bucketBlockBytes(bucket, meta.ulid), { ...defaultVerify, ulid: meta.ulid }, never);
    if (!report.ok) throw new CommandFailure(exitCodes.failed, formatBlockFailure(report.failure));
    const { findings, untold, stats } = report.value;
    wrong += findings.length + untold;
    const whole = `whole: ${String(stats.numSeries)} series, ${String(stats.numSamples)} samples`;
    process.stdout.write(`${meta.ulid}  ${findings.length === 0 ? whole : "not as it should be"}\n`);
    for (const finding of findings) process.stdout.write(`  ${finding}\n`);
    if (untold > 0) process.stdout.write(`  and ${String(untold)} more\n`);
  }
  process.stdout.write(describeRest(listing));
  if (wrong > 0) throw new CommandFailure(exitCodes.failed, `${String(wrong)} findings`);
}

function openBucket({ objstore, directory }: BucketOptions): Bucket {
  if ((objstore === undefined) === (directory === undefined)) {
    throw new CommandFailure(exitCodes.badInput, "give either --objstore <file> or --dir <folder>");
  }
  if (directory !== undefined && !existsSync(directory)) {
    throw new CommandFailure(exitCodes.badInput, `there is no folder ${resolve(directory)}`);
  }
  const value: unknown =
    directory === undefined
      ? readConfiguration(objstore ?? "")
      : { type: "FILESYSTEM", config: { directory: resolve(directory) } };
  const config = parseBucketConfig(value);
  if (!config.ok) {
    throw new CommandFailure(
      exitCodes.badInput,
      config.failure.map((problem) => `${objstore ?? ""}: ${problem}`).join("\n"),
    );
  }
  return createBucket(config.value, commandPorts());
}

function readConfiguration(file: string): unknown {
  try {
    return parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new CommandFailure(exitCodes.badInput, `${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function readListing(bucket: Bucket): Promise<BlockListing> {
  const listing = await createBlockLister(bucket).refresh(never);
  if (!listing.ok) throw new CommandFailure(exitCodes.failed, listing.failure.message);
  return listing.value;
}

/** By time, then by age. */
function chosenBlocks(listing: BlockListing, labels: readonly string[]): readonly ListedBlock[] {
  const wanted = labels.map((text) => {
    const at = text.indexOf("=");
    if (at <= 0) throw new CommandFailure(exitCodes.badInput, `${text} is no label: give name=value`);
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
  return [...listing.blocks.values()]
    .filter(({ meta }) => wanted.every(([name, value]) => (meta.thanos?.labels[name] ?? "") === value))
    .sort(({ meta: a }, { meta: b }) => a.minTimeMs - b.minTimeMs || (a.ulid < b.ulid ? -1 : 1));
}

function streamRow(blocks: readonly ListedBlock[]): readonly string[] {
  const [first] = blocks;
  const levels = Map.groupBy(blocks, ({ meta }) => meta.compaction.level);
  return [
    labelsOf(first?.meta.thanos?.labels),
    resolutionOf(first?.meta.thanos?.resolutionMs ?? 0),
    String(blocks.length),
    [...levels]
      .sort(([a], [b]) => a - b)
      .map(([level, members]) => `${String(level)}: ${String(members.length)}`)
      .join(", "),
    formatTime(Math.min(...blocks.map(({ meta }) => meta.minTimeMs))),
    formatTime(Math.max(...blocks.map(({ meta }) => meta.maxTimeMs))),
    String(blocks.reduce((sum, { meta }) => sum + meta.stats.numSamples, 0)),
    sizeOf(blocks.flatMap(({ meta }) => meta.thanos?.files ?? [])),
    String(blocks.filter(({ marks }) => marks.has("deletion")).length),
  ];
}

function describeRest({ partial, malformed, faults }: BlockListing): string {
  return [
    ...[...partial.keys()].map((ulid) => `${ulid} has no meta.json: an upload under way, or one that broke off\n`),
    ...[...malformed.values()].map(({ ulid, reason }) => `${ulid} cannot be used: ${reason}\n`),
    ...faults.map((fault) => `${fault}\n`),
  ].join("");
}

function resolutionOf(resolutionMs: number): string {
  return resolutionMs === 0 ? "raw" : formatSpan(resolutionMs);
}

function sizeOf(files: readonly { readonly sizeBytes: number | undefined }[] | undefined): string {
  if (files === undefined || files.length === 0) return "?";
  return formatBytes(files.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0));
}

function labelsOf(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return pairs.length === 0 ? "-" : pairs.map(([name, value]) => `${name}=${value}`).join(",");
}
