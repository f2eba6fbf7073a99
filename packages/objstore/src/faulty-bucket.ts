/** A bucket that fails as told: for tests, drills and the simulator. */
import {
  BucketError,
  type Bucket,
  type BucketErrorKind,
  type Clock,
  type ObjectAttributes,
  type Random,
} from "@pleiad/ports";

export type BucketOperation = "put" | "get" | "attributes" | "list" | "delete";

export type BucketFault =
  /** Waits first; further rules still apply. */
  | { readonly kind: "latency"; readonly minMs: number; readonly maxMs: number }
  /** Fails without having done anything; a list fails after some of its keys. */
  | { readonly kind: "error"; readonly error: BucketErrorKind }
  /** Does it, then fails with "timeout": the caller cannot know. For what reads, a plain timeout. */
  | { readonly kind: "applied-then-timeout" }
  /** A get answers with a part of the bytes, as a broken connection that nobody noticed would. */
  | { readonly kind: "truncated-get" };

export interface BucketFaultRule {
  readonly operations?: readonly BucketOperation[]; // every operation, if not given
  readonly keyPrefix?: string; // every key, if not given
  readonly probability: number; // 0..1, for each operation anew
  readonly fault: BucketFault;
}

export interface BucketFaultPlan {
  readonly rules: readonly BucketFaultRule[]; // tried in order; the first failure that strikes is the one
}

export interface FaultyBucket extends Bucket {
  /** From the next operation on. */
  setPlan(plan: BucketFaultPlan): void;
}

export function withFaults(bucket: Bucket, plan: BucketFaultPlan, random: Random, clock: Clock): FaultyBucket {
  let { rules } = plan;

  /** Waits as long as the rules say, and gives the failure that strikes this operation, if one does. */
  const strike = async (operation: BucketOperation, key: string, signal: AbortSignal | undefined) => {
    for (const { operations, keyPrefix = "", probability, fault } of rules) {
      if (operations?.includes(operation) === false || !key.startsWith(keyPrefix)) continue;
      if (fault.kind === "truncated-get" && operation !== "get") continue;
      if (random.float() >= probability) continue;
      if (fault.kind !== "latency") return fault;
      await clock.sleep(fault.minMs + random.float() * (fault.maxMs - fault.minMs), signal);
    }
    return undefined;
  };
  const timeout = (key: string) => new BucketError("timeout", key, "no answer (injected)");
  const injected = (kind: BucketErrorKind, key: string) => new BucketError(kind, key, "injected");

  const run = async <T>(
    operation: BucketOperation,
    key: string,
    signal: AbortSignal | undefined,
    act: () => Promise<T>,
  ): Promise<T> => {
    const fault = await strike(operation, key, signal);
    if (fault?.kind === "error") throw injected(fault.error, key);
    const result = await act();
    if (fault?.kind === "applied-then-timeout") throw timeout(key);
    if (fault?.kind === "truncated-get" && result instanceof Uint8Array) {
      return result.subarray(0, random.int(result.length)) as typeof result;
    }
    return result;
  };

  return {
    name: bucket.name,
    setPlan: (next) => {
      rules = next.rules;
    },
    put: (key, body, options) =>
      run<ObjectAttributes>("put", key, options?.signal, () => bucket.put(key, body, options)),
    get: (key, range, signal) => run("get", key, signal, () => bucket.get(key, range, signal)),
    attributes: (key, signal) => run("attributes", key, signal, () => bucket.attributes(key, signal)),
    delete: (key, signal) => run("delete", key, signal, () => bucket.delete(key, signal)),
    async *list(prefix, options) {
      const fault = await strike("list", prefix, options?.signal);
      const kind = fault?.kind === "error" ? fault.error : fault === undefined ? undefined : "timeout";
      let keysLeft = kind === undefined ? Infinity : random.int(20);
      for await (const key of bucket.list(prefix, options)) {
        if (keysLeft-- === 0) break;
        yield key;
      }
      if (kind !== undefined) throw injected(kind, prefix);
    },
  };
}
