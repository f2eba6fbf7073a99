/**
 * Which blocks a bucket holds. One walk over its keys tells which blocks are whole and which are marked; only metas and
 * marks that were not there last time are read. A thousand keys are one request: 5,000 blocks cost about 25.
 */
import { fail, ok, type Result } from "@pleiad/model";
import { BucketError, type Bucket } from "@pleiad/ports";
import { formatBlockFailure } from "./block-failure.ts";
import { blockMarkFiles, blockMarkKinds, parseBlockMark, type BlockMark, type BlockMarkKind } from "./block-mark.ts";
import { parseBlockMeta, type BlockMeta } from "./block-meta.ts";
import { isUlid } from "./ulid.ts";

export interface ListedBlock {
  readonly meta: BlockMeta;
  /** By kind. A mark that cannot be read is not among them: `faults` of the listing tells. */
  readonly marks: ReadonlyMap<BlockMarkKind, BlockMark>;
}

/** What lies below a ULID without a meta.json: an upload that is going on or broke off, or a deletion that did. */
export interface PartialBlock {
  readonly ulid: string;
  readonly keys: readonly string[];
  /** There if a deletion broke off. */
  readonly deletionMark: BlockMark | undefined;
}

/** A block that cannot be used as it is: its meta.json cannot be read, or a file that it names is not there. */
export interface MalformedBlock {
  readonly ulid: string;
  readonly reason: string;
  readonly deletionMark: BlockMark | undefined;
}

export interface BlockListing {
  readonly blocks: ReadonlyMap<string, ListedBlock>; // by ULID
  readonly partial: ReadonlyMap<string, PartialBlock>;
  readonly malformed: ReadonlyMap<string, MalformedBlock>;
  /** Marks that cannot be read, with their keys. */
  readonly faults: readonly string[];
}

export interface BlockLister {
  /** The bucket as it is now. The failure is what the bucket threw; what was known before stays known. */
  refresh(signal: AbortSignal): Promise<Result<BlockListing, BucketError>>;
}

/** Files meta.json that were read before, by an earlier process too: what lies in a bucket never changes. */
export interface MetaCache {
  /** Undefined where there is none that is whole. */
  read(ulid: string): Promise<Uint8Array | undefined>;
  /** Only what could be understood. The bytes stay as they are. */
  keep(ulid: string, bytes: Uint8Array): Promise<void>;
}

export interface BlockListerOptions {
  readonly requestsAtOnceMax: number;
  readonly blocksMax: number;
  /** Asked before the bucket is; none: each lister reads every meta.json once. */
  readonly metas?: MetaCache;
  /**
   * ULIDs whose marks are read; of all, partial ones included, where this is not given. Asked with the listing as far as
   * marks are read, first with none, until it names nobody new.
   */
  readonly wantsMarksOf?: (listing: BlockListing) => Iterable<string>;
}

export const defaultBlockLister: BlockListerOptions = { requestsAtOnceMax: 32, blocksMax: 500_000 };

/** Keys below one ULID. */
interface Folder {
  readonly ulid: string;
  readonly keys: string[];
  readonly files: Set<string>; // the same without the ULID
}

export function createBlockLister(bucket: Bucket, options: BlockListerOptions = defaultBlockLister): BlockLister {
  // Both by key. A block's meta never changes; a mark may go and come again, and is then read again. So is what could not be
  // understood: the answer may have been cut short, and a person may mend the file.
  let metas = new Map<string, Result<BlockMeta, string>>();
  let marks = new Map<string, Result<BlockMark, string>>();

  const refreshOrThrow = async (signal: AbortSignal): Promise<BlockListing> => {
    const folders = await listFolders(bucket, options.blocksMax, signal);
    const freshMetas = new Map<string, Result<BlockMeta, string>>();
    const freshMarks = new Map<string, Result<BlockMark, string>>();
    const readOnce = <T>(
      reads: (() => Promise<void>)[],
      key: string,
      from: ReadonlyMap<string, Result<T, string>>,
      to: Map<string, Result<T, string>>,
      read: () => Promise<Result<T, string>>,
    ) => {
      const known = from.get(key);
      if (known?.ok === true) {
        to.set(key, known);
        return;
      }
      reads.push(async () => {
        try {
          to.set(key, await read());
        } catch (error) {
          if (!(error instanceof BucketError) || error.kind !== "not-found") throw error;
          // Deleted since it was listed: the block counts as partial, the mark as not there.
        }
      });
    };
    try {
      const metaReads: (() => Promise<void>)[] = [];
      for (const { ulid, files } of folders) {
        if (!files.has("meta.json")) continue;
        const read = () => readMeta(bucket, options.metas, ulid, signal);
        readOnce(metaReads, `${ulid}/meta.json`, metas, freshMetas, read);
      }
      await runAll(metaReads, options.requestsAtOnceMax);
      const unread = new Map(folders.map((folder) => [folder.ulid, folder]));
      for (;;) {
        const { wantsMarksOf } = options;
        const named = wantsMarksOf?.(toListing(folders, freshMetas, freshMarks)) ?? [...unread.keys()];
        const wanted = [...named].flatMap((ulid) => unread.get(ulid) ?? []);
        if (wanted.length === 0) break;
        const markReads: (() => Promise<void>)[] = [];
        for (const { ulid, files } of wanted) {
          unread.delete(ulid);
          for (const kind of blockMarkKinds) {
            const key = `${ulid}/${blockMarkFiles[kind]}`;
            if (!files.has(blockMarkFiles[kind])) continue;
            const read = async () => parseBlockMark(kind, await bucket.get(key, undefined, signal), ulid);
            readOnce(markReads, key, marks, freshMarks, read);
          }
        }
        await runAll(markReads, options.requestsAtOnceMax);
      }
    } catch (error) {
      // The next attempt goes on from here: a bucket that fails now and then would have it begin for ever.
      metas = new Map([...metas, ...freshMetas]);
      marks = new Map([...marks, ...freshMarks]);
      throw error;
    }
    metas = freshMetas;
    marks = freshMarks;
    return toListing(folders, metas, marks);
  };

  return {
    async refresh(signal) {
      try {
        return ok(await refreshOrThrow(signal));
      } catch (error) {
        if (error instanceof BucketError) return fail(error);
        throw error;
      }
    },
  };
}

async function listFolders(bucket: Bucket, blocksMax: number, signal: AbortSignal): Promise<readonly Folder[]> {
  const folders: Folder[] = [];
  let folder: Folder | undefined;
  for await (const key of bucket.list("", { signal })) {
    // ULIDs begin with 0 to 7: `debug/` and whatever else lies behind them is not walked.
    if (key >= "8") break;
    const slash = key.indexOf("/");
    const ulid = slash < 0 ? key : key.slice(0, slash);
    if (slash < 0 || !isUlid(ulid)) continue;
    if (folder?.ulid !== ulid) {
      if (folders.length === blocksMax) {
        throw new BucketError(
          "unavailable",
          ulid,
          `more than ${blocksMax} blocks; raise the limit or shard the bucket`,
        );
      }
      folder = { ulid, keys: [], files: new Set() };
      folders.push(folder);
    }
    folder.keys.push(key);
    folder.files.add(key.slice(slash + 1));
  }
  return folders;
}

async function readMeta(
  bucket: Bucket,
  cache: MetaCache | undefined,
  ulid: string,
  signal: AbortSignal,
): Promise<Result<BlockMeta, string>> {
  const kept = await cache?.read(ulid);
  const known = kept === undefined ? undefined : metaOf(kept, ulid);
  if (known?.ok === true) return known;
  const bytes = await bucket.get(`${ulid}/meta.json`, undefined, signal);
  const meta = metaOf(bytes, ulid);
  if (meta.ok) await cache?.keep(ulid, bytes);
  return meta;
}

function metaOf(bytes: Uint8Array, ulid: string): Result<BlockMeta, string> {
  const meta = parseBlockMeta(bytes, ulid);
  if (!meta.ok) return fail(formatBlockFailure(meta.failure));
  if (meta.value.ulid !== ulid) return fail(`meta.json is of block ${meta.value.ulid}`);
  return ok(meta.value);
}

function toListing(
  folders: readonly Folder[],
  metas: ReadonlyMap<string, Result<BlockMeta, string>>,
  marks: ReadonlyMap<string, Result<BlockMark, string>>,
): BlockListing {
  const blocks = new Map<string, ListedBlock>();
  const partial = new Map<string, PartialBlock>();
  const malformed = new Map<string, MalformedBlock>();
  const faults: string[] = [];
  for (const { ulid, keys, files } of folders) {
    const marksHere = new Map<BlockMarkKind, BlockMark>();
    for (const kind of blockMarkKinds) {
      const mark = marks.get(`${ulid}/${blockMarkFiles[kind]}`);
      if (mark?.ok === true) marksHere.set(kind, mark.value);
      else if (mark !== undefined) faults.push(`${ulid}/${mark.failure}`);
    }
    const meta = metas.get(`${ulid}/meta.json`);
    const deletionMark = marksHere.get("deletion");
    if (meta === undefined) {
      partial.set(ulid, { ulid, keys, deletionMark });
      continue;
    }
    const missing = meta.ok ? missingFile(meta.value, files) : undefined;
    if (!meta.ok) malformed.set(ulid, { ulid, reason: meta.failure, deletionMark });
    else if (missing !== undefined) malformed.set(ulid, { ulid, reason: `${missing} is missing`, deletionMark });
    else blocks.set(ulid, { meta: meta.value, marks: marksHere });
  }
  return { blocks, partial, malformed, faults };
}

/** A file that the block cannot be without. */
function missingFile({ thanos }: BlockMeta, files: ReadonlySet<string>): string | undefined {
  if (!files.has("index")) return "index";
  return thanos?.files.find(({ path }) => !files.has(path))?.path;
}

/** Runs all, so many at once; after a failure begins no more, and throws it when those that run have ended. */
async function runAll(tasks: readonly (() => Promise<void>)[], atOnceMax: number): Promise<void> {
  let next = 0;
  let failed = false;
  const worker = async () => {
    while (!failed && next < tasks.length) {
      const task = tasks[next++];
      try {
        await task?.();
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: Math.min(atOnceMax, tasks.length) }, worker));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}
