/** Work under a deadline that can be put off while the work shows that it goes on. */
import type { Clock } from "@pleiad/ports";

const restarted = new Error("the deadline was put off, or the work has ended");

/**
 * Runs `work` under a signal that aborts with a `TimeoutError` after the span, or with its parent. `allow` gives the
 * rest of the work another span from now on.
 */
export async function withPatience<T>(
  clock: Clock,
  spanMs: number,
  parent: AbortSignal | undefined,
  work: (signal: AbortSignal, allow: (spanMs: number) => void) => Promise<T>,
): Promise<T> {
  const ending = new AbortController();
  let timer = new AbortController();
  const allow = (nextMs: number) => {
    timer.abort(restarted);
    timer = new AbortController();
    clock.sleep(nextMs, timer.signal).then(
      () => ending.abort(new DOMException(`no end within ${Math.round(nextMs)} ms`, "TimeoutError")),
      () => {
        // Put off, or not needed any more.
      },
    );
  };
  const follow = () => ending.abort(parent?.reason);
  if (parent?.aborted === true) follow();
  parent?.addEventListener("abort", follow, { once: true });
  allow(spanMs);
  try {
    return await work(ending.signal, allow);
  } catch (error) {
    // What the work makes of its end says less than why it was ended.
    throw ending.signal.aborted ? ending.signal.reason : error;
  } finally {
    timer.abort(restarted);
    parent?.removeEventListener("abort", follow);
  }
}
