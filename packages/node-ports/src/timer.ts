/** One thing to do later, which can be called off. */
import type { Clock } from "@pleiad/ports";

/** Calls `act` after the span, unless the returned function is called before. */
export function startTimer(clock: Clock, spanMs: number, act: () => void): () => void {
  const controller = new AbortController();
  clock.sleep(spanMs, controller.signal).then(act, () => {
    // Called off: nothing is to be done.
  });
  return () => controller.abort();
}
