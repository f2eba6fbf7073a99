/**
 * Reading chunks of native histograms: integer counts (encodings 2 and 5) and float counts (3 and 6). Byte layout:
 * docs/format/histogram-chunk.md.
 */
import { staleHigh, staleLow, type ChunkEncoding, type CounterResetHint, type FloatHistogram } from "@pleiad/model";
import { BitReader } from "./bit-reader.ts";
import type { ChunkFailure } from "./chunk-failure.ts";
import { reserveHistograms, staleHistogram, type HistogramColumns } from "./histogram-columns.ts";
import { bucketCount, readLayout, type HistogramLayout } from "./histogram-layout.ts";
import { StartTimestampReader } from "./start-timestamps.ts";
import { timestampMsMax } from "./xor-decoder.ts";
import { XorFields } from "./xor-fields.ts";

export type HistogramEncoding = Extract<ChunkEncoding, 2 | 3 | 5 | 6>;

/** Counts of integer histograms are exact up to here: the changes of changes that are stored then fit 2^53. */
export const histogramCountMax = 2 ** 51;

export const histogramHeaderBytes = 3;
/** In the encodings with start timestamps the sample count shares its bytes with the counter-reset bits. */
export const stampedCountMask = 0x3fff;

const resetsByBits: readonly CounterResetHint[] = ["unknown", "not-reset", "reset", "gauge"];

const chunkReader = new BitReader();

/** The position of count, zero count and sum among the fields of a float histogram; the buckets follow. */
const countField = 0;
const zeroCountField = 1;
const sumField = 2;
const firstBucketField = 3;

export function isHistogramEncoding(encoding: ChunkEncoding): encoding is HistogramEncoding {
  return encoding === 2 || encoding === 3 || encoding === 5 || encoding === 6;
}

/**
 * What the header says of a chunk's first histogram, seen from the chunk that was written before it; "unknown" where it is
 * cut short.
 */
export function chunkCounterReset(encoding: HistogramEncoding, data: Uint8Array): CounterResetHint {
  const bits = encoding >= 5 ? data[0] : data[2];
  return resetsByBits[(bits ?? 0) >>> 6];
}

/**
 * Appends the histograms of a chunk to `out`, which grows as needed; on a failure `out` keeps its count. The first is
 * never said to be reset or not: whoever reads may have skipped the chunk before it.
 */
export function decodeHistograms(
  encoding: HistogramEncoding,
  data: Uint8Array,
  out: HistogramColumns,
): ChunkFailure | undefined {
  if (data.length < histogramHeaderBytes) return { kind: "truncated", bytes: data.length, sampleCount: 0 };
  const isStamped = encoding >= 5;
  const sampleCount = ((data[0] << 8) | data[1]) & (isStamped ? stampedCountMask : 0xffff);
  if (sampleCount === 0) return undefined;
  const truncated = { kind: "truncated", bytes: data.length, sampleCount } as const;
  const reader = chunkReader;
  reader.open(data, histogramHeaderBytes);
  // Four bits a sample at the least: a count from damaged bytes reserves no memory that the chunk could not fill.
  if (reader.bitsLeft < 4 * sampleCount) return truncated;
  const layout = readLayout(reader);
  if (reader.isPastEnd || layout === undefined) return truncated;
  if (typeof layout === "string") return { kind: "corrupt", reason: layout };
  if (reader.isInexact) return { kind: "corrupt", reason: "its layout has a number beyond 2^53" };

  const isGauge = chunkCounterReset(encoding, data) === "gauge";
  const sample = encoding === 2 || encoding === 5 ? new IntegerSample(layout) : new FloatSample(layout);
  const starts = isStamped ? new StartTimestampReader(data[2]) : undefined;
  reserveHistograms(out, sampleCount);
  const { timestampsMs, startTimestampsMs, histograms } = out;
  let timestampMs = 0;
  let deltaMs = 0;
  for (let i = 0; i < sampleCount; i++) {
    const beforeMs = timestampMs;
    if (i === 0) timestampMs = reader.readVarbitInt();
    else {
      deltaMs += reader.readVarbitInt();
      timestampMs += deltaMs;
    }
    const damage = i === 0 ? sample.readFirst(reader) : sample.readNext(reader);
    const startMs = starts === undefined ? 0 : starts.read(reader, i, timestampMs, beforeMs);
    if (reader.isPastEnd) return truncated;
    if (damage !== undefined) return { kind: "corrupt", reason: `sample ${i} ${damage}` };
    if (reader.isInexact) return { kind: "corrupt", reason: `sample ${i} has a number beyond 2^53` };
    if (Math.abs(timestampMs) > timestampMsMax || Math.abs(startMs) > timestampMsMax) {
      return { kind: "corrupt", reason: `the timestamp of sample ${i} is out of range` };
    }
    const at = out.count + i;
    timestampsMs[at] = timestampMs;
    if (startTimestampsMs !== undefined) startTimestampsMs[at] = startMs;
    histograms[at] = sample.histogram(isGauge ? "gauge" : i > 0 ? "not-reset" : "unknown");
  }
  out.count += sampleCount;
  return undefined;
}

/** One histogram after the other as its encoding has it. What reading gives is what is wrong, if anything. */
interface HistogramSample {
  readFirst(reader: BitReader): string | undefined;
  readNext(reader: BitReader): string | undefined;
  /** The one that was read last. */
  histogram(counterReset: CounterResetHint): FloatHistogram;
}

class FloatSample implements HistogramSample {
  readonly #layout: HistogramLayout;
  readonly #positiveCount: number;
  readonly #fields: XorFields;

  constructor(layout: HistogramLayout) {
    this.#layout = layout;
    this.#positiveCount = bucketCount(layout.positiveSpans);
    this.#fields = new XorFields(firstBucketField + this.#positiveCount + bucketCount(layout.negativeSpans));
  }

  readFirst(reader: BitReader): undefined {
    const fields = this.#fields;
    for (let i = 0; i < fields.values.length; i++) fields.readWhole(reader, i);
  }

  readNext(reader: BitReader): string | undefined {
    const fields = this.#fields;
    for (let i = 0; i < fields.values.length; i++) {
      // A staleness marker has no buckets.
      if (i === firstBucketField && isStaleSum(fields, sumField)) return undefined;
      if (!fields.readChange(reader, i)) return "has a value of more than 64 bits";
    }
    return undefined;
  }

  histogram(counterReset: CounterResetHint): FloatHistogram {
    const fields = this.#fields;
    if (isStaleSum(fields, sumField)) return staleHistogram;
    const { values } = fields;
    const firstNegative = firstBucketField + this.#positiveCount;
    const { schema, zeroThreshold, positiveSpans, negativeSpans, customBounds } = this.#layout;
    return {
      schema,
      zeroThreshold,
      zeroCount: values[zeroCountField],
      count: values[countField],
      sum: values[sumField],
      positiveSpans,
      positiveBuckets: values.slice(firstBucketField, firstNegative),
      negativeSpans,
      negativeBuckets: values.slice(firstNegative),
      customBounds,
      counterReset,
    };
  }
}

class IntegerSample implements HistogramSample {
  readonly #layout: HistogramLayout;
  readonly #positiveCount: number;
  /** Count and zero count, then of each bucket what it has more than its neighbour before. */
  readonly #numbers: Float64Array;
  readonly #deltas: Float64Array;
  readonly #sum = new XorFields(1);

  constructor(layout: HistogramLayout) {
    this.#layout = layout;
    this.#positiveCount = bucketCount(layout.positiveSpans);
    this.#numbers = new Float64Array(2 + this.#positiveCount + bucketCount(layout.negativeSpans));
    this.#deltas = new Float64Array(this.#numbers.length);
  }

  readFirst(reader: BitReader): string | undefined {
    const numbers = this.#numbers;
    numbers[0] = reader.readVarbitUint();
    numbers[1] = reader.readVarbitUint();
    this.#sum.readWhole(reader, 0);
    for (let i = 2; i < numbers.length; i++) numbers[i] = reader.readVarbitInt();
    return this.#damage();
  }

  readNext(reader: BitReader): string | undefined {
    this.#readNumber(reader, 0);
    this.#readNumber(reader, 1);
    if (!this.#sum.readChange(reader, 0)) return "has a value of more than 64 bits";
    if (isStaleSum(this.#sum, 0)) return undefined;
    for (let i = 2; i < this.#numbers.length; i++) this.#readNumber(reader, i);
    return this.#damage();
  }

  histogram(counterReset: CounterResetHint): FloatHistogram {
    if (isStaleSum(this.#sum, 0)) return staleHistogram;
    const numbers = this.#numbers;
    const firstNegative = 2 + this.#positiveCount;
    const { schema, zeroThreshold, positiveSpans, negativeSpans, customBounds } = this.#layout;
    return {
      schema,
      zeroThreshold,
      zeroCount: numbers[1],
      count: numbers[0],
      sum: this.#sum.values[0],
      positiveSpans,
      positiveBuckets: runningSums(numbers, 2, firstNegative),
      negativeSpans,
      negativeBuckets: runningSums(numbers, firstNegative, numbers.length),
      customBounds,
      counterReset,
    };
  }

  #readNumber(reader: BitReader, field: number): void {
    this.#deltas[field] += reader.readVarbitInt();
    this.#numbers[field] += this.#deltas[field];
  }

  #damage(): string | undefined {
    for (const number of this.#numbers) {
      if (Math.abs(number) > histogramCountMax) return `has a count beyond ${histogramCountMax}`;
    }
    return undefined;
  }
}

function isStaleSum(fields: XorFields, field: number): boolean {
  return fields.words[2 * field + 1] === staleHigh && fields.words[2 * field] === staleLow;
}

function runningSums(deltas: Float64Array, from: number, to: number): Float64Array {
  const sums = new Float64Array(to - from);
  let sum = 0;
  for (let i = from; i < to; i++) {
    sum += deltas[i];
    sums[i - from] = sum;
  }
  return sums;
}
