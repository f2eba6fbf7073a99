/** The clock of this machine. */
import { performance } from "node:perf_hooks";
import type { Clock } from "@pleiad/ports";

// Node fires a timer at once when its span does not fit 31 bits.
const timerMsMax = 2_147_483_647;

export function nodeClock(): Clock {
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    sleep: async (spanMs, signal) => {
      signal?.throwIfAborted();
      for (let leftMs = spanMs; leftMs > 0; leftMs -= timerMsMax) await sleepOnce(Math.min(leftMs, timerMsMax), signal);
    },
    deadline: (spanMs, parent) => {
      // Node holds it weakly: one that is dropped costs nothing, or with a parent some 700 bytes until its time.
      const timeout = AbortSignal.timeout(Math.max(0, Math.min(Math.ceil(spanMs), timerMsMax)));
      return parent === undefined ? timeout : AbortSignal.any([timeout, parent]);
    },
    yield: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

function sleepOnce(spanMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, spanMs);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
