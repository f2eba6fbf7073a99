/** Where answers are kept: bytes by key. A cache that is down or slow is one that knows nothing. */
import { withDeadline, type Clock, type Observations } from "@pleiad/ports";

export interface ResultsCache {
  /** Undefined where it is not known. Rejects where the cache cannot be asked. The bytes are not to be changed. */
  read(key: string, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** Keeps the bytes, which belong to the cache from then on. Rejects where the cache cannot be asked. */
  write(key: string, value: Uint8Array, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface MemoryCacheOptions {
  readonly bytesMax: number; // of keys and values
  readonly itemsMax: number; // 0: as many as fit
  readonly itemBytesMax: number; // one that is larger is not kept
}

export const defaultMemoryCache: MemoryCacheOptions = {
  bytesMax: 64 * 1024 * 1024,
  itemsMax: 0,
  itemBytesMax: 8 * 1024 * 1024,
};

/** What an entry costs beside its bytes. */
const entryBytes = 128;

/** In this process; what was used least recently goes first. */
export function createMemoryCache(options: MemoryCacheOptions): ResultsCache & { readonly heldBytes: number } {
  const { bytesMax, itemBytesMax } = options;
  const itemsMax = options.itemsMax === 0 ? Infinity : options.itemsMax;
  const values = new Map<string, Uint8Array>(); // in the order of last use
  let heldBytes = 0;
  const sizeOf = (key: string, value: Uint8Array) => key.length + value.length + entryBytes;
  const remove = (key: string) => {
    const value = values.get(key);
    if (value === undefined) return;
    values.delete(key);
    heldBytes -= sizeOf(key, value);
  };
  return {
    get heldBytes() {
      return heldBytes;
    },
    async read(key) {
      const value = values.get(key);
      if (value === undefined) return undefined;
      values.delete(key);
      values.set(key, value);
      return value;
    },
    async write(key, value) {
      remove(key);
      if (value.length > itemBytesMax) return;
      values.set(key, value);
      heldBytes += sizeOf(key, value);
      for (const oldest of values.keys()) {
        if (heldBytes <= bytesMax && values.size <= itemsMax) break;
        remove(oldest);
      }
    },
    async close() {
      values.clear();
      heldBytes = 0;
    },
  };
}

export interface GuardOptions {
  readonly name: string; // in metrics
  readonly timeoutMs: number; // of one question
  readonly pauseMs: number; // not asked for so long after a failure
  readonly writesMax: number; // at once; more are left out
}

export const defaultGuard: Omit<GuardOptions, "name"> = { timeoutMs: 500, pauseMs: 5_000, writesMax: 64 };

/** A cache as its user sees it: nothing that it does or leaves undone is a failure, or takes long. */
export interface GuardedCache {
  read(key: string): Promise<Uint8Array | undefined>;
  /** Returns at once. */
  write(key: string, value: Uint8Array): void;
  close(): Promise<void>;
}

export function guardCache(
  cache: ResultsCache,
  { name, timeoutMs, pauseMs, writesMax }: GuardOptions,
  { clock, observations }: { readonly clock: Clock; readonly observations: Observations },
): GuardedCache {
  const fetched = observations.counter("cortex_cache_fetched_keys_total", "Keys asked of the cache.", ["name"]);
  const hits = observations.counter("cortex_cache_hits_total", "Keys that the cache knew.", ["name"]);
  const failures = observations.counter("pleiad_query_frontend_cache_failures_total", "Failures of the cache.", [
    "name",
    "operation",
  ]);
  const durations = observations.histogram(
    "cortex_cache_request_duration_seconds",
    "Time of questions to the cache.",
    [0.0001, 0.001, 0.01, 0.1, 0.5, 1],
    ["method"],
  );
  let pausedUntilMs = -Infinity;
  let writing = 0;
  const ask = async <T>(operation: string, work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> => {
    const startMs = clock.monotonicMs();
    if (startMs < pausedUntilMs) return undefined;
    try {
      return await withDeadline(clock, timeoutMs, never, async (signal) => await orAbort(work(signal), signal));
    } catch (error) {
      failures.add(1, name, operation);
      const reason = error instanceof Error ? error.message : String(error);
      if (clock.monotonicMs() >= pausedUntilMs) {
        observations.log("warn", "the cache of answers is left alone for a while", { cache: name, operation, reason });
      }
      pausedUntilMs = clock.monotonicMs() + pauseMs;
      return undefined;
    } finally {
      durations.observe((clock.monotonicMs() - startMs) / 1000, `${name}.${operation}`);
    }
  };
  return {
    async read(key) {
      fetched.add(1, name);
      const value = await ask("read", async (signal) => await cache.read(key, signal));
      if (value !== undefined) hits.add(1, name);
      return value;
    },
    write(key, value) {
      if (writing >= writesMax) return;
      writing++;
      void ask("write", async (signal) => await cache.write(key, value, signal)).finally(() => writing--);
    },
    close: async () => await cache.close(),
  };
}

/** Several caches as one, each with a share of the keys: one that is away takes its own with it, and no others. */
export function shareKeys(caches: readonly GuardedCache[]): GuardedCache {
  const cacheOf = (key: string) => {
    let sum = 0;
    for (let i = 0; i < key.length; i++) sum = (sum * 31 + key.charCodeAt(i)) >>> 0;
    return caches[sum % caches.length];
  };
  return {
    read: async (key) => await cacheOf(key)?.read(key),
    write: (key, value) => cacheOf(key)?.write(key, value),
    close: async () => void (await Promise.all(caches.map((cache) => cache.close()))),
  };
}

const never = new AbortController().signal;

/** A promise that ignores its signal is left behind when that aborts. */
function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    promise.then(resolve, reject);
  });
}
