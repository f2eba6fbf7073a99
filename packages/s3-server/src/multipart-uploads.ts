/**
 * Uploads in parts. Parts wait in a workspace until the upload is completed, aborted or forgotten:
 *
 *     uploads/<id>/upload           bucket, key, headers, time of the beginning
 *     uploads/<id>/parts/<number>   etag and size of a part, and under which name its bytes are
 *     uploads/<id>/data/<name>      the bytes
 *
 * A part that comes again has other bytes under another name, so that no reader mixes the two.
 */
import { createHash } from "node:crypto";
import { BucketError, type Bucket, type Clock, type Random } from "@pleiad/ports";
import { bareEtag, type ObjectHeaders } from "./object-shelf.ts";
import { S3Error } from "./s3-error.ts";

export interface Upload {
  readonly id: string;
  readonly bucketName: string;
  readonly key: string;
  readonly headers: ObjectHeaders;
  readonly startedMs: number;
}

export interface UploadedPart {
  readonly number: number;
  readonly etag: string; // without quotes
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** A part as the client names it when it completes the upload. */
export interface NamedPart {
  readonly number: number;
  readonly etag: string;
}

export interface UploadLimits {
  readonly uploadsMax: number; // under way at once
  readonly partsMax: number; // of one upload
  readonly partBytesMin: number; // but of the last part
  readonly pieceBytes: number; // of a part, held while parts are put together
}

export interface AssembledUpload {
  readonly parts: AsyncIterable<Uint8Array>;
  readonly etag: string | undefined; // S3's for what was uploaded in parts; undefined if the parts' are no MD5
}

export interface MultipartUploads {
  start(upload: Omit<Upload, "id" | "startedMs">): Promise<Upload>;
  /** Throws S3Error NoSuchUpload. */
  find(id: string, bucketName: string, key: string): Promise<Upload>;
  putPart(id: string, number: number, parts: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<UploadedPart>;
  /** Parts by number. */
  listParts(id: string): Promise<readonly UploadedPart[]>;
  /** Throws S3Error if the parts are not those that are here. */
  assemble(id: string, named: readonly NamedPart[]): Promise<AssembledUpload>;
  remove(id: string): Promise<void>;
  list(): Promise<readonly Upload[]>;
}

interface StoredPart extends UploadedPart {
  readonly data: string;
}

export function createMultipartUploads(
  workspace: Bucket,
  ports: { readonly clock: Clock; readonly random: Random },
  limits: UploadLimits,
): MultipartUploads {
  let partCount = 0;
  const randomHex = () => Array.from({ length: 32 }, () => ports.random.int(16).toString(16)).join("");
  const partKeyOf = (id: string, number: number) => `uploads/${id}/parts/${String(number).padStart(5, "0")}`;

  const readJson = async (key: string): Promise<Readonly<Record<string, unknown>> | undefined> => {
    try {
      const value: unknown = JSON.parse(new TextDecoder().decode(await workspace.get(key)));
      return typeof value === "object" && value !== null ? { ...value } : undefined;
    } catch (error) {
      if (error instanceof SyntaxError || (error instanceof BucketError && error.kind === "not-found"))
        return undefined;
      throw error;
    }
  };
  const writeJson = (key: string, value: object) => workspace.put(key, new TextEncoder().encode(JSON.stringify(value)));

  const readUpload = async (id: string): Promise<Upload | undefined> => {
    const value = await readJson(`uploads/${id}/upload`);
    if (value === undefined) return undefined;
    const { bucketName, key, startedMs, contentType, others } = value;
    if (typeof bucketName !== "string" || typeof key !== "string" || typeof startedMs !== "number") return undefined;
    if (typeof contentType !== "string") return undefined;
    return { id, bucketName, key, startedMs, headers: { contentType, others: others as ObjectHeaders["others"] } };
  };
  const readPart = async (id: string, number: number): Promise<StoredPart | undefined> => {
    const value = await readJson(partKeyOf(id, number));
    if (value === undefined) return undefined;
    const { etag, sizeBytes, modifiedMs, data } = value;
    if (typeof etag !== "string" || typeof data !== "string") return undefined;
    if (typeof sizeBytes !== "number" || typeof modifiedMs !== "number") return undefined;
    return { number, etag, sizeBytes, modifiedMs, data };
  };
  const listIds = async () => {
    const ids: string[] = [];
    for await (const entry of workspace.list("uploads/", { delimiter: "/" })) ids.push(entry.split("/")[1] ?? "");
    return ids;
  };
  const listStored = async (id: string) => {
    const parts: StoredPart[] = [];
    for await (const key of workspace.list(`uploads/${id}/parts/`)) {
      const part = await readPart(id, Number(key.slice(-5)));
      if (part !== undefined) parts.push(part);
    }
    return parts;
  };

  async function* bytesOf(parts: readonly StoredPart[]): AsyncGenerator<Uint8Array, void, undefined> {
    for (const { data, sizeBytes } of parts) {
      for (let at = 0; at < sizeBytes; at += limits.pieceBytes) {
        const length = Math.min(limits.pieceBytes, sizeBytes - at);
        const piece = await workspace.get(data, { offset: at, length });
        if (piece.length !== length) throw new S3Error("InternalError", "A part is shorter than it was.");
        yield piece;
      }
    }
  }

  return {
    start: async ({ bucketName, key, headers }) => {
      if ((await listIds()).length >= limits.uploadsMax) {
        throw new S3Error("SlowDown", `More than ${limits.uploadsMax} uploads in parts are under way.`);
      }
      const upload: Upload = { id: randomHex(), bucketName, key, headers, startedMs: ports.clock.wallMs() };
      await writeJson(`uploads/${upload.id}/upload`, { bucketName, key, startedMs: upload.startedMs, ...headers });
      return upload;
    },
    find: async (id, bucketName, key) => {
      const upload = /^[0-9a-f]{32}$/.test(id) ? await readUpload(id) : undefined;
      if (upload === undefined || upload.bucketName !== bucketName || upload.key !== key) {
        throw noSuchUpload();
      }
      return upload;
    },
    putPart: async (id, number, parts, signal) => {
      const before = await readPart(id, number);
      const data = `uploads/${id}/data/${String(number).padStart(5, "0")}-${ports.clock.wallMs()}-${partCount++}`;
      const { sizeBytes, modifiedMs, ...put } = await workspace.put(data, parts, { signal });
      const etag = bareEtag(put.etag);
      await writeJson(partKeyOf(id, number), { etag, sizeBytes, modifiedMs, data });
      if (before !== undefined) await workspace.delete(before.data);
      // The upload may have ended meanwhile; then nobody else would ever remove the part.
      if ((await readUpload(id)) === undefined) {
        await workspace.delete(partKeyOf(id, number));
        await workspace.delete(data);
        throw noSuchUpload();
      }
      return { number, etag, sizeBytes, modifiedMs };
    },
    listParts: listStored,
    assemble: async (id, named) => {
      if (named.some(({ number }, i) => i > 0 && number <= (named[i - 1]?.number ?? 0))) {
        throw new S3Error("InvalidPartOrder", "The list of parts was not in ascending order.");
      }
      const stored = new Map((await listStored(id)).map((part) => [part.number, part]));
      const parts: StoredPart[] = [];
      for (const [i, { number, etag }] of named.entries()) {
        const part = stored.get(number);
        if (part === undefined || part.etag !== etag) {
          throw new S3Error("InvalidPart", `Part ${number} was not found, or has another etag.`);
        }
        if (i < named.length - 1 && part.sizeBytes < limits.partBytesMin) {
          throw new S3Error(
            "EntityTooSmall",
            `Part ${number} has ${part.sizeBytes} bytes, at least ${limits.partBytesMin}.`,
          );
        }
        parts.push(part);
      }
      return { parts: bytesOf(parts), etag: etagOfParts(parts) };
    },
    remove: async (id) => {
      // First what makes it an upload: what is left of one that nobody knows is collected like any other.
      await workspace.delete(`uploads/${id}/upload`);
      const keys: string[] = [];
      for await (const key of workspace.list(`uploads/${id}/`)) keys.push(key);
      for (const key of keys) await workspace.delete(key);
    },
    list: async () => {
      const uploads: Upload[] = [];
      for (const id of await listIds()) {
        const upload = await readUpload(id);
        uploads.push(upload ?? { id, bucketName: "", key: "", headers: { contentType: "", others: {} }, startedMs: 0 });
      }
      return uploads;
    },
  };
}

function noSuchUpload(): S3Error {
  return new S3Error("NoSuchUpload", "There is no such upload: it may have been completed or aborted.");
}

/** MD5 over the MD5s of the parts, and their number: what clients expect of an upload in parts. */
function etagOfParts(parts: readonly StoredPart[]): string | undefined {
  const hash = createHash("md5");
  for (const { etag } of parts) {
    if (!/^[0-9a-f]{32}$/.test(etag)) return undefined;
    hash.update(etag, "hex");
  }
  return `${hash.digest("hex")}-${parts.length}`;
}
