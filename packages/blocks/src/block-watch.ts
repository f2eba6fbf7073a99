/** Whoever opens a block may be told what each question takes of it: to bound questions, and to count what caches spare. */

/** `selection`: the series that fulfil the matchers, as found for an earlier question. The others are counted one by one. */
export type TouchedKind = "selection" | "postings" | "series" | "chunks";

export interface BlockWatch {
  /**
   * A question needs so many; `keptCount` of them are in memory. Called before the others are read, with the signal that the
   * question came with. A BlockReadError thrown here ends the question.
   */
  touch(kind: TouchedKind, count: number, keptCount: number, signal: AbortSignal | undefined): void;
}
