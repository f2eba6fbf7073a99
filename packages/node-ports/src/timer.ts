/** One thing to do later, which can be called off. */
import type { Clock } from "@pleiad/ports";

/** Made once: a reason of its own for each timer would capture a stack each time, more work than all the rest. */
const calledOff = new Error("the timer was called off");

/** Calls `act` after the span, unless the returned function is called before. */
export function startTimer(clock: Clock, spanMs: number, act: () => void): () => void {
  const controller = new AbortController();
  clock.sleep(spanMs, controller.signal).then(act, () => {
    // Called off: nothing is to be done.
  });
  return () => controller.abort(calledOff);
}
