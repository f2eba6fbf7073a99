/**
 * What the bytes of objects come to, kept beside them: MD5, which is their etag, and CRC-32, by which a read finds out
 * that the disk changed them. A digest counts only for the very file that it was taken of. It can always be taken again,
 * so nothing is synced here and a failure costs time alone. Those of the keys asked last are in memory as well: a page of a
 * listing asks for a thousand.
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { FileError, type File, type FileStatus, type FileSystem } from "@pleiad/ports";
import { parentOf } from "./object-path.ts";

export interface ObjectDigest {
  readonly md5: string; // hex
  readonly crc32: number;
}

export interface DigestCache {
  /** What is known of a file, by its status. */
  find(key: string, status: FileStatus): Promise<ObjectDigest | undefined>;
  keep(key: string, status: FileStatus, digest: ObjectDigest): Promise<void>;
  forget(key: string): Promise<void>;
}

/** What was found of a file of this version and size. */
interface KnownDigest {
  readonly version: string;
  readonly sizeBytes: number;
  readonly digest: ObjectDigest;
}

const pieceBytes = 1_048_576;
const inMemoryMax = 65_536; // about 20 MB
const recordForm = /^([^ \n]+) (\d+) ([0-9a-f]{32}) ([0-9a-f]{8})\n$/;

/** `stage` makes an empty file that can be renamed into place. */
export function createDigestCache(
  directory: string,
  files: FileSystem,
  stage: () => Promise<{ readonly path: string; readonly file: File }>,
): DigestCache {
  const recordPathOf = (key: string) => {
    const name = createHash("md5").update(key).digest("hex");
    return `${directory}/${name.slice(0, 2)}/${name.slice(2)}`;
  };
  const place = async (staged: string, path: string) => {
    try {
      await files.rename(staged, path);
    } catch (error) {
      if (!(error instanceof FileError) || error.code !== "ENOENT") throw error;
      await files.makeDirectory(parentOf(path));
      await files.rename(staged, path);
    }
  };

  // The keys asked last at the end.
  const known = new Map<string, KnownDigest>();
  const remember = (key: string, one: KnownDigest) => {
    known.delete(key);
    if (known.size >= inMemoryMax) for (const oldest of known.keys()) if (known.delete(oldest)) break;
    known.set(key, one);
  };
  const readRecord = async (key: string): Promise<KnownDigest | undefined> => {
    const record = await files.readFile(recordPathOf(key)).catch(ignoreFileError);
    const fields = recordForm.exec(record === undefined ? "" : new TextDecoder().decode(record));
    const [, version, sizeBytes, md5, crc] = fields ?? [];
    if (version === undefined || md5 === undefined || crc === undefined) return undefined;
    return { version, sizeBytes: Number(sizeBytes), digest: { md5, crc32: Number.parseInt(crc, 16) } };
  };
  // Many list a bucket at once, all from its beginning.
  const reading = new Map<string, Promise<KnownDigest | undefined>>();
  const readOnce = (key: string): Promise<KnownDigest | undefined> => {
    let read = reading.get(key);
    if (read === undefined) {
      read = readRecord(key).finally(() => reading.delete(key));
      reading.set(key, read);
    }
    return read;
  };
  const isOf = (one: KnownDigest, { version, sizeBytes }: FileStatus) =>
    one.version === version && one.sizeBytes === sizeBytes;

  return {
    find: async (key, status) => {
      const inMemory = known.get(key);
      if (inMemory !== undefined && isOf(inMemory, status)) {
        remember(key, inMemory);
        return inMemory.digest;
      }
      const onDisk = await readOnce(key);
      if (onDisk === undefined || !isOf(onDisk, status)) return undefined;
      remember(key, onDisk);
      return onDisk.digest;
    },
    keep: async (key, { version, sizeBytes }, digest) => {
      remember(key, { version, sizeBytes, digest });
      const record = `${version} ${sizeBytes} ${digest.md5} ${digest.crc32.toString(16).padStart(8, "0")}\n`;
      try {
        const { path, file } = await stage();
        try {
          await file.append(new TextEncoder().encode(record));
          await place(path, recordPathOf(key));
        } catch (error) {
          await files.unlink(path).catch(ignoreFileError);
          throw error;
        } finally {
          await file.close();
        }
      } catch (error) {
        ignoreFileError(error);
      }
    },
    forget: async (key) => {
      known.delete(key);
      await files.unlink(recordPathOf(key)).catch(ignoreFileError);
    },
  };
}

export interface DigestBuilder {
  add(bytes: Uint8Array): void;
  digest(): ObjectDigest;
}

export function createDigestBuilder(): DigestBuilder {
  const md5 = createHash("md5");
  let crc = 0;
  return {
    add: (bytes) => {
      md5.update(bytes);
      crc = crc32(bytes, crc);
    },
    digest: () => ({ md5: md5.digest("hex"), crc32: crc }),
  };
}

/** The digest of a file's bytes, read piece by piece. */
export async function digestFile(
  file: File,
  sizeBytes: number,
  signal: AbortSignal | undefined,
): Promise<ObjectDigest> {
  const builder = createDigestBuilder();
  for (let at = 0; at < sizeBytes; at += pieceBytes) {
    signal?.throwIfAborted();
    builder.add(await file.read(at, Math.min(pieceBytes, sizeBytes - at)));
  }
  return builder.digest();
}

function ignoreFileError(error: unknown): undefined {
  if (!(error instanceof FileError)) throw error;
}
