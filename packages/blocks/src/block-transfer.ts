/**
 * Blocks on their way to a bucket and back. Going there, meta.json comes last: the block is there from then on. Going
 * away, it goes first, and the mark that orders the deletion last: whatever breaks off half-way is seen for what it is.
 */
import { fail, ok, type Result } from "@pleiad/model";
import { BucketError, type Bucket, type FileSystem } from "@pleiad/ports";
import { blockFailureOf, BlockReadError, type BlockFailure } from "./block-failure.ts";
import { blockMarkFiles } from "./block-mark.ts";
import { formatBlockMeta, parseBlockMeta, type BlockFile, type BlockMeta } from "./block-meta.ts";

/** What is read or written at once. */
const pieceBytes = 4 * 1024 * 1024;

export interface BlockUpload {
  readonly files: FileSystem;
  /** The folder of the block itself, named by its ULID. */
  readonly path: string;
  readonly bucket: Bucket;
  readonly signal: AbortSignal;
  /** What the meta.json in the bucket adds; the local one stays as it is. The list of files is filled in. */
  readonly thanos?: BlockMeta["thanos"];
}

/**
 * Uploads what is not there yet by size: chunks, index, then meta.json with the list of files. Can be repeated after any
 * failure. At the end the bucket is looked at: the failure is "unavailable" if someone deleted files meanwhile, or may do so
 * since the block is marked for deletion.
 */
export async function uploadBlock({
  files,
  path,
  bucket,
  signal,
  thanos,
}: BlockUpload): Promise<Result<BlockMeta, BlockFailure>> {
  const ulid = path.slice(path.lastIndexOf("/") + 1);
  try {
    const local = parseBlockMeta(await files.readFile(`${path}/meta.json`), ulid);
    if (!local.ok) return local;
    const names = [...(await files.list(`${path}/chunks`)).map((name) => `chunks/${name}`), "index"];
    const uploaded: BlockFile[] = [];
    for (const name of names) {
      const sizeBytes = await uploadFile(files, `${path}/${name}`, bucket, `${ulid}/${name}`, signal);
      uploaded.push({ path: name, sizeBytes });
    }
    uploaded.push({ path: "meta.json", sizeBytes: undefined });
    const section = thanos ?? local.value.thanos;
    const meta: BlockMeta = {
      ...local.value,
      thanos: section === undefined ? undefined : { ...section, files: uploaded },
    };
    await bucket.put(`${ulid}/meta.json`, formatBlockMeta(meta), { signal });
    const present = new Set<string>();
    for await (const key of bucket.list(`${ulid}/`, { signal })) present.add(key.slice(ulid.length + 1));
    const lost = uploaded.find((file) => !present.has(file.path));
    if (lost !== undefined) {
      if (lost.path !== "meta.json") await bucket.delete(`${ulid}/meta.json`, signal);
      return fail({ kind: "unavailable", block: ulid, cause: new Error(`${lost.path} was deleted during the upload`) });
    }
    if (present.has(blockMarkFiles.deletion)) {
      return fail({ kind: "unavailable", block: ulid, cause: new Error("the block is marked for deletion") });
    }
    return ok(meta);
  } catch (error) {
    return fail(blockFailureOf(ulid, error, signal));
  }
}

async function uploadFile(files: FileSystem, path: string, bucket: Bucket, key: string, signal: AbortSignal) {
  const file = await files.open(path, "read");
  try {
    const sizeBytes = await file.size();
    if ((await sizeInBucket(bucket, key, signal)) === sizeBytes) return sizeBytes;
    const pieces = async function* () {
      for (let at = 0; at < sizeBytes; at += pieceBytes) yield await file.read(at, pieceBytes);
    };
    await bucket.put(key, sizeBytes <= pieceBytes ? await file.read(0, sizeBytes) : pieces(), { signal });
    return sizeBytes;
  } finally {
    await file.close();
  }
}

async function sizeInBucket(bucket: Bucket, key: string, signal: AbortSignal): Promise<number | undefined> {
  try {
    return (await bucket.attributes(key, signal)).sizeBytes;
  } catch (error) {
    if (error instanceof BucketError && error.kind === "not-found") return undefined;
    throw error;
  }
}

export interface BlockDownload {
  readonly bucket: Bucket;
  /** As it stands in the bucket. */
  readonly meta: BlockMeta;
  readonly files: FileSystem;
  /** The folder that the block's folder is made in. */
  readonly directory: string;
  readonly signal: AbortSignal;
}

/**
 * Copies a block into `<directory>/<ulid>`, and gives that path. A file whose size is not the one that meta.json tells is
 * "corrupt"; one that is not there is "unavailable" with the bucket's error as its cause. Can be repeated.
 */
export async function downloadBlock({
  bucket,
  meta,
  files,
  directory,
  signal,
}: BlockDownload): Promise<Result<string, BlockFailure>> {
  const { ulid } = meta;
  const path = `${directory}/${ulid}`;
  try {
    await files.makeDirectory(`${path}/chunks`);
    for (const { name, sizeBytes } of await filesInBucket(bucket, meta, signal)) {
      await downloadFile(bucket, ulid, name, sizeBytes, files, `${path}/${name}`, signal);
    }
    await files.writeFileAtomic(`${path}/meta.json`, formatBlockMeta(meta));
    return ok(path);
  } catch (error) {
    return fail(blockFailureOf(ulid, error, signal));
  }
}

/** How many bytes the block has in the bucket without its meta.json. */
export async function blockBytesInBucket(bucket: Bucket, meta: BlockMeta, signal: AbortSignal): Promise<number> {
  return (await filesInBucket(bucket, meta, signal)).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** By the list in meta.json, which spares requests; where it has none, by looking. */
async function filesInBucket(
  bucket: Bucket,
  { ulid, thanos }: BlockMeta,
  signal: AbortSignal,
): Promise<readonly { readonly name: string; readonly sizeBytes: number }[]> {
  const listed = thanos?.files.filter(({ path }) => isBlockFile(path)) ?? [];
  const found: { name: string; sizeBytes: number }[] = [];
  for (const { path, sizeBytes } of listed) if (sizeBytes !== undefined) found.push({ name: path, sizeBytes });
  if (listed.length > 0 && found.length === listed.length) return found;
  found.length = 0;
  for await (const key of bucket.list(`${ulid}/`, { signal })) {
    const name = key.slice(ulid.length + 1);
    if (isBlockFile(name)) found.push({ name, sizeBytes: (await bucket.attributes(key, signal)).sizeBytes });
  }
  return found;
}

/** A name from a meta.json is never more than a name of a block's file. */
function isBlockFile(name: string): boolean {
  return name === "index" || name === "tombstones" || /^chunks\/\d{6}$/.test(name);
}

async function downloadFile(
  bucket: Bucket,
  ulid: string,
  name: string,
  sizeBytes: number,
  files: FileSystem,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  if (await files.exists(path)) await files.unlink(path);
  const file = await files.open(path, "create-new");
  try {
    for (let at = 0; at < sizeBytes;) {
      const length = Math.min(pieceBytes, sizeBytes - at);
      const piece = await bucket.get(`${ulid}/${name}`, { offset: at, length }, signal);
      // A short answer may be a broken connection: only the end of the object gives nothing at all.
      if (piece.length === 0) break;
      await file.append(piece);
      at += piece.length;
    }
    const { sizeBytes: inBucket } = await bucket.attributes(`${ulid}/${name}`, signal);
    if (inBucket !== sizeBytes) {
      const reason = `the file has ${inBucket} bytes, not ${sizeBytes} as meta.json says`;
      throw new BlockReadError({ kind: "corrupt", block: ulid, file: name, offset: 0, reason });
    }
    if ((await file.size()) !== sizeBytes) throw new BucketError("unavailable", `${ulid}/${name}`, "cut short");
  } finally {
    await file.close();
  }
}

/**
 * Deletes a block: meta.json first, so that no reader sees a part of it, the deletion mark last, and only when nothing but
 * the mark is left; else false: a file came back from an upload that was still going on. Can be repeated after any failure.
 * Throws BucketError.
 */
export async function deleteBlock(bucket: Bucket, ulid: string, signal: AbortSignal): Promise<boolean> {
  const mark = `${ulid}/${blockMarkFiles.deletion}`;
  await bucket.delete(`${ulid}/meta.json`, signal);
  for (const key of await keysBelow(bucket, ulid, signal)) if (key !== mark) await bucket.delete(key, signal);
  const left = await keysBelow(bucket, ulid, signal);
  if (left.some((key) => key !== mark)) return false;
  if (left.length > 0) await bucket.delete(mark, signal);
  return true;
}

async function keysBelow(bucket: Bucket, ulid: string, signal: AbortSignal): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const key of bucket.list(`${ulid}/`, { signal })) keys.push(key);
  return keys;
}
