/** Series from one of several replicas, read ahead a little; another replica goes on where one fails. */
import {
  compareLabels,
  type Labels,
  type SelectRequest,
  type SeriesCursor,
  type SourceFailure,
  type SourceSeries,
} from "@pleiad/model";
import type { Clock } from "@pleiad/ports";
import type { Endpoint, Trouble } from "./endpoint.ts";
import { namedWarnings } from "./endpoint-warnings.ts";
import { describeTrouble } from "./rpc-failures.ts";

export interface ReplicaStream {
  /** The first series that is not passed yet. Undefined before `ready` and at the end. */
  readonly current: SourceSeries | undefined;
  /** Passes the current series. False where the next one, or the end, is not here yet: await `ready` then. */
  advance(): boolean;
  /** Resolves when `current` says what comes next. Never rejects. */
  ready(): Promise<void>;
  /** At the end: why no replica could give all. Undefined = the series are whole. */
  readonly failure: SourceFailure | undefined;
  readonly troubles: readonly Trouble[]; // of the replicas that failed
  readonly warnings: readonly string[]; // of the replica that answered
  readonly gaveSeries: boolean;
  readonly receivedBytes: number;
  close(): void;
}

export interface ReplicaStreamOptions {
  readonly batchesAheadMax: number; // read and not yet passed; over it the peer is not read
  /** While another replica is left, one that gives nothing for this long is given up. */
  readonly firstAnswerMs: number;
}

/** `replicas` are tried in their order. */
export function openReplicaStream(
  replicas: readonly Endpoint[],
  request: SelectRequest,
  signal: AbortSignal,
  clock: Clock,
  { batchesAheadMax, firstAnswerMs }: ReplicaStreamOptions,
): ReplicaStream {
  const queue: (readonly SourceSeries[])[] = [];
  const troubles: Trouble[] = [];
  let batch: readonly SourceSeries[] = [];
  let at = 0;
  let current: SourceSeries | undefined;
  let cursor: (SeriesCursor & { readonly receivedBytes: number }) | undefined;
  let lastQueued: Labels | undefined;
  let bytesBefore = 0; // received from replicas that failed
  let failure: SourceFailure | undefined;
  let warnings: readonly string[] = [];
  let started = false;
  let finished = false; // nothing more will be queued
  let closed = false;
  let wakeReader = () => {};
  let wakePump = () => {};

  async function pump() {
    for (const [i, replica] of replicas.entries()) {
      cursor = replica.client.select(request, signal);
      failure = await drain(cursor, replica, i + 1 < replicas.length);
      if (closed) break;
      if (failure === undefined) {
        warnings = namedWarnings(replica, cursor.warnings);
        break;
      }
      troubles.push({ words: describeTrouble(failure, replica.spec.address), address: replica.spec.address });
      bytesBefore += cursor.receivedBytes;
      cursor = undefined;
      // A request that is wrong or too large for one replica is so for all.
      if (failure.kind === "canceled" || failure.kind === "invalid" || failure.kind === "limit") break;
    }
    finished = true;
    wakeReader();
  }

  async function drain(from: SeriesCursor, replica: Endpoint, othersLeft: boolean): Promise<SourceFailure | undefined> {
    const resumedAfter = lastQueued;
    const first = from.next();
    if (othersLeft && !(await settlesWithin(first, firstAnswerMs, clock, signal))) {
      from.close();
      return { kind: "timeout", source: replica.spec.name, afterMs: firstAnswerMs };
    }
    for (let next = await first; next !== undefined; next = await from.next()) {
      const fresh = resumedAfter === undefined ? next : seriesAfter(next, resumedAfter);
      const last = fresh.at(-1);
      if (last === undefined) continue;
      lastQueued = last.labels;
      queue.push(fresh);
      wakeReader();
      while (queue.length >= batchesAheadMax && !closed) {
        await new Promise<void>((resolve) => {
          wakePump = resolve;
        });
      }
      if (closed) return undefined;
    }
    return from.failure;
  }

  function takeBatch(): boolean {
    const next = queue.shift();
    if (next === undefined) return false;
    batch = next;
    at = 0;
    current = batch[0];
    wakePump();
    return true;
  }

  return {
    get current() {
      return current;
    },
    advance() {
      at++;
      current = batch[at];
      return current !== undefined || takeBatch() || finished;
    },
    async ready() {
      if (!started) {
        started = true;
        void pump();
      }
      while (current === undefined && !takeBatch() && !finished) {
        await new Promise<void>((resolve) => {
          wakeReader = resolve;
        });
      }
    },
    get failure() {
      return finished && queue.length === 0 ? failure : undefined;
    },
    get troubles() {
      return troubles;
    },
    get warnings() {
      return warnings;
    },
    get gaveSeries() {
      return lastQueued !== undefined;
    },
    get receivedBytes() {
      return bytesBefore + (cursor?.receivedBytes ?? 0);
    },
    close() {
      closed = true;
      finished = true;
      queue.length = 0;
      batch = [];
      current = undefined;
      cursor?.close();
      wakePump();
      wakeReader();
    },
  };
}

/** What of a sorted batch comes after `labels`: replicas hold the same series in the same order. */
function seriesAfter(batch: readonly SourceSeries[], labels: Labels): readonly SourceSeries[] {
  const from = batch.findIndex((one) => compareLabels(one.labels, labels) > 0);
  return from === -1 ? [] : batch.slice(from);
}

/** Whether a promise settles within a time, or is no longer waited for. It goes on when it does not. */
export async function settlesWithin(
  promise: Promise<unknown>,
  spanMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  return await new Promise((resolve) => {
    const end = (isSettled: boolean) => {
      stopTimer();
      signal.removeEventListener("abort", settled);
      resolve(isSettled);
    };
    const settled = () => end(true); // of a request that was aborted, too: what was waited for ends by itself
    const stopTimer = clock.after(spanMs, () => end(false));
    promise.then(settled, settled);
    if (signal.aborted) settled();
    else signal.addEventListener("abort", settled, { once: true });
  });
}
