/**
 * Where leaves of all queries are computed: one memory that the threads of an engine share, cut into slabs, a task each.
 * A task in state `queued` belongs to whoever claims it first, the thread that asks included, in the order of tickets.
 */
import { createSharedMemory, memoryPageBytes, type SharedMemory } from "@pleiad/chunks";
import type { Thread, Threads } from "@pleiad/ports";
import { createLeafRunner, scratchBytes } from "./leaf-runner.ts";
import { createPagePool, type PagePool } from "./page-pool.ts";
import { headerWord, slabBytes, slabState, viewsOf, type MemoryViews } from "./leaf-task.ts";
import { claimAndRun, claimTask, leafThreadUrl, runClaimed, type LeafThreadData } from "./leaf-thread.ts";

export interface LeafPool {
  readonly views: MemoryViews;
  /** For what queries put together out of tasks; of this thread alone. */
  readonly pages: PagePool;
  /** How many tasks may run at once, this thread's included. */
  readonly processorCount: number;
  /** The address of a free slab; undefined while all are in use. To be given back. */
  takeSlab(): number | undefined;
  /** Resolves when a slab may be free. */
  slabFreed(): Promise<void>;
  giveSlab(slab: number): void;
  /** Offers the task in a slab to all threads. */
  queue(slab: number): void;
  /** Runs the task of a slab here, where no other thread has begun with it; tells whether it did. */
  runHere(slab: number): boolean;
  /** Runs the queued task whose turn it is here; false where there is none. */
  runNextHere(): boolean;
  /** Resolves when the queued task of a slab has ended: `done`, or `lost` where its thread has. */
  ended(slab: number): Promise<"done" | "lost">;
  /** `ended`, where it is so already. */
  endedNow(slab: number): "done" | "lost" | undefined;
  /** Has a task end early, if it can, since nobody waits for it; its slab is given back when no thread works on it. */
  abandon(slab: number): void;
  /** Ends all threads. */
  close(): Promise<void>;
}

/** What queries may hold at once, all of them together: 64 MiB. */
const slabCount = 32;
const threadsMax = 7;

/** 64 MiB: what an answer of 20,000 series and 240 steps takes has place, and half as much again for chunks. */
const pagesKeptMax = 256;

/** Where so many threads in a row ended without an answer, no more are started: this one does all the work then. */
const failedThreadsMax = 5;

interface Crewman {
  readonly thread: Thread;
  isAwake: boolean;
}

/** Without `threads`, or where more threads are no use, everything runs on the one that asks. Takes no memory yet. */
export function createLeafPool(threads: Threads | undefined): LeafPool {
  const threadCount = Math.min(threadsMax, threads?.countUseful ?? 0);
  const pages = Math.ceil((slabCount * slabBytes + (threadCount + 1) * scratchBytes) / memoryPageBytes);
  const memory: SharedMemory = createSharedMemory(pages, pages);
  const views = viewsOf(memory.buffer);
  const scratchOf = (thread: number) => slabCount * slabBytes + thread * scratchBytes;
  const runHere = createLeafRunner(memory, scratchOf(0));
  const free = Array.from({ length: slabCount }, (_, i) => (slabCount - 1 - i) * slabBytes);
  const crew: (Crewman | undefined)[] = Array.from({ length: threadCount }, () => undefined);
  let nextTicket = 0;
  let failedInARow = 0; // threads that ended instead of answering
  let freed = Promise.withResolvers<void>();
  const stateAt = (slab: number) => slab / 4 + headerWord.state;

  const wake = (number: number) => {
    let crewman = crew[number];
    if (crewman?.thread.ended === true) crewman = undefined;
    if (crewman === undefined && threads !== undefined && failedInARow < failedThreadsMax) {
      const data: LeafThreadData = { memory, slabCount, scratch: scratchOf(number + 1), number: number + 1 };
      crewman = { thread: threads.start(leafThreadUrl, data), isAwake: false };
      crew[number] = crewman;
    }
    if (crewman === undefined || crewman.isAwake) return;
    const awake = crewman;
    awake.isAwake = true;
    awake.thread.call(undefined).then(
      () => {
        failedInARow = 0;
        awake.isAwake = false;
        // One may have been queued after it had looked for the last time.
        if (isAnyQueued(views, slabCount)) wake(number);
      },
      () => {
        awake.isAwake = false;
        failedInARow++;
        if (crew[number] === awake) crew[number] = undefined;
        loseTasks(views, slabCount, number + 1);
        awake.thread.close().catch(ignore);
      },
    );
  };

  const endedNow = (slab: number) => {
    const state = Atomics.load(views.states, stateAt(slab));
    return state === slabState.done ? "done" : state === slabState.lost ? "lost" : undefined;
  };

  const ended = async (slab: number) => {
    for (;;) {
      const state = Atomics.load(views.states, stateAt(slab));
      if (state === slabState.done) return "done";
      if (state === slabState.lost) return "lost";
      const waited = Atomics.waitAsync(views.states, stateAt(slab), state);
      if (waited.async) await waited.value;
    }
  };

  const giveSlab = (slab: number) => {
    Atomics.store(views.states, stateAt(slab), slabState.idle);
    free.push(slab);
    freed.resolve();
    freed = Promise.withResolvers<void>();
  };

  return {
    views,
    pages: createPagePool(pagesKeptMax),
    processorCount: threadCount + 1,
    takeSlab: () => free.pop(),
    slabFreed: async () => await freed.promise,
    giveSlab,
    queue(slab) {
      views.words[slab / 4 + headerWord.ticket] = nextTicket++;
      Atomics.store(views.states, stateAt(slab), slabState.queued);
      for (let number = 0; number < threadCount; number++) wake(number);
    },
    runHere(slab) {
      Atomics.compareExchange(views.states, stateAt(slab), slabState.idle, slabState.queued);
      if (!claimTask(views, slab, 0)) return false;
      runClaimed(views, slab, runHere);
      return true;
    },
    runNextHere: () => claimAndRun(views, slabCount, 0, runHere),
    ended,
    endedNow,
    abandon(slab) {
      Atomics.store(views.states, slab / 4 + headerWord.stop, 1);
      const state = Atomics.compareExchange(views.states, stateAt(slab), slabState.queued, slabState.done);
      if (state < slabState.claimed) giveSlab(slab);
      else ended(slab).then(() => giveSlab(slab), ignore);
    },
    async close() {
      await Promise.all(crew.map(async (crewman) => await crewman?.thread.close()));
    },
  };
}

function isAnyQueued({ states }: MemoryViews, slabCount: number): boolean {
  for (let i = 0; i < slabCount; i++) {
    if (Atomics.load(states, (i * slabBytes) / 4 + headerWord.state) === slabState.queued) return true;
  }
  return false;
}

/** What a thread had claimed when it ended will not be done. */
function loseTasks({ states }: MemoryViews, slabCount: number, thread: number): void {
  for (let i = 0; i < slabCount; i++) {
    const at = (i * slabBytes) / 4 + headerWord.state;
    if (
      Atomics.compareExchange(states, at, slabState.claimed + thread, slabState.lost) ===
      slabState.claimed + thread
    ) {
      Atomics.notify(states, at);
    }
  }
}

function ignore(): void {
  // A thread that is ending anyway.
}
