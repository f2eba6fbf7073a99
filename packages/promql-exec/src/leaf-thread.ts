/** What the threads of a leaf pool run: each claims queued tasks, and runs them, until there are none. */
import type { SharedMemory } from "@pleiad/chunks";
import type { ThreadModule } from "@pleiad/ports";
import { createLeafRunner } from "./leaf-runner.ts";
import { headerWord, slabBytes, slabState, viewsOf, type MemoryViews } from "./leaf-task.ts";

export const leafThreadUrl = import.meta.url;

export interface LeafThreadData {
  readonly memory: SharedMemory;
  readonly slabCount: number;
  readonly scratch: number; // address of the thread's own room
  readonly number: number; // of the thread, from 1
}

export const onThread: ThreadModule["onThread"] = (data) => {
  const { memory, slabCount, scratch, number } = data as LeafThreadData;
  const views = viewsOf(memory.buffer);
  const run = createLeafRunner(memory, scratch);
  return () => {
    while (claimAndRun(views, slabCount, number, run));
  };
};

/** Runs the queued task with the lowest ticket; false where there is none. */
export function claimAndRun(
  views: MemoryViews,
  slabCount: number,
  thread: number,
  run: (slab: number) => void,
): boolean {
  for (;;) {
    let first = -1;
    for (let i = 0; i < slabCount; i++) {
      const slab = i * slabBytes;
      if (Atomics.load(views.states, slab / 4 + headerWord.state) !== slabState.queued) continue;
      // Tickets go round: the difference tells which is lower.
      if (first < 0 || ((ticketOf(views, slab) - ticketOf(views, first)) | 0) < 0) first = slab;
    }
    if (first < 0) return false;
    if (!claimTask(views, first, thread)) continue;
    runClaimed(views, first, run);
    return true;
  }
}

/** Claims the queued task of a slab; false where another thread was faster. */
export function claimTask({ states }: MemoryViews, slab: number, thread: number): boolean {
  const at = slab / 4 + headerWord.state;
  return Atomics.compareExchange(states, at, slabState.queued, slabState.claimed + thread) === slabState.queued;
}

export function runClaimed({ states }: MemoryViews, slab: number, run: (slab: number) => void): void {
  const at = slab / 4 + headerWord.state;
  let state: number = slabState.lost;
  try {
    run(slab);
    state = slabState.done;
  } finally {
    Atomics.store(states, at, state);
    Atomics.notify(states, at);
  }
}

function ticketOf({ words }: MemoryViews, slab: number): number {
  return words[slab / 4 + headerWord.ticket];
}
