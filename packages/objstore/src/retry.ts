/** Repeats what may succeed the next time, after pauses that grow and that chance spreads. */
import type { Clock, Random } from "@pleiad/ports";

export interface RetryOptions {
  readonly attempts: number;
  readonly pauseMs: number; // before the second attempt at most; twice as much before each further one
  readonly pauseMsMax: number;
}

export type Attempt<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "again" | "failed"; readonly error: unknown };

/** Resolves to what the last attempt gave, rejects with its error; `attempt` counts from 1. Ends with the signal. */
export async function retry<T>(
  act: (attempt: number) => Promise<Attempt<T>>,
  options: RetryOptions,
  ports: { readonly clock: Clock; readonly random: Random },
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await act(attempt);
    if (outcome.kind === "done") return outcome.value;
    signal?.throwIfAborted();
    if (outcome.kind === "failed" || attempt === options.attempts) throw outcome.error;
    // All of the pause is chance: those who were refused together must not come back together.
    const pauseMs = Math.min(options.pauseMsMax, options.pauseMs * 2 ** (attempt - 1));
    await ports.clock.sleep(ports.random.float() * pauseMs, signal);
  }
}
