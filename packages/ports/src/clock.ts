/** Time in milliseconds since the Unix epoch, or a span of it. Whole numbers for wall time. */
export type Milliseconds = number;

export interface Clock {
  /** Wall time, whole milliseconds; may jump. */
  wallMs(): Milliseconds;
  /** Time that never goes back, for measuring spans; fractions allowed, origin arbitrary. */
  monotonicMs(): Milliseconds;
  /** Resolves after the span; rejects with the signal's reason when it is aborted first. */
  sleep(spanMs: Milliseconds, signal?: AbortSignal): Promise<void>;
  /** Calls `act` after the span, never before it returns, unless the function that it gives is called before. */
  after(spanMs: Milliseconds, act: () => void): () => void;
  /** A signal that aborts with a `TimeoutError` after the span, or with its parent. */
  deadline(spanMs: Milliseconds, parent?: AbortSignal): AbortSignal;
  /** Lets everything else that is ready run: long loops await this between pieces of about 5 ms. */
  yield(): Promise<void>;
}
