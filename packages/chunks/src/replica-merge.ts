/**
 * Replicas of one series made one: sample by sample, by the rules of Thanos. What decides is timestamps alone, so floats,
 * histograms and aggregates are merged by the same code.
 */
import { reserveSamples, type SampleColumns } from "./sample-columns.ts";

/** Anything with ascending timestamps: `SampleColumns`, `HistogramColumns`. */
export interface TimedColumns {
  readonly timestampsMs: Float64Array;
  readonly count: number;
}

/** Which samples of the replicas make the merged series, in time order. The arrays are replaced when they grow. */
export interface ReplicaPicks {
  replicas: Uint32Array; // index of the replica
  samples: Uint32Array; // index within the replica
  count: number;
}

export type ReplicaMerge =
  /** For replicas that hold the same samples: every timestamp once, of the first replica that has it. */
  | "one-to-one"
  /**
   * For replicas that scraped the same target on their own: stays with one of them and goes over to another only where a
   * gap is longer than twice the last step. Samples in between are left out, or the rate of samples would double.
   */
  | "penalty";

export function createReplicaPicks(): ReplicaPicks {
  return { replicas: new Uint32Array(128), samples: new Uint32Array(128), count: 0 };
}

/** Fills `out` from its start. The order of the replicas matters: where two are equally good the first stays. */
export function pickReplicaSamples(merge: ReplicaMerge, replicas: readonly TimedColumns[], out: ReplicaPicks): void {
  out.count = 0;
  if (merge === "one-to-one") {
    pickEachTimestamp(replicas, out);
    return;
  }
  const cursor = foldReplicas(replicas.map((replica, i) => new Leaf(i, replica, undefined)));
  if (cursor === undefined) return;
  for (cursor.next(); cursor.timestampMs !== Infinity; cursor.next()) {
    const { replica, at } = cursor.leaf;
    pick(out, replica, at);
  }
}

/**
 * Appends the merged samples to `out`. `isCounter`: where the choice goes over to a replica that counts lower, because it
 * was restarted or began later, it is lifted to go on from the last value, as Thanos does for rate, increase, irate and resets.
 */
export function mergeFloatReplicas(
  merge: ReplicaMerge,
  replicas: readonly SampleColumns[],
  out: SampleColumns,
  options: { readonly isCounter: boolean } = { isCounter: false },
): void {
  if (merge === "penalty" && options.isCounter) {
    mergeCounters(replicas, out);
    return;
  }
  pickReplicaSamples(merge, replicas, scratchPicks);
  const { replicas: picked, samples, count } = scratchPicks;
  reserveSamples(out, count);
  const { timestampsMs, valueWords } = out;
  let to = out.count;
  for (let i = 0; i < count; i++) {
    copySample(replicas[picked[i]], samples[i], timestampsMs, valueWords, to++);
  }
  out.count = to;
}

const scratchPicks = createReplicaPicks();

function mergeCounters(replicas: readonly SampleColumns[], out: SampleColumns): void {
  const cursor = foldReplicas(replicas.map((replica, i) => new Leaf(i, replica, replica.values)));
  if (cursor === undefined) return;
  for (cursor.next(); cursor.timestampMs !== Infinity; cursor.next()) {
    reserveSamples(out, 1);
    const { replica, at, lift } = cursor.leaf;
    copySample(replicas[replica], at, out.timestampsMs, out.valueWords, out.count);
    // A NaN keeps its bits: it may be a staleness marker.
    const value = out.values[out.count];
    if (lift !== 0 && value === value) out.values[out.count] = value + lift;
    out.count++;
  }
}

function copySample(
  from: SampleColumns,
  at: number,
  timestampsMs: Float64Array,
  valueWords: Uint32Array,
  to: number,
): void {
  timestampsMs[to] = from.timestampsMs[at];
  valueWords[2 * to] = from.valueWords[2 * at];
  valueWords[2 * to + 1] = from.valueWords[2 * at + 1];
}

function pick(out: ReplicaPicks, replica: number, sample: number): void {
  if (out.count === out.replicas.length) {
    const { replicas, samples } = out;
    out.replicas = new Uint32Array(2 * out.count);
    out.samples = new Uint32Array(2 * out.count);
    out.replicas.set(replicas);
    out.samples.set(samples);
  }
  out.replicas[out.count] = replica;
  out.samples[out.count++] = sample;
}

function pickEachTimestamp(replicas: readonly TimedColumns[], out: ReplicaPicks): void {
  const ats = new Uint32Array(replicas.length);
  for (;;) {
    let chosen = -1;
    let earliestMs = Infinity;
    for (let i = 0; i < replicas.length; i++) {
      const { timestampsMs, count } = replicas[i];
      if (ats[i] < count && timestampsMs[ats[i]] < earliestMs) {
        chosen = i;
        earliestMs = timestampsMs[ats[i]];
      }
    }
    if (chosen < 0) return;
    pick(out, chosen, ats[chosen]);
    for (let i = 0; i < replicas.length; i++) {
      const { timestampsMs, count } = replicas[i];
      if (ats[i] < count && timestampsMs[ats[i]] === earliestMs) ats[i]++;
    }
  }
}

/** Left to right, as a reader of the replicas' streams would: ((r0, r1), r2) … */
function foldReplicas(leaves: readonly Leaf[]): Leaf | Pair | undefined {
  let folded: Leaf | Pair | undefined;
  for (const leaf of leaves) folded = folded === undefined ? leaf : new Pair(folded, leaf);
  return folded;
}

/** A cursor over one replica. */
class Leaf {
  timestampMs = -Infinity; // Infinity at the end
  at = -1;
  /** What is added to the values of a counter. */
  lift = 0;
  readonly replica: number;
  readonly #timestampsMs: Float64Array;
  readonly #values: Float64Array | undefined;
  readonly #count: number;

  constructor(replica: number, { timestampsMs, count }: TimedColumns, values: Float64Array | undefined) {
    this.replica = replica;
    this.#timestampsMs = timestampsMs;
    this.#values = values;
    this.#count = count;
  }

  get leaf(): Leaf {
    return this;
  }

  get value(): number {
    return this.#values === undefined ? NaN : this.#values[this.at] + this.lift;
  }

  next(): void {
    this.at++;
    this.timestampMs = this.at < this.#count ? this.#timestampsMs[this.at] : Infinity;
  }

  seek(timestampMs: number): void {
    while (this.timestampMs < timestampMs) this.next();
  }

  liftTo(lastValue: number): void {
    if (this.timestampMs === Infinity) return;
    const { value } = this;
    if (lastValue > value) this.lift += lastValue - value;
  }
}

/** Without a step to judge by, samples of the other replica that are closer than this are left out. */
const initialPenaltyMs = 5000;

/** The penalty merge of two cursors. */
class Pair {
  timestampMs = -Infinity;
  readonly #a: Leaf | Pair;
  readonly #b: Leaf | Pair;
  #useA = true;
  #penaltyA = 0;
  #penaltyB = 0;

  constructor(a: Leaf | Pair, b: Leaf | Pair) {
    this.#a = a;
    this.#b = b;
    a.next();
    b.next();
  }

  get leaf(): Leaf {
    return this.#useA ? this.#a.leaf : this.#b.leaf;
  }

  next(): void {
    const a = this.#a;
    const b = this.#b;
    const lastMs = this.timestampMs;
    const lastUseA = this.#useA;
    const lastValue = lastMs === -Infinity ? NaN : this.leaf.value;
    a.seek(lastMs + 1 + this.#penaltyA);
    b.seek(lastMs + 1 + this.#penaltyB);
    // A side that is at its end has Infinity, so it is taken only when both are.
    this.#useA = a.timestampMs <= b.timestampMs && a.timestampMs !== Infinity;
    this.timestampMs = this.#useA ? a.timestampMs : b.timestampMs;
    if (a.timestampMs === Infinity) this.#penaltyB = 0;
    else if (b.timestampMs === Infinity) this.#penaltyA = 0;
    else {
      const penaltyMs = lastMs === -Infinity ? initialPenaltyMs : 2 * (this.timestampMs - lastMs);
      this.#penaltyA = this.#useA ? 0 : penaltyMs;
      this.#penaltyB = this.#useA ? penaltyMs : 0;
    }
    if (this.#useA !== lastUseA && lastMs !== -Infinity) this.liftTo(lastValue);
  }

  /** Never by a jump: which replica is chosen must not depend on how a reader moves. */
  seek(timestampMs: number): void {
    while (this.timestampMs < timestampMs) this.next();
  }

  liftTo(lastValue: number): void {
    this.#a.liftTo(lastValue);
    this.#b.liftTo(lastValue);
  }
}
