/** Lets a bounded number of queries run at once; the others wait their turn, a bounded number of them too. */
import { fail, ok, type Result } from "@pleiad/model";
import type { QueryFailure } from "./answer.ts";

export interface QueryQueue {
  /** Runs `work` when there is room, or fails. Those that wait are served in order. */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<Result<T, QueryFailure>>;
}

export function createQueryQueue(concurrencyMax: number, waitingMax: number): QueryQueue {
  let running = 0;
  const waiting: { start(): void }[] = [];
  const leave = () => {
    running--;
    waiting.shift()?.start();
  };
  return {
    async run(work, signal) {
      if (running >= concurrencyMax) {
        if (waiting.length >= waitingMax) {
          return fail({ kind: "timeout", message: `query queue is full: ${waitingMax} queries are waiting` });
        }
        const started = await new Promise<boolean>((resolve) => {
          const giveUp = () => {
            waiting.splice(waiting.indexOf(entry), 1);
            resolve(false);
          };
          const entry = {
            start() {
              // Counted at once: an arrival before the waiter's next turn must not take its place.
              running++;
              signal.removeEventListener("abort", giveUp);
              resolve(true);
            },
          };
          waiting.push(entry);
          if (signal.aborted) giveUp();
          else signal.addEventListener("abort", giveUp, { once: true });
        });
        if (!started) return fail(endedInQueue(signal));
      } else {
        running++;
      }
      try {
        return ok(await work());
      } finally {
        leave();
      }
    },
  };
}

function endedInQueue(signal: AbortSignal): QueryFailure {
  const reason: unknown = signal.reason;
  const isTimeout = reason instanceof Error && reason.name === "TimeoutError";
  return isTimeout
    ? { kind: "timeout", message: "query timed out in query queue" }
    : { kind: "canceled", message: "query was canceled in query queue" };
}
