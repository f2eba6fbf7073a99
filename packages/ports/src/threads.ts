/**
 * Other threads of this process: for work that would hold up everything else. Nothing object-shaped should pass: a message
 * is copied, at a cost for each object in it; numbers, and memory that both threads have, cost next to nothing.
 */
export interface Threads {
  /** How many can run at once beside the one that asks: the processors less one. 0 where starting one would not help. */
  readonly countUseful: number;
  /** Starts a thread that loads a module, a `ThreadModule`, and gives it `data`. A module that fails ends its thread. */
  start(moduleUrl: string, data: unknown): Thread;
}

export interface Thread {
  /**
   * Has the module answer a message. Messages are answered one after the other, in their order. Rejects with a ThreadError
   * where the module throws, and where the thread ends first. A thread keeps the process alive only while it is called.
   */
  call(message: unknown): Promise<unknown>;
  /** True once the thread has ended, whatever the cause: every call fails from then on. */
  readonly ended: boolean;
  /** Ends the thread at once, in the middle of its work if need be. */
  close(): Promise<void>;
}

/** What a module that is run on a thread exports. */
export interface ThreadModule {
  /** Called once with the data of `start`; gives the function that answers messages. */
  readonly onThread: (data: unknown) => (message: unknown) => unknown;
}

/** `failed`: the module threw, and the thread lives on. `ended`: there is no thread any more. */
export class ThreadError extends Error {
  readonly kind: "failed" | "ended";

  constructor(kind: ThreadError["kind"], message: string) {
    super(message);
    this.name = "ThreadError";
    this.kind = kind;
  }
}
