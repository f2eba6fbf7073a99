/** Who reads now: what they read is not taken from under them. */
import type { SourceFailure } from "@pleiad/model";
import type { Clock } from "@pleiad/ports";

export interface Reader {
  /** True once the reader was told that its data goes: what it gives then is not whole. */
  readonly isExpired: boolean;
  end(): void;
}

export class ReaderSet {
  readonly #clock: Clock;
  readonly #open = new Map<{ isExpired: boolean }, { readonly ended: Promise<void> }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#open.size;
  }

  begin(): Reader {
    const { promise, resolve } = Promise.withResolvers<void>();
    const reader = {
      isExpired: false,
      end: () => {
        if (this.#open.delete(reader)) resolve();
      },
    };
    this.#open.set(reader, { ended: promise });
    return reader;
  }

  /** Resolves when all who read now have ended; who has not by `graceMs` is expired. Those who begin later do not matter. */
  async drain(graceMs: number): Promise<void> {
    const open = [...this.#open];
    if (open.length === 0) return;
    if (graceMs > 0) {
      const waiting = new AbortController();
      const ended = Promise.all(open.map(([, { ended: one }]) => one));
      await Promise.race([ended, this.#clock.sleep(graceMs, waiting.signal).catch(() => {})]);
      waiting.abort();
    }
    for (const [state] of open) {
      if (!this.#open.delete(state)) continue;
      state.isExpired = true;
    }
  }
}

/** What a reader that is expired is told. */
export function readTooSlowly(source: string): SourceFailure {
  return { kind: "unavailable", source, reason: "read too slowly: the data has moved on" };
}
