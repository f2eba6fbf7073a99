/**
 * Writing chunks of native histograms as Prometheus does: a chunk has one layout, is written anew when buckets come up, and
 * ends where the histograms cannot share one. Byte layout: docs/format/histogram-chunk.md.
 */
import {
  customBoundsSchema,
  normalNaNHigh,
  normalNaNLow,
  staleHigh,
  staleLow,
  type BucketSpan,
  type CounterResetHint,
  type FloatHistogram,
} from "@pleiad/model";
import { BitWriter } from "./bit-writer.ts";
import { anyBucketFell, compareSpans, spreadBuckets, uniteSpans } from "./histogram-buckets.ts";
import { createHistogramColumns, isStaleHistogram } from "./histogram-columns.ts";
import {
  decodeHistograms,
  histogramCountMax,
  histogramHeaderBytes,
  stampedCountMask,
  type HistogramEncoding,
} from "./histogram-decoder.ts";
import { bucketCount, emptyLayout, writeLayout, type HistogramLayout } from "./histogram-layout.ts";
import { StartTimestampWriter } from "./start-timestamps.ts";
import { chunkSamplesMax } from "./xor-appender.ts";
import { timestampMsMax } from "./xor-decoder.ts";
import { XorFields } from "./xor-fields.ts";

/** 2: counts are whole numbers; 3: counts are floats; 5 and 6: the same with start timestamps. */
export type WrittenHistogramEncoding = HistogramEncoding;

/** One open chunk of a series. */
export interface HistogramAppender {
  readonly encoding: WrittenHistogramEncoding;
  readonly count: number;
  /** Of the first and of the last sample; NaN while there is none. */
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly byteLength: number;
  /**
   * Adds a histogram; its time must be whole and above the last one. False, and nothing is added, where it cannot go on in
   * this chunk: take the bytes, then `cut` and append it again. An empty chunk takes any histogram. `startMs` is since when
   * it counts, 0 where that is not known; only encodings 5 and 6 keep it.
   */
  append(timestampMs: number, histogram: FloatHistogram, startMs?: number): boolean;
  /** The encoded chunk: a copy that belongs to the caller. */
  bytes(): Uint8Array;
  /** Begins the chunk that follows: its header will say how its first histogram relates to the last one of this chunk. */
  cut(): void;
  /** Empties the chunk and forgets what came before. */
  reset(): void;
}

/** A finished chunk of histograms. */
export interface HistogramChunk {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly sampleCount: number;
  readonly data: Uint8Array;
}

/** How a histogram relates to the last one of a chunk. */
type Continuation = "goes-on" | "reset" | "differs" | "gauge";

const headerBitsOf: Readonly<Record<CounterResetHint, number>> = { unknown: 0, "not-reset": 1, reset: 2, gauge: 3 };

const scratchValue = new Float64Array(1);
const scratchWords = new Uint32Array(scratchValue.buffer);

export function createHistogramAppender(encoding: WrittenHistogramEncoding): HistogramAppender {
  return new Appender(encoding);
}

/**
 * Histograms of ascending time as float histogram chunks (encoding 3; with start timestamps 6): as many as their layouts
 * and resets demand.
 */
export function encodeFloatHistograms(
  timestampsMs: Float64Array,
  histograms: readonly FloatHistogram[],
  startTimestampsMs?: Float64Array,
): HistogramChunk[] {
  return encodeHistograms(startTimestampsMs === undefined ? 3 : 6, timestampsMs, histograms, startTimestampsMs);
}

/** As `encodeFloatHistograms`, as integer histogram chunks (encoding 2). All counts must be whole. */
export function encodeIntegerHistograms(
  timestampsMs: Float64Array,
  histograms: readonly FloatHistogram[],
): HistogramChunk[] {
  return encodeHistograms(2, timestampsMs, histograms);
}

function encodeHistograms(
  encoding: WrittenHistogramEncoding,
  timestampsMs: Float64Array,
  histograms: readonly FloatHistogram[],
  startTimestampsMs?: Float64Array,
): HistogramChunk[] {
  const appender = new Appender(encoding);
  const chunks: HistogramChunk[] = [];
  const finish = () => {
    const { minTimeMs, maxTimeMs, count: sampleCount } = appender;
    chunks.push({ minTimeMs, maxTimeMs, sampleCount, data: appender.bytes() });
  };
  for (let i = 0; i < histograms.length; i++) {
    const startMs = startTimestampsMs?.[i] ?? 0;
    if (appender.append(timestampsMs[i], histograms[i], startMs)) continue;
    finish();
    appender.cut();
    appender.append(timestampsMs[i], histograms[i], startMs);
  }
  if (appender.count > 0) finish();
  return chunks;
}

class Appender implements HistogramAppender {
  readonly encoding: WrittenHistogramEncoding;
  count = 0;
  minTimeMs = NaN;
  maxTimeMs = NaN;
  readonly #writer = new BitWriter();
  #header: CounterResetHint = "unknown";
  #layout: HistogramLayout = emptyLayout;
  /** The last histogram in the chunk's layout; of the chunk before while this one is empty, undefined if there is none. */
  #last: FloatHistogram | undefined;
  #lastHeader: CounterResetHint = "unknown";
  #deltaMs = 0;
  #sample: FloatFields | IntegerFields;
  #starts = new StartTimestampWriter();

  constructor(encoding: WrittenHistogramEncoding) {
    this.encoding = encoding;
    this.#sample = this.#newSample();
  }

  get byteLength(): number {
    return histogramHeaderBytes + this.#writer.byteLength;
  }

  append(timestampMs: number, histogram: FloatHistogram, startMs = 0): boolean {
    if (Math.floor(timestampMs) !== timestampMs || Math.abs(timestampMs) > timestampMsMax) {
      throw new RangeError(`a sample's time must be whole milliseconds within ±${timestampMsMax}: ${timestampMs}`);
    }
    if (this.count > 0 && timestampMs <= this.maxTimeMs) {
      throw new RangeError(`samples must ascend in time: ${timestampMs} after ${this.maxTimeMs}`);
    }
    checkShape(this.encoding, histogram);
    if (this.count === 0) {
      this.#header = this.#headerFor(histogram);
      this.#layout = isStaleHistogram(histogram) ? emptyLayout : histogram;
      this.#write(timestampMs, histogram, startMs);
      return true;
    }
    const countMax = this.#isStamped ? Math.min(chunkSamplesMax, stampedCountMask) : chunkSamplesMax;
    if (this.count === countMax || this.#continuation(this.#header, histogram) !== "goes-on") return false;
    this.#write(timestampMs, isStaleHistogram(histogram) ? histogram : this.#fitted(histogram), startMs);
    return true;
  }

  bytes(): Uint8Array {
    const data = new Uint8Array(this.byteLength);
    const headerBits = headerBitsOf[this.#header] << 6;
    data[0] = this.#isStamped ? headerBits | (this.count >>> 8) : this.count >>> 8;
    data[1] = this.count;
    data[2] = this.#isStamped ? this.#starts.header : headerBits;
    data.set(this.#writer.bytes(), histogramHeaderBytes);
    return data;
  }

  cut(): void {
    const last = this.#last;
    const header = this.#header;
    this.reset();
    this.#last = last;
    this.#lastHeader = header;
  }

  reset(): void {
    this.#empty();
    this.#header = "unknown";
    this.#last = undefined;
  }

  #empty(): void {
    this.count = 0;
    this.minTimeMs = NaN;
    this.maxTimeMs = NaN;
    this.#writer.reset();
    this.#sample = this.#newSample();
    this.#starts = new StartTimestampWriter();
    this.#deltaMs = 0;
  }

  get #isStamped(): boolean {
    return this.encoding === 5 || this.encoding === 6;
  }

  #newSample(): FloatFields | IntegerFields {
    return this.encoding === 2 || this.encoding === 5 ? new IntegerFields() : new FloatFields();
  }

  #headerFor(histogram: FloatHistogram): CounterResetHint {
    if (histogram.counterReset === "gauge") return "gauge";
    if (histogram.counterReset === "reset") return "reset";
    if (this.#last === undefined) return "unknown";
    const continuation = this.#continuation(this.#lastHeader, histogram);
    return continuation === "goes-on" ? "not-reset" : continuation === "reset" ? "reset" : "unknown";
  }

  /** How a histogram goes on after the last one; `header` is that of the last one's chunk. */
  #continuation(header: CounterResetHint, histogram: FloatHistogram): Continuation {
    const last = this.#last ?? histogram;
    const isGauge = histogram.counterReset === "gauge";
    if ((header === "gauge") !== isGauge) return "differs";
    if (histogram.counterReset === "reset") return "reset";
    if (isStaleHistogram(histogram)) return "goes-on";
    // After a staleness marker a chunk takes only more of them.
    if (isStaleHistogram(last)) return "differs";
    if (!isGauge && histogram.count < last.count) return "reset";
    if (histogram.schema !== last.schema || histogram.zeroThreshold !== last.zeroThreshold) return "differs";
    if (histogram.schema === customBoundsSchema && !sameNumbers(histogram.customBounds, last.customBounds)) {
      return isGauge ? "differs" : "reset";
    }
    return !isGauge && anythingFell(last, histogram) ? "reset" : "goes-on";
  }

  /** The histogram in the layout of the chunk, which is written anew where it lacks buckets. */
  #fitted(histogram: FloatHistogram): FloatHistogram {
    const { positiveSpans, negativeSpans } = this.#layout;
    const positive = compareSpans(positiveSpans, histogram.positiveSpans);
    const negative = compareSpans(negativeSpans, histogram.negativeSpans);
    if (!positive.oldLacks && !negative.oldLacks) {
      return positive.newLacks || negative.newLacks ? spread(histogram, positiveSpans, negativeSpans) : histogram;
    }
    // A gauge's spans are united on both sides as soon as one of them lacks a bucket.
    const isGaugeUnion = this.#header === "gauge" && (positive.newLacks || negative.newLacks);
    const unite = (own: readonly BucketSpan[], spans: readonly BucketSpan[], lacks: boolean) =>
      lacks || isGaugeUnion ? uniteSpans(own, spans) : spans;
    this.#recode(
      unite(positiveSpans, histogram.positiveSpans, positive.newLacks),
      unite(negativeSpans, histogram.negativeSpans, negative.newLacks),
    );
    return spread(histogram, this.#layout.positiveSpans, this.#layout.negativeSpans);
  }

  #recode(positiveSpans: readonly BucketSpan[], negativeSpans: readonly BucketSpan[]): void {
    const written = createHistogramColumns(0, { startTimestamps: true });
    const failure = decodeHistograms(this.encoding, this.bytes(), written);
    if (failure !== undefined) throw new Error(`a chunk cannot be read that was just written: ${failure.kind}`);
    this.#layout = { ...this.#layout, positiveSpans, negativeSpans };
    this.#empty();
    for (let i = 0; i < written.count; i++) {
      const histogram = spread(written.histograms[i], positiveSpans, negativeSpans);
      this.#write(written.timestampsMs[i], histogram, written.startTimestampsMs?.[i] ?? 0);
    }
  }

  /** Writes a histogram that has the chunk's layout, or a staleness marker. */
  #write(timestampMs: number, histogram: FloatHistogram, startMs: number): void {
    const writer = this.#writer;
    const isStaleSample = isStaleHistogram(histogram);
    if (this.count === 0) {
      writeLayout(writer, this.#layout);
      writer.writeVarbitInt(timestampMs);
      this.minTimeMs = timestampMs;
      this.#sample.writeFirst(writer, this.#layout, histogram, isStaleSample);
    } else {
      const deltaMs = timestampMs - this.maxTimeMs;
      writer.writeVarbitInt(deltaMs - this.#deltaMs);
      this.#deltaMs = deltaMs;
      this.#sample.writeNext(writer, histogram, isStaleSample);
    }
    if (this.#isStamped) {
      this.#starts.write(writer, this.count, timestampMs, this.count === 0 ? 0 : this.maxTimeMs, startMs);
    }
    this.maxTimeMs = timestampMs;
    this.#last = histogram;
    this.count++;
  }
}

class FloatFields {
  #fields = new XorFields(0);

  writeFirst(writer: BitWriter, layout: HistogramLayout, histogram: FloatHistogram, isStaleSample: boolean): void {
    const buckets = bucketCount(layout.positiveSpans) + bucketCount(layout.negativeSpans);
    this.#fields = new XorFields(firstBucketField + buckets);
    const count = fillFields(histogram, isStaleSample);
    for (let i = 0; i < count; i++) this.#fields.writeWhole(writer, i, fieldWords[2 * i + 1], fieldWords[2 * i]);
  }

  writeNext(writer: BitWriter, histogram: FloatHistogram, isStaleSample: boolean): void {
    const count = fillFields(histogram, isStaleSample);
    for (let i = 0; i < count; i++) this.#fields.writeChange(writer, i, fieldWords[2 * i + 1], fieldWords[2 * i]);
  }
}

/** Count, zero count and sum; the buckets follow. */
const firstBucketField = 3;

// All fields of the histogram that is being written.
let fieldValues = new Float64Array(64);
let fieldWords = new Uint32Array(fieldValues.buffer);

/** Puts the fields of a histogram in their order, and gives how many there are: a staleness marker has no buckets. */
function fillFields(histogram: FloatHistogram, isStaleSample: boolean): number {
  const { positiveBuckets, negativeBuckets } = histogram;
  const fieldCount = firstBucketField + positiveBuckets.length + negativeBuckets.length;
  if (fieldValues.length < fieldCount) {
    fieldValues = new Float64Array(2 * fieldCount);
    fieldWords = new Uint32Array(fieldValues.buffer);
  }
  fieldValues[0] = isStaleSample ? 0 : histogram.count;
  fieldValues[1] = isStaleSample ? 0 : histogram.zeroCount;
  setSum(histogram, isStaleSample);
  fieldWords[5] = scratchWords[1];
  fieldWords[4] = scratchWords[0];
  if (isStaleSample) return firstBucketField;
  fieldValues.set(positiveBuckets, firstBucketField);
  fieldValues.set(negativeBuckets, firstBucketField + positiveBuckets.length);
  return fieldCount;
}

class IntegerFields {
  /** Count and zero count, then of each bucket what it has more than its neighbour before. */
  #numbers = new Float64Array(0);
  #deltas = new Float64Array(0);
  #sum = new XorFields(1);

  writeFirst(writer: BitWriter, layout: HistogramLayout, histogram: FloatHistogram, isStaleSample: boolean): void {
    this.#numbers = new Float64Array(2 + bucketCount(layout.positiveSpans) + bucketCount(layout.negativeSpans));
    this.#deltas = new Float64Array(this.#numbers.length);
    this.#sum = new XorFields(1);
    if (!isStaleSample) this.#setNumbers(this.#numbers, histogram);
    writer.writeVarbitUint(this.#numbers[0]);
    writer.writeVarbitUint(this.#numbers[1]);
    setSum(histogram, isStaleSample);
    this.#sum.writeWhole(writer, 0, scratchWords[1], scratchWords[0]);
    for (let i = 2; i < this.#numbers.length; i++) writer.writeVarbitInt(this.#numbers[i]);
  }

  writeNext(writer: BitWriter, histogram: FloatHistogram, isStaleSample: boolean): void {
    if (isStaleSample) {
      writer.write(0, 2);
      setSum(histogram, true);
      this.#sum.writeChange(writer, 0, scratchWords[1], scratchWords[0]);
      return;
    }
    const numbers = new Float64Array(this.#numbers.length);
    this.#setNumbers(numbers, histogram);
    for (let i = 0; i < numbers.length; i++) {
      if (i === 2) this.#writeSum(writer, histogram);
      const delta = numbers[i] - this.#numbers[i];
      writer.writeVarbitInt(delta - this.#deltas[i]);
      this.#deltas[i] = delta;
    }
    if (numbers.length === 2) this.#writeSum(writer, histogram);
    this.#numbers = numbers;
  }

  #writeSum(writer: BitWriter, histogram: FloatHistogram): void {
    setSum(histogram, false);
    this.#sum.writeChange(writer, 0, scratchWords[1], scratchWords[0]);
  }

  #setNumbers(numbers: Float64Array, histogram: FloatHistogram): void {
    numbers[0] = histogram.count;
    numbers[1] = histogram.zeroCount;
    let at = 2;
    for (const buckets of [histogram.positiveBuckets, histogram.negativeBuckets]) {
      let before = 0;
      for (const bucket of buckets) {
        numbers[at++] = bucket - before;
        before = bucket;
      }
    }
  }
}

/** A NaN becomes Prometheus's ordinary one, whatever its bits: they are not safe in a number. */
function setScratch(value: number): void {
  if (value === value) scratchValue[0] = value;
  else {
    scratchWords[1] = normalNaNHigh;
    scratchWords[0] = normalNaNLow;
  }
}

function setSum(histogram: FloatHistogram, isStaleSample: boolean): void {
  if (!isStaleSample) return setScratch(histogram.sum);
  scratchWords[1] = staleHigh;
  scratchWords[0] = staleLow;
}

function spread(
  histogram: FloatHistogram,
  positiveSpans: readonly BucketSpan[],
  negativeSpans: readonly BucketSpan[],
): FloatHistogram {
  return {
    ...histogram,
    positiveSpans,
    positiveBuckets: spreadBuckets(histogram.positiveBuckets, histogram.positiveSpans, positiveSpans),
    negativeSpans,
    negativeBuckets: spreadBuckets(histogram.negativeBuckets, histogram.negativeSpans, negativeSpans),
  };
}

function anythingFell(last: FloatHistogram, next: FloatHistogram): boolean {
  return (
    next.zeroCount < last.zeroCount ||
    anyBucketFell(last.positiveSpans, last.positiveBuckets, next.positiveSpans, next.positiveBuckets) ||
    anyBucketFell(last.negativeSpans, last.negativeBuckets, next.negativeSpans, next.negativeBuckets)
  );
}

function sameNumbers(one: Float64Array, other: Float64Array): boolean {
  return one.length === other.length && one.every((number, i) => number === other[i]);
}

/** A caller's mistake must not become a chunk that nobody can read. */
function checkShape(encoding: WrittenHistogramEncoding, histogram: FloatHistogram): void {
  if (
    bucketCount(histogram.positiveSpans) !== histogram.positiveBuckets.length ||
    bucketCount(histogram.negativeSpans) !== histogram.negativeBuckets.length
  ) {
    throw new RangeError("the spans of a histogram must cover just its buckets");
  }
  if (encoding === 3 || encoding === 6 || isStaleHistogram(histogram)) return;
  checkCount(histogram.count);
  checkCount(histogram.zeroCount);
  histogram.positiveBuckets.forEach(checkCount);
  histogram.negativeBuckets.forEach(checkCount);
}

function checkCount(count: number): void {
  if (Number.isInteger(count) && count >= 0 && count <= histogramCountMax) return;
  throw new RangeError(`an integer histogram counts whole numbers up to ${histogramCountMax}, not ${count}`);
}
