import type { Clock, Milliseconds } from "./clock.ts";

/**
 * Runs `work` under a signal that aborts with a `TimeoutError` after the span, or with its parent. The timer ends with
 * the work: where thousands of questions a minute each have minutes of time, `clock.deadline` would keep all of theirs.
 */
export async function withDeadline<T>(
  clock: Clock,
  spanMs: Milliseconds,
  parent: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const timer = new AbortController();
  const follow = () => deadline.abort(parent.reason);
  if (parent.aborted) follow();
  else parent.addEventListener("abort", follow, { once: true });
  clock.sleep(spanMs, timer.signal).then(
    () => deadline.abort(new DOMException(`no end within ${spanMs} ms`, "TimeoutError")),
    () => {
      // The work ended first.
    },
  );
  try {
    return await work(deadline.signal);
  } finally {
    // A reason of its own would capture a stack.
    timer.abort(workEnded);
    parent.removeEventListener("abort", follow);
  }
}

const workEnded = new Error("the work ended before its deadline");
