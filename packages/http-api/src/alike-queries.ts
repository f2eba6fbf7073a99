/**
 * Queries that wait for their turn and ask the same: the first to get its turn evaluates for all that wait by then. Each
 * answer is as new as one of its own, since the evaluation began after all of them had come.
 */

/** An evaluation that several wait for. */
export interface SharedEvaluation<T> {
  /** The result; undefined where the signal aborts before. When nobody is left who waits, the evaluation is given up. */
  join(signal: AbortSignal): Promise<T | undefined>;
}

export interface AlikeQueries<T> {
  /** `adopt` is called, once at most, when another evaluates for this one. To be left by the call that comes back. */
  wait(key: string, adopt: (evaluation: SharedEvaluation<T>) => void): () => void;
  /** Those that wait with the key now, in the order of their arrival; they wait no more. */
  take(key: string): readonly ((evaluation: SharedEvaluation<T>) => void)[];
}

export function createAlikeQueries<T>(): AlikeQueries<T> {
  type Adopt = (evaluation: SharedEvaluation<T>) => void;
  const waiting = new Map<string, Set<Adopt>>();
  return {
    wait(key, adopt) {
      // A function of its own: one that is given twice waits twice.
      const own: Adopt = (evaluation) => adopt(evaluation);
      const others = waiting.get(key) ?? new Set();
      waiting.set(key, others.add(own));
      return () => {
        others.delete(own);
        if (others.size === 0 && waiting.get(key) === others) waiting.delete(key);
      };
    },
    take(key) {
      const taken = [...(waiting.get(key) ?? [])];
      waiting.delete(key);
      return taken;
    },
  };
}

/** Begins at once; all who are to have a share must join in the same turn. */
export function shareEvaluation<T>(evaluate: (signal: AbortSignal) => Promise<T>): SharedEvaluation<T> {
  const giveUp = new AbortController();
  const result = evaluate(giveUp.signal);
  result.catch(() => {}); // whoever has joined sees it
  let interested = 0;
  return {
    async join(signal) {
      interested++;
      const left = Promise.withResolvers<undefined>();
      const leave = () => left.resolve(undefined);
      if (signal.aborted) leave();
      else signal.addEventListener("abort", leave, { once: true });
      try {
        return await Promise.race([left.promise, result]);
      } finally {
        signal.removeEventListener("abort", leave);
        if (--interested === 0) giveUp.abort();
      }
    },
  };
}
