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
      if (spanMs > 0) await sleep(spanMs, signal);
    },
    after: startTimer,
    deadline: (spanMs, parent) => {
      // Node holds it weakly: one that is dropped costs nothing, or with a parent some 700 bytes until its time.
      const timeout = AbortSignal.timeout(Math.max(0, Math.min(Math.ceil(spanMs), timerMsMax)));
      return parent === undefined ? timeout : AbortSignal.any([timeout, parent]);
    },
    yield: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

function startTimer(spanMs: number, act: () => void): () => void {
  let leftMs = spanMs;
  let timer: NodeJS.Timeout | undefined;
  let isCalledOff = false;
  const wait = () => {
    const partMs = Math.min(leftMs, timerMsMax);
    leftMs -= partMs;
    timer = setTimeout(leftMs > 0 ? wait : act, partMs);
  };
  // Node's shortest span is a millisecond; where there is none to wait for, nothing else shall come first.
  if (spanMs > 0) wait();
  else {
    queueMicrotask(() => {
      if (!isCalledOff) act();
    });
  }
  return () => {
    isCalledOff = true;
    clearTimeout(timer);
  };
}

function sleep(spanMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = startTimer(spanMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    const onAbort = () => {
      stop();
      reject(signal?.reason as Error);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
