/**
 * Which series have which labels, as two sums over all triples of series, name and value. The index tells it twice: by series
 * and by label. Where the sums are equal so are, but for chance, the triples, whatever the order in which they came.
 */
export class LabelTally {
  /** Name and value of the postings of all series. */
  static readonly allSeries = -1;
  #count = 0;
  #sum = 0;
  #otherSum = 0;

  /** `symbols`: name, value, name, value … */
  addSeries(ref: number, symbols: readonly number[]): void {
    this.#add(ref, pairHash(LabelTally.allSeries, LabelTally.allSeries));
    for (let i = 0; i + 1 < symbols.length; i += 2) {
      this.#add(ref, pairHash(symbols[i] as number, symbols[i + 1] as number));
    }
  }

  /** The content of a list of postings. False where it does not fill its length, or its references do not ascend. */
  addPostings(content: Uint8Array, name: number, value: number): boolean {
    const { length } = content;
    if (length < 4 || length % 4 !== 0) return false;
    const hash = pairHash(name, value);
    const view = new DataView(content.buffer, content.byteOffset, length);
    if (length !== 4 + 4 * view.getUint32(0)) return false;
    let before = -1;
    for (let at = 4; at < length; at += 4) {
      const ref = view.getUint32(at);
      if (ref <= before) return false;
      before = ref;
      this.#add(ref, hash);
    }
    return true;
  }

  equals(other: LabelTally): boolean {
    return this.#count === other.#count && this.#sum === other.#sum && this.#otherSum === other.#otherSum;
  }

  #add(ref: number, pair: number): void {
    let hash = Math.imul(ref ^ pair, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13) ^ Math.imul(pair, 0x27d4eb2f), 0xc2b2ae35);
    hash ^= hash >>> 16;
    this.#count++;
    this.#sum = (this.#sum + hash) | 0;
    this.#otherSum = (this.#otherSum + Math.imul(hash ^ ref, 0x165667b1)) | 0;
  }
}

function pairHash(name: number, value: number): number {
  const hash = Math.imul(name ^ 0x3c6ef372, 0x9e3779b1) ^ value;
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ name;
}
