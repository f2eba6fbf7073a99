/** Appenders and importers that are under way: series that one of them named are not forgotten. */
export class OpenTransactions {
  readonly #open = new Set<number>();
  #last = 0;

  /** The number of a transaction that begins now, above all before it. */
  begin(): number {
    const id = this.next();
    this.#open.add(id);
    return id;
  }

  /** A number of which nobody waits for the end. */
  next(): number {
    return ++this.#last;
  }

  readonly end = (id: number): void => {
    this.#open.delete(id);
  };

  /** Infinity where none is open. */
  get oldest(): number {
    return Math.min(...this.#open, Infinity);
  }
}
