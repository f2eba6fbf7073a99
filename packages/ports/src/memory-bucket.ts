/** A bucket in memory, for tests. */
import { BucketError, type Bucket, type ListOptions, type ObjectAttributes } from "./bucket.ts";
import { joinBytes } from "./byte-parts.ts";
import { checkKey } from "./object-key.ts";

export interface MemoryBucket extends Bucket {
  /** Every object as it stands, by key: to be looked at, cut short, or changed by a test. */
  readonly objects: Map<string, Uint8Array>;
  /** Requests so far by operation; a list counts one for each page of a thousand keys, as storage would be asked. */
  readonly requests: Readonly<Record<"put" | "get" | "attributes" | "list" | "delete", number>>;
}

const keysPerPage = 1000;

/** `wallMs` tells when an object was written. */
export function memoryBucket(wallMs: () => number = () => 0, name = "memory"): MemoryBucket {
  const objects = new Map<string, Uint8Array>();
  const modifiedMs = new Map<string, number>();
  const requests = { put: 0, get: 0, attributes: 0, list: 0, delete: 0 };

  const begin = (operation: keyof typeof requests, key: string | undefined, signal: AbortSignal | undefined) => {
    signal?.throwIfAborted();
    if (key !== undefined) checkKey(key);
    requests[operation]++;
  };
  const contentOf = (key: string) => {
    const content = objects.get(key);
    if (content === undefined) throw new BucketError("not-found", key, "no such object");
    return content;
  };
  const attributesOf = (key: string): ObjectAttributes => {
    const content = contentOf(key);
    return { sizeBytes: content.length, etag: etagOf(content), modifiedMs: modifiedMs.get(key) ?? 0 };
  };

  return {
    name,
    objects,
    requests,
    put: async (key, body, options = {}) => {
      begin("put", key, options.signal);
      const content = await wholeOf(body);
      options.signal?.throwIfAborted();
      if (options.ifAbsent === true && objects.has(key)) {
        throw new BucketError("precondition", key, "the key is taken");
      }
      objects.set(key, content);
      modifiedMs.set(key, wallMs());
      return attributesOf(key);
    },
    get: async (key, range, signal) => {
      begin("get", key, signal);
      const content = contentOf(key);
      return range === undefined ? content.slice() : content.slice(range.offset, range.offset + range.length);
    },
    attributes: async (key, signal) => {
      begin("attributes", key, signal);
      return attributesOf(key);
    },
    delete: async (key, signal) => {
      begin("delete", key, signal);
      objects.delete(key);
      modifiedMs.delete(key);
    },
    async *list(prefix, { after, delimiter, signal }: ListOptions = {}) {
      begin("list", undefined, signal);
      // As it stands now: what comes or goes during the listing is not seen.
      const entries = new Set<string>();
      for (const key of objects.keys()) {
        if (!key.startsWith(prefix)) continue;
        const cut = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
        const entry = cut < 0 ? key : key.slice(0, cut + 1);
        if (after === undefined || compareUtf8(entry, after) > 0 || (cut >= 0 && compareUtf8(key, after) > 0)) {
          if (entry !== after) entries.add(entry);
        }
      }
      let given = 0;
      for (const entry of [...entries].sort(compareUtf8)) {
        signal?.throwIfAborted();
        if (given > 0 && given % keysPerPage === 0) requests.list++;
        given++;
        yield entry;
      }
    },
  };
}

async function wholeOf(body: Uint8Array | AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body.slice();
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part.slice());
  return joinBytes(parts);
}

/** The content's length and FNV-1a hash. */
function etagOf(content: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of content) hash = Math.imul(hash ^ byte, 0x01000193);
  return `"${content.length}-${(hash >>> 0).toString(16)}"`;
}

function compareUtf8(a: string, b: string): number {
  const encoder = new TextEncoder();
  const x = encoder.encode(a);
  const y = encoder.encode(b);
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const order = (x[i] ?? 0) - (y[i] ?? 0);
    if (order !== 0) return order;
  }
  return x.length - y.length;
}
