/**
 * For tests of deduplication: samples out of chunks, penalty as it is described, and replicas at random. Nothing of it is
 * shared with the code that is tested.
 */
import {
  createHistogramColumns,
  createSampleColumns,
  decodeChunk,
  decodeHistogramChunk,
  isHistogramEncoding,
} from "@pleiad/chunks";
import type { SourceChunk } from "@pleiad/model";
import type { Random } from "@pleiad/ports";

export type Sample = readonly [timestampMs: number, value: number];

/** As whoever evaluates reads them: by time, each time once, the first that has it. */
export function read(chunks: readonly SourceChunk[]): readonly Sample[] {
  const samples = new Map<number, number>();
  for (const { content } of chunks) {
    if (content.kind !== "raw") throw new Error("a downsampled chunk");
    const columns = createSampleColumns(0);
    if (decodeChunk(content.encoding, content.data, columns) !== undefined) throw new Error("a damaged chunk");
    for (let i = 0; i < columns.count; i++) {
      const timeMs = columns.timestampsMs[i] ?? NaN;
      if (!samples.has(timeMs)) samples.set(timeMs, columns.values[i] ?? NaN);
    }
  }
  return [...samples].sort(([a], [b]) => a - b);
}

/** Of a histogram, its count. */
export function samplesIn(chunk: SourceChunk): readonly Sample[] {
  const { content } = chunk;
  if (content.kind !== "raw" || !isHistogramEncoding(content.encoding)) return read([chunk]);
  const columns = createHistogramColumns();
  if (decodeHistogramChunk(content.encoding, content.data, columns) !== undefined) throw new Error("a damaged chunk");
  return Array.from({ length: columns.count }, (_, i): Sample => [
    columns.timestampsMs[i] ?? 0,
    columns.histograms[i]?.count ?? 0,
  ]);
}

/**
 * Thanos's penalty, word for word as it is described, over lists: two inputs, each of which is asked to go to a time; nothing
 * of it is shared with the code that is tested.
 */
class Oracle {
  time: number | undefined;
  value = NaN;
  readonly #a: Oracle | OracleInput;
  readonly #b: Oracle | OracleInput;
  #lastT = -Infinity;
  #penA = 0;
  #penB = 0;
  #useA = true;

  constructor(a: Oracle | OracleInput, b: Oracle | OracleInput) {
    this.#a = a;
    this.#b = b;
    a.next();
    b.next();
  }

  next() {
    const [a, b] = [this.#a, this.#b];
    const [lastValue, lastUseA, lastT] = [this.value, this.#useA, this.#lastT];
    if (a.time !== undefined) a.seek(lastT + 1 + this.#penA);
    if (b.time !== undefined) b.seek(lastT + 1 + this.#penB);
    if (a.time === undefined) {
      this.#useA = false;
      if (b.time !== undefined) [this.#lastT, this.#penB] = [b.time, 0];
    } else if (b.time === undefined) {
      this.#useA = true;
      [this.#lastT, this.#penA] = [a.time, 0];
    } else if (a.time <= b.time) {
      this.#useA = true;
      this.#penB = lastT === -Infinity ? 5000 : 2 * (a.time - lastT);
      [this.#penA, this.#lastT] = [0, a.time];
    } else {
      this.#useA = false;
      this.#penA = lastT === -Infinity ? 5000 : 2 * (b.time - lastT);
      [this.#penB, this.#lastT] = [0, b.time];
    }
    if (this.#useA !== lastUseA && lastT !== -Infinity) this.lift(lastValue);
    const chosen = this.#useA ? a : b;
    this.time = chosen.time;
    this.value = chosen.value;
  }

  seek(t: number) {
    while (this.time === undefined || this.time < t) {
      this.next();
      if (this.time === undefined) return;
    }
  }

  lift(lastValue: number) {
    for (const side of [this.#a, this.#b]) if (side.time !== undefined) side.lift(lastValue);
    this.value = (this.#useA ? this.#a : this.#b).value;
  }
}

class OracleInput {
  readonly #samples: readonly Sample[];
  readonly #isCounter: boolean;
  #at = -1;
  #offset = 0;

  constructor(samples: readonly Sample[], isCounter: boolean) {
    this.#samples = samples;
    this.#isCounter = isCounter;
  }
  get time() {
    return this.#samples[this.#at]?.[0];
  }
  get value() {
    return (this.#samples[this.#at]?.[1] ?? NaN) + this.#offset;
  }
  next() {
    this.#at++;
  }
  seek(t: number) {
    while (this.time !== undefined && this.time < t) this.#at++;
  }
  lift(lastValue: number) {
    if (this.#isCounter && lastValue > this.value) this.#offset += lastValue - this.value;
  }
}

/** The pseudo replicas of a list of chunks: each chunk goes to the first that ends before it. */
function overlapSplit(chunks: readonly SourceChunk[]): readonly (readonly Sample[])[] {
  const buckets: SourceChunk[][] = [];
  for (const chunk of chunks) {
    const free = buckets.find((bucket) => (bucket.at(-1)?.maxTimeMs ?? -Infinity) < chunk.minTimeMs);
    if (free === undefined) buckets.push([chunk]);
    else free.push(chunk);
  }
  return buckets.map((bucket) => bucket.flatMap((chunk) => samplesIn(chunk)));
}

/** A counter added up over its resets. */
function totals(samples: readonly Sample[]): readonly Sample[] {
  let total = 0;
  let last = 0;
  return samples.map(([timeMs, value], i) => {
    total += i === 0 || value < last ? value : value - last;
    last = value;
    return [timeMs, total];
  });
}

export function oracle(
  chunks: readonly SourceChunk[],
  { isCounter, minTimeMs, maxTimeMs }: { isCounter: boolean; minTimeMs: number; maxTimeMs: number },
): readonly Sample[] {
  const buckets = overlapSplit(chunks).map((samples) =>
    (isCounter ? totals(samples) : samples).filter(([timeMs]) => timeMs >= minTimeMs && timeMs <= maxTimeMs),
  );
  return fold(buckets, isCounter);
}

export function fold(replicas: readonly (readonly Sample[])[], isCounter: boolean): readonly Sample[] {
  const inputs = replicas.map((samples) => new OracleInput(samples, isCounter));
  const folded = inputs.reduce<Oracle | OracleInput | undefined>(
    (before, one) => (before === undefined ? one : new Oracle(before, one)),
    undefined,
  );
  const out: Sample[] = [];
  if (folded === undefined) return out;
  for (folded.next(); folded.time !== undefined; folded.next()) out.push([folded.time, folded.value]);
  return out;
}

/** Replicas as they are: an interval, a phase of their own, a little jitter, gaps, and a counter that restarts. */
export function randomReplicas(random: Random): readonly (readonly Sample[])[] {
  const intervalMs = [15_000, 30_000, 60_000][random.int(3)] ?? 15_000;
  const restartsMs = Array.from({ length: random.int(3) }, () => random.int(300 * intervalMs));
  const counterAt = (timeMs: number) =>
    Math.floor((timeMs - Math.max(0, ...restartsMs.filter((one) => one <= timeMs))) / 1000) * 3 + 5;
  return Array.from({ length: 2 + random.int(3) }, () => {
    const phaseMs = random.int(4) === 0 ? random.int(4000) : random.int(intervalMs);
    const [from, length] = [random.int(300), random.int(60)];
    const samples: Sample[] = [];
    for (let i = random.int(20); i < 300 - random.int(20); i++) {
      if ((i >= from && i < from + length) || random.int(25) === 0) continue;
      const timeMs = i * intervalMs + phaseMs + random.int(40);
      samples.push([timeMs, counterAt(timeMs - (random.int(20) === 0 ? 20_000 : 0))]);
    }
    return samples;
  });
}
