/** Threads of this process, as worker threads of Node. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { ThreadError, type Thread, type Threads } from "@pleiad/ports";
import type { ThreadAnswer, ThreadStart } from "./thread-process.ts";

export function nodeThreads(): Threads {
  return { countUseful: availableParallelism() - 1, start: startThread };
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: ThreadError) => void;
}

function startThread(moduleUrl: string, data: unknown): Thread {
  const workerData: ThreadStart = { moduleUrl, data };
  const worker = new Worker(new URL("./thread-process.ts", import.meta.url), { workerData, name: "pleiad" });
  const waiting: Waiting[] = []; // in the order of their calls, which is that of the answers
  let cause: string | undefined;
  let ended = false;
  const end = (why: string) => {
    ended = true;
    for (const { reject } of waiting.splice(0)) reject(new ThreadError("ended", why));
  };
  worker.unref();
  worker.on("message", ({ value, failure }: ThreadAnswer) => {
    const call = waiting.shift();
    if (waiting.length === 0 && !ended) worker.unref();
    if (failure === undefined) call?.resolve(value);
    else call?.reject(new ThreadError("failed", failure));
  });
  worker.on("error", (error) => {
    cause = error instanceof Error ? error.message : String(error);
  });
  worker.on("exit", (code) => end(`thread of ${moduleUrl} has ended: ${cause ?? `exit code ${code}`}`));
  return {
    call: (message) =>
      new Promise((resolve, reject) => {
        if (ended) {
          reject(new ThreadError("ended", `thread of ${moduleUrl} has ended`));
          return;
        }
        if (waiting.length === 0) worker.ref();
        waiting.push({ resolve, reject });
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
        worker.postMessage(message);
      }),
    get ended() {
      return ended;
    },
    async close() {
      cause ??= "it was closed";
      ended = true;
      // Who waits for the end must not find the process gone before it.
      worker.ref();
      await worker.terminate();
    },
  };
}
