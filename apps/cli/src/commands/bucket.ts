/** `pleiad bucket ls | inspect | verify`: the blocks in object storage, as people look at them. */
import { bucketBlockBytes, createBlockLister, type BlockListing, type ListedBlock } from "@pleiad/blocks";
import { createBucket } from "@pleiad/objstore";
import type { Bucket } from "@pleiad/ports";
import { blockCells, blockColumns, reportVerification } from "../block-report.ts";
import { commandPorts } from "../command-ports.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { existingFolder } from "../folder-input.ts";
import { bucketConfigOf, readObjectStorageFile } from "../object-storage-input.ts";
import { formatBytes, formatSpan, formatTime } from "../quantities.ts";
import { formatTable, left, right } from "../table.ts";
import type { Command } from "commander";
import { collectValues } from "../command-options.ts";

interface BucketOptions {
  readonly objstore?: string; // a file as Thanos has it
  readonly dir?: string; // the bucket is a folder
  readonly label: readonly string[]; // name=value, all must hold
}

const never = new AbortController().signal;

export function addBucketCommand(program: Command): void {
  const bucket = program.command("bucket").description("look at the blocks in object storage");

  const bucketCommand = (name: string, description: string) =>
    bucket
      .command(name)
      .description(description)
      .option("--objstore <file>", "object storage, in the form of Thanos's --objstore.config-file")
      .option("--dir <folder>", "the bucket is this folder")
      .option("--label <name=value>", "only blocks with this external label; may be repeated", collectValues, []);

  bucketCommand("ls", "list every block").action(async (options: BucketOptions) => await bucketListCommand(options));
  bucketCommand("inspect", "sum up what each stream of blocks holds").action(
    async (options: BucketOptions) => await bucketInspectCommand(options),
  );
  bucketCommand("verify", "read blocks from end to end and say what is wrong")
    .argument("[block]", "ULID; default: all")
    .action(async (ulid: string | undefined, options: BucketOptions) => await bucketVerifyCommand(ulid, options));
}

/** A line a block, then what is no block or not whole. */
async function bucketListCommand(options: BucketOptions): Promise<void> {
  const listing = await readListing(openBucket(options));
  const blocks = chosenBlocks(listing, options.label);
  const columns = [
    ...blockColumns,
    right("RESOLUTION"),
    right("SERIES"),
    right("SAMPLES"),
    right("SIZE"),
    left("MARKS"),
    left("LABELS"),
  ];
  const rows = blocks.map(({ meta, marks }) => [
    ...blockCells(meta),
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
async function bucketInspectCommand(options: BucketOptions): Promise<void> {
  const listing = await readListing(openBucket(options));
  const streams = Map.groupBy(
    chosenBlocks(listing, options.label),
    ({ meta }) => `${labelsOf(meta.thanos?.labels)} ${resolutionOf(meta.thanos?.resolutionMs ?? 0)}`,
  );
  const columns = [
    left("LABELS"),
    right("RESOLUTION"),
    right("BLOCKS"),
    left("LEVELS"),
    left("FROM"),
    left("TO"),
    right("SAMPLES"),
    right("SIZE"),
    right("TO DELETE"),
  ];
  const rows = [...streams].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, blocks]) => streamRow(blocks));
  process.stdout.write(formatTable(columns, rows));
  process.stdout.write(describeRest(listing));
}

/** Reads blocks from end to end, by range reads; exit code 1 if anything is wrong. */
async function bucketVerifyCommand(ulid: string | undefined, options: BucketOptions): Promise<void> {
  const bucket = openBucket(options);
  const listing = await readListing(bucket);
  const blocks = chosenBlocks(listing, options.label).filter(({ meta }) => ulid === undefined || meta.ulid === ulid);
  if (ulid !== undefined && blocks.length === 0) {
    throw new CommandFailure(exitCodes.badInput, `the bucket has no whole block ${ulid}`);
  }
  let wrong = listing.malformed.size + listing.faults.length;
  for (const { meta } of blocks) {
    wrong += await reportVerification(meta.ulid, bucketBlockBytes(bucket, meta.ulid));
  }
  process.stdout.write(describeRest(listing));
  if (wrong > 0) throw new CommandFailure(exitCodes.failed, `${String(wrong)} findings`);
}

function openBucket({ objstore, dir: directory }: BucketOptions): Bucket {
  if ((objstore === undefined) === (directory === undefined)) {
    throw new CommandFailure(exitCodes.badInput, "give either --objstore <file> or --dir <folder>");
  }
  const config =
    directory === undefined
      ? bucketConfigOf(readObjectStorageFile(objstore ?? ""), objstore ?? "")
      : bucketConfigOf({ type: "FILESYSTEM", config: { directory: existingFolder(directory) } }, directory);
  return createBucket(config, commandPorts());
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
