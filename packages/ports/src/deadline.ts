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
  const follow = () => deadline.abort(parent.reason);
  if (parent.aborted) follow();
  else parent.addEventListener("abort", follow, { once: true });
  const stop = clock.after(spanMs, () =>
    deadline.abort(new DOMException(`no end within ${spanMs} ms`, "TimeoutError")),
  );
  try {
    return await work(deadline.signal);
  } finally {
    stop();
    parent.removeEventListener("abort", follow);
  }
}

/** Waits for a loop that runs until its signal aborts: false where that has ended the wait. Other failures are thrown. */
export async function sleepUnlessAborted(clock: Clock, spanMs: Milliseconds, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(spanMs, signal);
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

/** An AbortController that aborts with its parent, too. */
export interface ChildAbort {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
  /** To be called at the end of the work: the parent holds it no more. */
  end(): void;
}

/** As `AbortSignal.any` for what has an end: that costs a multiple, and leaves its remains to the collector. */
export function childAbort(parent: AbortSignal): ChildAbort {
  const controller = new AbortController();
  const follow = () => controller.abort(parent.reason);
  if (parent.aborted) follow();
  else parent.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    end: () => parent.removeEventListener("abort", follow),
  };
}
