/** Ctrl-C, for commands that have something to end. */

/** Aborts with the first Ctrl-C or SIGTERM; the second Ctrl-C ends at once. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      if (stop.signal.aborted && name === "SIGINT") process.exit(130);
      stop.abort(new Error("stopped"));
    });
  }
  return stop.signal;
}
