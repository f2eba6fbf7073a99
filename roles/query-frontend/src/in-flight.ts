/** Equal work that runs at once is done once, for all who want it. */

export interface InFlight<T> {
  /**
   * What `work` gives for this key: of the run that is under way, or of a new one. Rejects when the own signal aborts; the
   * work goes on while somebody waits for it, and is aborted when the last has gone.
   */
  share(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

interface Run<T> {
  readonly result: Promise<T>;
  readonly abandon: AbortController;
  waiting: number;
}

/** `onShared` is called for each who found a run under way. */
export function createInFlight<T>(onShared: () => void = () => {}): InFlight<T> {
  const runs = new Map<string, Run<T>>();
  const start = (key: string, work: (signal: AbortSignal) => Promise<T>): Run<T> => {
    const abandon = new AbortController();
    const run: Run<T> = { result: work(abandon.signal), abandon, waiting: 0 };
    runs.set(key, run);
    const end = () => {
      if (runs.get(key) === run) runs.delete(key);
    };
    run.result.then(end, end);
    return run;
  };
  return {
    async share(key, signal, work) {
      signal.throwIfAborted();
      const known = runs.get(key);
      if (known !== undefined) onShared();
      const run = known ?? start(key, work);
      run.waiting++;
      const left = Promise.withResolvers<never>();
      const leave = () => left.reject(signal.reason);
      signal.addEventListener("abort", leave, { once: true });
      try {
        return await Promise.race([run.result, left.promise]);
      } finally {
        signal.removeEventListener("abort", leave);
        if (--run.waiting === 0) {
          // Whoever comes now begins anew: this run may be ending without a result.
          if (runs.get(key) === run) runs.delete(key);
          run.abandon.abort(signal.reason);
        }
      }
    },
  };
}
