/**
 * Making one block of a bucket from others: inputs come to a work folder, the new block goes back. Whatever breaks it off,
 * it can be done again: the name of the new block follows from its inputs, and nothing is deleted here.
 */
import {
  blockBytesInBucket,
  directoryBlockBytes,
  downloadBlock,
  openBlock,
  removeTree,
  uploadBlock,
  type Block,
  type BlockFailure,
  type BlockListing,
  type BlockMeta,
} from "@pleiad/blocks";
import { emptyLabels, fail, ok, type Result } from "@pleiad/model";
import { BucketError, FileError, type Bucket, type FileSystem } from "@pleiad/ports";
import { formatCompactionFailure, type CompactionFailure } from "./compaction-failure.ts";
import { derivedUlid } from "./derived-ulid.ts";

export interface BlockWorkOptions {
  /** The work folder, for this compactor alone: what a crash left in it is removed. */
  readonly directory: string;
  /** The most that work may take there. */
  readonly workBytesMax: number;
  readonly chunkFileBytesMax: number;
  readonly fetchesAtOnceMax: number;
  /** What open inputs may keep in memory together. */
  readonly cacheBytesMax: number;
}

export interface BlockWorkPorts {
  readonly files: FileSystem;
  readonly bucket: Bucket;
  /** Awaited now and then, so that others run. */
  readonly yield: () => Promise<void>;
}

/** What is to be made. */
export interface BlockWork {
  /** Kind of work and its settings: part of the new block's name. */
  readonly recipe: string;
  readonly inputs: readonly BlockMeta[];
  /** Of the bucket, so that what is there already is not made again. */
  readonly listing: BlockListing;
  readonly make: (
    inputs: readonly Block[],
    output: BlockPlace,
  ) => Promise<Result<BlockMeta | undefined, CompactionFailure>>;
  readonly signal: AbortSignal;
  /** Told before each step. */
  readonly onStep: (step: "downloading" | "merging" | "uploading") => void;
}

export interface BlockPlace {
  readonly files: FileSystem;
  readonly directory: string;
  readonly ulid: string;
  readonly chunkFileBytesMax: number;
  readonly signal: AbortSignal;
  readonly yield: () => Promise<void>;
}

export type BlockWorkFailure =
  /** An input is no longer in the bucket: someone else was faster. Look at the bucket again. */
  | { readonly kind: "overtaken"; readonly reason: string }
  /** There is no room for the work; fewer inputs may fit. */
  | { readonly kind: "no-room"; readonly reason: string }
  /** Bucket or disk failed; later it may go well. */
  | { readonly kind: "broken-off"; readonly reason: string }
  /** What the blocks hold stands in the way; it will until a person acts. */
  | { readonly kind: "bad-data"; readonly reason: string }
  | { readonly kind: "canceled" };

/** What begins so in the work folder is ours: where someone names a wrong folder, nothing else of it is lost. */
const workPrefix = "compaction-";

/** Makes the work folder, and removes what a crash left in it. Throws FileError. */
export async function clearWorkFolder(files: FileSystem, directory: string): Promise<void> {
  await files.makeDirectory(directory);
  for (const name of await files.list(directory)) {
    if (name.startsWith(workPrefix)) await removeTree(files, `${directory}/${name}`);
  }
}

/** Gives the ULID of the block that is in the bucket then, whole; undefined where no sample is left to make one of. */
export async function makeBlock(
  work: BlockWork,
  options: BlockWorkOptions,
  ports: BlockWorkPorts,
): Promise<Result<string | undefined, BlockWorkFailure>> {
  const ulid = outputUlid(work, options.chunkFileBytesMax);
  if (work.listing.blocks.has(ulid)) return ok(ulid);
  const { files } = ports;
  const folder = `${options.directory}/${workPrefix}${ulid}`;
  try {
    await removeTree(files, folder);
    const room = await findRoom(work, options, ports);
    if (room !== undefined) return fail({ kind: "no-room", reason: room });
    await files.makeDirectory(folder);
    return await makeIn(folder, ulid, work, options, ports);
  } catch (error) {
    if (error instanceof BucketError || error instanceof FileError) return fail(brokenOff(error));
    if (work.signal.aborted) return fail({ kind: "canceled" });
    throw error;
  } finally {
    // What cannot be removed now is removed before the next work, or when the folder is emptied.
    await removeTree(files, folder).catch(() => {});
  }
}

/** The first name that was not used up: a block that is being deleted must not come back to life under its marks. */
function outputUlid({ recipe, inputs, listing }: BlockWork, chunkFileBytesMax: number): string {
  const ulids = inputs.map(({ ulid }) => ulid);
  for (let attempt = 0; ; attempt++) {
    // Chunk files of another length are other bytes.
    const ulid = derivedUlid(`${recipe} ${chunkFileBytesMax}`, ulids, attempt);
    const isMarked =
      listing.blocks.get(ulid)?.marks.has("deletion") === true ||
      listing.partial.get(ulid)?.deletionMark !== undefined ||
      listing.malformed.has(ulid);
    if (!isMarked) return ulid;
  }
}

/** Why there is no room; undefined if there is. The new block is at most about as large as its inputs together. */
async function findRoom(
  { inputs, signal }: BlockWork,
  { directory, workBytesMax }: BlockWorkOptions,
  { files, bucket }: BlockWorkPorts,
): Promise<string | undefined> {
  let inputBytes = 0;
  for (const meta of inputs) inputBytes += await blockBytesInBucket(bucket, meta, signal);
  const neededBytes = 2 * inputBytes + 1_000_000;
  if (neededBytes > workBytesMax) return `${neededBytes} bytes are needed, the work folder may hold ${workBytesMax}`;
  const freeBytes = await files.freeBytes(directory);
  return neededBytes > freeBytes ? `${neededBytes} bytes are needed, ${freeBytes} are free on the disk` : undefined;
}

async function makeIn(
  folder: string,
  ulid: string,
  { inputs, make, signal, onStep }: BlockWork,
  options: BlockWorkOptions,
  { files, bucket, yield: pause }: BlockWorkPorts,
): Promise<Result<string | undefined, BlockWorkFailure>> {
  onStep("downloading");
  const paths = await downloadAll(folder, inputs, options.fetchesAtOnceMax, bucket, files, signal);
  if (!paths.ok) return paths;
  onStep("merging");
  const directory = `${folder}/output`;
  await files.makeDirectory(directory);
  const opened = await openAll(paths.value, options.cacheBytesMax, files);
  if (!opened.ok) return opened;
  const { chunkFileBytesMax } = options;
  let made: Result<BlockMeta | undefined, CompactionFailure>;
  try {
    made = await make(opened.value, { files, directory, ulid, chunkFileBytesMax, signal, yield: pause });
  } finally {
    for (const block of opened.value) await block.close();
  }
  if (!made.ok) return fail(workFailureOf(made.failure));
  if (made.value === undefined) return ok(undefined);
  onStep("uploading");
  const uploaded = await uploadBlock({ files, path: `${directory}/${ulid}`, bucket, signal });
  return uploaded.ok ? ok(ulid) : fail(blockWorkFailureOf(uploaded.failure));
}

async function downloadAll(
  folder: string,
  inputs: readonly BlockMeta[],
  atOnceMax: number,
  bucket: Bucket,
  files: FileSystem,
  signal: AbortSignal,
): Promise<Result<readonly string[], BlockWorkFailure>> {
  const paths: string[] = [];
  for (let at = 0; at < inputs.length; at += atOnceMax) {
    const some = inputs.slice(at, at + atOnceMax);
    const downloads = await Promise.all(
      some.map((meta) => downloadBlock({ bucket, meta, files, directory: folder, signal })),
    );
    for (const one of downloads) {
      if (!one.ok) return fail(blockWorkFailureOf(one.failure));
      paths.push(one.value);
    }
  }
  return ok(paths);
}

async function openAll(
  paths: readonly string[],
  cacheBytesMax: number,
  files: FileSystem,
): Promise<Result<readonly Block[], BlockWorkFailure>> {
  // Blocks of one stream have nearly the same texts.
  const texts = new Map<string, string>();
  const intern = (text: string) => {
    const known = texts.get(text);
    if (known === undefined) texts.set(text, text);
    return known ?? text;
  };
  const blocks: Block[] = [];
  for (const path of paths) {
    const opened = await openBlock(directoryBlockBytes(files, path), {
      externalLabels: emptyLabels,
      intern,
      cacheBytesMax: Math.floor(cacheBytesMax / paths.length),
    });
    if (!opened.ok) {
      for (const block of blocks) await block.close();
      return fail(blockWorkFailureOf(opened.failure));
    }
    blocks.push(opened.value);
  }
  return ok(blocks);
}

function workFailureOf(failure: CompactionFailure): BlockWorkFailure {
  if (failure.kind === "block") return blockWorkFailureOf(failure.failure);
  return { kind: "bad-data", reason: formatCompactionFailure(failure) };
}

function blockWorkFailureOf(failure: BlockFailure): BlockWorkFailure {
  if (failure.kind === "canceled") return failure;
  if (failure.kind === "unavailable") return brokenOff(failure.cause);
  return { kind: "bad-data", reason: formatCompactionFailure({ kind: "block", failure }) };
}

function brokenOff(cause: unknown): BlockWorkFailure {
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof BucketError && cause.kind === "not-found") return { kind: "overtaken", reason };
  if (cause instanceof FileError && cause.code === "ENOSPC") return { kind: "no-room", reason };
  return { kind: "broken-off", reason };
}
