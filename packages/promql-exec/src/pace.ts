/** Keeps a long evaluation from holding up everything else in the process, and ends it when it is told to. */
import type { Clock } from "@pleiad/ports";
import { QueryError } from "./query-error.ts";

const workMs = 5;

export interface Pace {
  /** True once about 5 ms were worked without a rest. Cheap: ask once a series or a step, then await `rest`. */
  due(): boolean;
  /** Lets others run; throws a QueryError when the query was canceled or its time is over. */
  rest(): Promise<void>;
  /** Only the check. */
  check(): void;
}

/** `deadline` aborts when the time is over or with `caller`, which tells the two apart. */
export function createPace(clock: Clock, deadline: AbortSignal, caller: AbortSignal): Pace {
  let sinceMs = clock.monotonicMs();
  const check = () => {
    if (!deadline.aborted) return;
    throw caller.aborted
      ? new QueryError("canceled", "query was canceled in expression evaluation")
      : new QueryError("timeout", "query timed out in expression evaluation");
  };
  return {
    due: () => clock.monotonicMs() - sinceMs >= workMs,
    async rest() {
      check();
      await clock.yield();
      check();
      sinceMs = clock.monotonicMs();
    },
    check,
  };
}
