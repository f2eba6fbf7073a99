/**
 * The memory for answers, one bound for all queries: bytes are counted as they come from queriers and from the cache, until
 * the last client that gets them has got them. A query begins where there should be room for it: while less than half is
 * held, and as many as would fit if all were as large as the largest one lately. One that began, and for which there is no
 * room any more, is refused: it waits for nobody, so that queries cannot wait for each other.
 */

export interface AnswerRoomOptions {
  readonly bytesMax: number;
}

export interface AnswerRoom {
  /** Waits its turn until a query may begin; to be released at its end. Rejects with the signal's reason. */
  begin(signal: AbortSignal): Promise<HeldBytes>;
  /** What is to be shared with queries. Holds nothing yet, and has one holder. */
  open(): HeldBytes;
  readonly bytesMax: number;
  heldBytes(): number;
  waiting(): number;
}

/** Bytes that are held together, for as long as they have a holder. */
export interface HeldBytes {
  /** False where there is no room; then nothing more is held. */
  take(bytes: number): boolean;
  /** These bytes instead of all that were taken and shared; never refused. */
  become(bytes: number): void;
  /** Holds what others hold too: it is counted once. */
  share(other: HeldBytes): void;
  retain(): void;
  release(): void;
  /** Own and shared ones. */
  bytes(): number;
}

/** How much of the largest answer lately is left of it with each further one. */
const forgetting = 0.9;

export function createAnswerRoom({ bytesMax }: AnswerRoomOptions): AnswerRoom {
  const queue = new Set<() => void>();
  let held = 0;
  let running = 0;
  let expectedBytes = 0; // of one query

  const mayBegin = () => running === 0 || (held < bytesMax / 2 && (running + 1) * expectedBytes <= bytesMax);

  function letBegin(): void {
    for (const next of queue) {
      if (!mayBegin()) return;
      queue.delete(next);
      next();
    }
  }

  function add(bytes: number): void {
    held += bytes;
    if (bytes < 0) letBegin();
  }

  /** `ended` is told the most that was held, when nobody holds it for the first time. */
  function openHeld(ended?: (bytesMost: number) => void): HeldBytes {
    let own = 0;
    let holders = 1;
    let shared: HeldBytes[] = [];
    let most = 0;
    let tell = ended;
    const bytes = () => shared.reduce((sum, other) => sum + other.bytes(), own);
    return {
      bytes,
      take(count) {
        if (held + count > bytesMax) return false;
        own += count;
        if (holders > 0) add(count);
        return true;
      },
      become(count) {
        most = Math.max(most, bytes());
        if (holders > 0) add(count - own);
        own = count;
        if (holders > 0) for (const other of shared) other.release();
        shared = [];
      },
      share(other) {
        shared.push(other);
        if (holders > 0) other.retain();
      },
      retain() {
        if (holders++ > 0) return;
        add(own);
        for (const other of shared) other.retain();
      },
      release() {
        if (--holders > 0) return;
        const end = tell;
        tell = undefined;
        end?.(Math.max(most, bytes()));
        add(-own);
        for (const other of shared) other.release();
        if (end !== undefined) letBegin();
      },
    };
  }

  function beginNow(): HeldBytes {
    running++;
    return openHeld((bytesMost) => {
      running--;
      expectedBytes = Math.max(bytesMost, forgetting * expectedBytes);
    });
  }

  return {
    bytesMax,
    open: () => openHeld(),
    heldBytes: () => held,
    waiting: () => queue.size,
    async begin(signal) {
      signal.throwIfAborted();
      if (queue.size === 0 && mayBegin()) return beginNow();
      return await new Promise<HeldBytes>((resolve, reject) => {
        const leave = () => {
          queue.delete(take);
          reject(signal.reason as Error);
        };
        const take = () => {
          signal.removeEventListener("abort", leave);
          resolve(beginNow());
        };
        signal.addEventListener("abort", leave, { once: true });
        queue.add(take);
      });
    },
  };
}
