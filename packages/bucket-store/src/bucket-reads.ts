/** Range reads of a bucket: bounded in number and time, tried again, whole or not at all. */
import { BucketError, withDeadline, type Bucket, type Ports } from "@pleiad/ports";
import { Gate } from "./gate.ts";

export interface BucketReadOptions {
  readonly readsAtOnceMax: number;
  readonly readTimeoutMs: number; // of one attempt
  readonly readAttemptsMax: number;
}

export interface BucketReads {
  /** Exactly `length` bytes from `offset`. Throws BucketError, or the reason of the signal. */
  read(key: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  sizeOf(key: string, signal?: AbortSignal): Promise<number>;
  list(prefix: string, signal?: AbortSignal): AsyncIterable<string>;
}

const firstPauseMs = 100;
const never = new AbortController().signal;

export function createBucketReads(
  bucket: Bucket,
  { readsAtOnceMax, readTimeoutMs, readAttemptsMax }: BucketReadOptions,
  { clock, random }: Pick<Ports, "clock" | "random">,
): BucketReads {
  const gate = new Gate(readsAtOnceMax);

  async function attempt<T>(key: string, parent: AbortSignal, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const leave = await gate.enter(parent);
    try {
      return await withDeadline(clock, readTimeoutMs, parent, (signal) => orAborted(ask(signal), signal));
    } catch (error) {
      if (parent.aborted || error instanceof BucketError) throw error;
      if (!(error instanceof DOMException) || error.name !== "TimeoutError") throw error;
      throw new BucketError("timeout", key, `no answer within ${readTimeoutMs} ms`);
    } finally {
      leave();
    }
  }

  async function insist<T>(key: string, signal: AbortSignal, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (let attempts = 1; ; attempts++) {
      try {
        return await attempt(key, signal, ask);
      } catch (error) {
        if (signal.aborted || attempts >= readAttemptsMax || !isPassing(error)) throw error;
      }
      // Half of it is chance, so that questions that failed together do not come back together.
      await clock.sleep(firstPauseMs * 2 ** (attempts - 1) * (0.5 + random.float()), signal);
    }
  }

  return {
    read: async (key, offset, length, signal = never) =>
      await insist(key, signal, async (attemptSignal) => {
        const bytes = await bucket.get(key, { offset, length }, attemptSignal);
        if (bytes.length === length) return bytes;
        throw new BucketError("unavailable", key, `${bytes.length} of ${length} bytes came`);
      }),
    sizeOf: (key, signal = never) =>
      insist(key, signal, async (attemptSignal) => (await bucket.attributes(key, attemptSignal)).sizeBytes),
    list: (prefix, signal = never) => bucket.list(prefix, { signal }),
  };
}

/** Whether the next attempt may do better. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof BucketError)) return false;
  return error.kind !== "not-found" && error.kind !== "access-denied" && error.kind !== "invalid-key";
}

/** Does not wait for what ignores its signal. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
