/** Bounds how many queries run at once and how many wait; the rest are told to come back later. */
import { fail, ok, type Result } from "@pleiad/model";

export interface QueryGateOptions {
  readonly concurrentMax: number;
  readonly waitingMax: number;
}

/** Room for the 200 queries at once that the fleet is designed for. */
export const defaultQueryGate: QueryGateOptions = { concurrentMax: 20, waitingMax: 200 };

export type GateFailure = { readonly kind: "full"; readonly waitingMax: number } | { readonly kind: "canceled" };

export interface QueryGate {
  /** A place if one is free; to be given back by a call, once. */
  tryEnter(): (() => void) | undefined;
  /** Waits for a place, in the order of arrival. */
  enter(signal: AbortSignal): Promise<Result<() => void, GateFailure>>;
  running(): number;
}

export function createQueryGate(options: QueryGateOptions): QueryGate {
  let running = 0;
  const waiting = new Set<() => void>();
  const leave = () => {
    running--;
    const [next] = waiting;
    if (next !== undefined) {
      waiting.delete(next);
      next();
    }
  };
  const tryEnter = () => {
    if (running >= options.concurrentMax) return undefined;
    running++;
    return leave;
  };
  return {
    running: () => running,
    tryEnter,
    async enter(signal) {
      if (signal.aborted) return fail({ kind: "canceled" });
      const place = tryEnter();
      if (place !== undefined) return ok(place);
      if (waiting.size >= options.waitingMax) return fail({ kind: "full", waitingMax: options.waitingMax });
      const placed = await new Promise<boolean>((resolve) => {
        const giveUp = () => {
          if (waiting.delete(take)) resolve(false);
        };
        const take = () => {
          // Counted at once: an arrival between this turn and the waiter's next one must not take the place.
          running++;
          signal.removeEventListener("abort", giveUp);
          resolve(true);
        };
        signal.addEventListener("abort", giveUp, { once: true });
        waiting.add(take);
      });
      return placed ? ok(leave) : fail({ kind: "canceled" });
    },
  };
}
