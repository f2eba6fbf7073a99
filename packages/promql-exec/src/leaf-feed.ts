/** Cuts the series of one leaf into tasks, has them run, and hands over their results in the order of the series. */
import { formatChunkFailure } from "@pleiad/chunks";
import type { LeafPool } from "./leaf-pool.ts";
import { kernelNumber } from "./leaf-runner.ts";
import { createLeafTask, damageOf, headerWord, taskOutcome, type LeafShape, type LeafTask } from "./leaf-task.ts";
import type { QueryContext } from "./query-context.ts";
import { QueryError } from "./query-error.ts";

/** Thrown where tasks cannot give the answer, and the operators that decode series by series can. */
export class LeafUnfit extends Error {}

export interface LeafFeed {
  /** The task that is being filled. */
  readonly task: LeafTask;
  /** Ends the task that is being filled and begins another, when there is room for one. */
  turn(): Promise<void>;
  /** Resolves when the results of all series have been consumed. */
  finish(): Promise<void>;
  /** To be called at the end, whatever it is: gives back what is left. */
  close(): void;
}

/** Of one leaf, so that some of the memory is left for other queries. */
const leafTasksMax = 12;

/** For each processor one that runs and one that waits; and one that is filled, and one that is read. */
function tasksUseful({ processorCount }: LeafPool): number {
  return 2 * processorCount + 2;
}

/**
 * `consume` gets each task when it has run whole; what it needs of the slab it must copy. A single task runs on this
 * thread: others are asked from the second on, some 250,000 samples or 4,000 series.
 */
export async function createLeafFeed(
  pool: LeafPool,
  shape: LeafShape,
  untilMs: number,
  { pace, budget }: Pick<QueryContext, "pace" | "budget">,
  signal: AbortSignal,
  consume: (task: LeafTask, sampleCount: number) => void,
): Promise<LeafFeed> {
  const kernel = kernelNumber(shape.kernel);
  if (kernel === undefined) throw new LeafUnfit();
  const tasksMax = Math.min(tasksUseful(pool), leafTasksMax);
  const pending: LeafTask[] = []; // sealed, in order
  let queuedCount = 0; // of the first so many in `pending`, all other threads know
  let current: LeafTask | undefined;

  const settle = (task: LeafTask) => {
    const { words } = pool.views;
    const outcome = words[task.slab / 4 + headerWord.outcome];
    if (outcome === taskOutcome.damagedChunk) {
      const failure = damageOf(pool.views, task.slab);
      throw new QueryError("source", failure === undefined ? "damaged chunk" : formatChunkFailure(failure));
    }
    if (outcome === taskOutcome.overflow) throw new LeafUnfit();
    consume(task, words[task.slab / 4 + headerWord.sampleCount]);
    pending.shift();
    queuedCount = Math.max(0, queuedCount - 1);
    budget.giveBytes(task.byteLength);
    pool.giveSlab(task.slab);
  };

  /** Consumes the first task, or does something so that it can be. */
  const advance = async () => {
    const [first] = pending;
    const state = pool.endedNow(first.slab);
    if (state === "done") settle(first);
    else if (state === "lost") {
      throw new QueryError("execution", "a thread of the query engine ended in query execution");
    } else if (pool.runHere(first.slab)) settle(first);
    else if (!pool.runNextHere()) await pool.ended(first.slab);
    pace.check();
    if (pace.due()) await pace.rest();
  };

  const open = async () => {
    for (;;) {
      while (pending.length > 0 && pool.endedNow(pending[0].slab) === "done") settle(pending[0]);
      const slab = pending.length < tasksMax ? pool.takeSlab() : undefined;
      if (slab !== undefined) return createLeafTask(pool.views, slab, shape, kernel, untilMs);
      if (pending.length > 0) await advance();
      else await withSignal(pool.slabFreed(), signal);
      pace.check();
    }
  };

  const seal = () => {
    if (current === undefined) return;
    const task = current;
    current = undefined;
    if (task.seriesCount === 0) {
      pool.giveSlab(task.slab);
      return;
    }
    task.seal();
    pending.push(task);
    budget.takeBytes(task.byteLength);
    if (pending.length === 1 && queuedCount === 0) return;
    for (; queuedCount < pending.length; queuedCount++) pool.queue(pending[queuedCount].slab);
  };

  const first = await open();
  current = first;
  const feed = {
    task: first,
    async turn() {
      seal();
      current = feed.task = await open();
    },
    async finish() {
      seal();
      while (pending.length > 0) await advance();
    },
    close() {
      if (current !== undefined) pool.giveSlab(current.slab);
      current = undefined;
      for (const task of pending.splice(0)) {
        budget.giveBytes(task.byteLength);
        pool.abandon(task.slab);
      }
    },
  };
  return feed;
}

async function withSignal(work: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const aborted = Promise.withResolvers<void>();
  const onAbort = () => aborted.resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
