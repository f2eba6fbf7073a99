/** What a worker thread runs: loads its module, then answers messages one after the other. */
import { parentPort, workerData } from "node:worker_threads";
import type { ThreadModule } from "@pleiad/ports";

export interface ThreadStart {
  readonly moduleUrl: string;
  readonly data: unknown;
}

export interface ThreadAnswer {
  readonly value?: unknown;
  readonly failure?: string; // why there is no value
}

if (parentPort === null) throw new Error("not on a thread");
const port = parentPort;
const { moduleUrl, data } = workerData as ThreadStart;
const { onThread } = (await import(moduleUrl)) as ThreadModule;
const answer = onThread(data);

const answerOf = (message: unknown): ThreadAnswer => {
  try {
    return { value: answer(message) };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
};

port.on("message", (message) => port.postMessage(answerOf(message)));
