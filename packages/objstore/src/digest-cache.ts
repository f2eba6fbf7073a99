/**
 * What the bytes of objects come to, kept beside them: MD5, which is their etag, and CRC-32, by which a read finds out
 * that the disk changed them. A digest counts only for the very file that it was taken of. It can always be taken again,
 * so nothing is synced here and a failure costs time alone.
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

const pieceBytes = 1_048_576;
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

  return {
    find: async (key, status) => {
      const record = await files.readFile(recordPathOf(key)).catch(ignoreFileError);
      const fields = recordForm.exec(record === undefined ? "" : new TextDecoder().decode(record));
      const [, version, sizeBytes, md5, crc] = fields ?? [];
      if (version !== status.version || Number(sizeBytes) !== status.sizeBytes) return undefined;
      return md5 === undefined || crc === undefined ? undefined : { md5, crc32: Number.parseInt(crc, 16) };
    },
    keep: async (key, { version, sizeBytes }, digest) => {
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
    forget: (key) => files.unlink(recordPathOf(key)).catch(ignoreFileError),
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
