/**
 * Floats of a log, gathered so that those of one series are appended in a row: a log has them by time, and a head of many
 * series would look for another one in memory at each sample.
 */

const capacityFirst = 1024;
/** With references spread wider than this for each sample, they are compared and not counted. */
const spreadMax = 8;

export class GatheredSamples {
  count = 0;
  refs = new Uint32Array(capacityFirst);
  timestampsMs = new Float64Array(capacityFirst);
  /** High, then low half of each value. */
  words = new Int32Array(2 * capacityFirst);

  add(ref: number, timestampMs: number, high: number, low: number): void {
    const at = this.count;
    if (at === this.refs.length) this.#grow();
    this.refs[at] = ref;
    this.timestampsMs[at] = timestampMs;
    this.words[2 * at] = high;
    this.words[2 * at + 1] = low;
    this.count = at + 1;
  }

  /** The places of all samples: by reference, and those of one in the order in which they came. */
  placesByRef(): Uint32Array {
    const { refs, count } = this;
    if (count === 0) return new Uint32Array(0);
    let least = Infinity;
    let most = 0;
    for (let i = 0; i < count; i++) {
      const ref = refs[i] ?? 0;
      if (ref < least) least = ref;
      if (ref > most) most = ref;
    }
    const places = new Uint32Array(count);
    const spread = most - least + 1;
    if (spread > spreadMax * count + capacityFirst) {
      for (let i = 0; i < count; i++) places[i] = i;
      return places.sort((a, b) => (refs[a] ?? 0) - (refs[b] ?? 0) || a - b);
    }
    const nextOf = new Uint32Array(spread + 1);
    for (let i = 0; i < count; i++) {
      const at = (refs[i] ?? 0) - least + 1;
      nextOf[at] = (nextOf[at] ?? 0) + 1;
    }
    for (let i = 1; i < spread; i++) nextOf[i] = (nextOf[i] ?? 0) + (nextOf[i - 1] ?? 0);
    for (let i = 0; i < count; i++) {
      const at = (refs[i] ?? 0) - least;
      const place = nextOf[at] ?? 0;
      places[place] = i;
      nextOf[at] = place + 1;
    }
    return places;
  }

  clear(): void {
    this.count = 0;
  }

  #grow(): void {
    const capacity = this.refs.length * 2;
    const refs = new Uint32Array(capacity);
    refs.set(this.refs);
    this.refs = refs;
    const timestampsMs = new Float64Array(capacity);
    timestampsMs.set(this.timestampsMs);
    this.timestampsMs = timestampsMs;
    const words = new Int32Array(2 * capacity);
    words.set(this.words);
    this.words = words;
  }
}
