/**
 * Who goes downstream next. Each tenant has a queue of its own, and the queues take turns: one that asks a hundred times
 * as much waits for itself. Admission counts whole requests, so that none fails half-way for want of room.
 */
import { fail, ok, type Result } from "@pleiad/model";

export interface TenantQueueOptions {
  readonly concurrentMax: number; // questions to the queriers at once
  readonly requestsPerTenantMax: number; // admitted at once
  readonly requestsMax: number; // of all tenants
}

export const defaultTenantQueue: TenantQueueOptions = {
  concurrentMax: 40,
  requestsPerTenantMax: 200,
  requestsMax: 1_000,
};

export type AdmissionFailure =
  | { readonly kind: "tenant-full"; readonly max: number }
  | { readonly kind: "full"; readonly max: number };

export interface TenantQueue {
  /** Lets a request in, or says why not. To be ended by a call, once. */
  admit(tenant: string): Result<() => void, AdmissionFailure>;
  /** Waits for a turn of an admitted request; to be ended by a call, once. Rejects with the signal's reason. */
  enter(tenant: string, signal: AbortSignal): Promise<() => void>;
  waiting(): number;
  running(): number;
}

export function createTenantQueue(options: TenantQueueOptions): TenantQueue {
  const { concurrentMax, requestsPerTenantMax, requestsMax } = options;
  const admitted = new Map<string, number>();
  let admittedCount = 0;
  // In the order of their turns; a tenant is here while it waits.
  const queues = new Map<string, Set<() => void>>();
  let running = 0;
  const leave = () => {
    running--;
    const [turn] = queues;
    if (turn === undefined) return;
    const [tenant, queue] = turn;
    const [next] = queue;
    queues.delete(tenant);
    if (next === undefined) return;
    queue.delete(next);
    // Behind all others.
    if (queue.size > 0) queues.set(tenant, queue);
    // Counted at once: whoever comes between must not take the place.
    running++;
    next();
  };
  return {
    waiting: () => [...queues.values()].reduce((sum, queue) => sum + queue.size, 0),
    running: () => running,
    admit(tenant) {
      const own = admitted.get(tenant) ?? 0;
      if (admittedCount >= requestsMax) return fail({ kind: "full", max: requestsMax });
      if (own >= requestsPerTenantMax) return fail({ kind: "tenant-full", max: requestsPerTenantMax });
      admittedCount++;
      admitted.set(tenant, own + 1);
      return ok(() => {
        admittedCount--;
        const left = (admitted.get(tenant) ?? 1) - 1;
        if (left === 0) admitted.delete(tenant);
        else admitted.set(tenant, left);
      });
    },
    async enter(tenant, signal) {
      signal.throwIfAborted();
      if (running < concurrentMax) {
        running++;
        return leave;
      }
      await new Promise<void>((resolve, reject) => {
        const queue = queues.get(tenant) ?? new Set();
        queues.set(tenant, queue);
        const giveUp = () => {
          queue.delete(take);
          if (queue.size === 0 && queues.get(tenant) === queue) queues.delete(tenant);
          reject(signal.reason as Error);
        };
        const take = () => {
          signal.removeEventListener("abort", giveUp);
          resolve();
        };
        signal.addEventListener("abort", giveUp, { once: true });
        queue.add(take);
      });
      return leave;
    },
  };
}
