/** Runs asynchronous work one piece after the other, in the order in which it was handed in. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Resolves or rejects as the work does; a rejection does not hold up what comes behind. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn;
    return await turn;
  }
}
