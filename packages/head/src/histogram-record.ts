/** Native histograms in records of the log, and which ones a head takes. Byte layout: docs/format/write-ahead-log.md. */
import {
  histogramCountMax,
  isKnownSchema,
  isStaleHistogram,
  staleHistogram,
  type ByteReader,
  type ByteWriter,
} from "@pleiad/chunks";
import {
  customBoundsSchema,
  staleHigh,
  staleLow,
  type BucketSpan,
  type CounterResetHint,
  type FloatHistogram,
} from "@pleiad/model";

/** What counts of a histogram are: whole numbers, or any. */
export type HistogramKind = "integer" | "float";

const hints: readonly CounterResetHint[] = ["unknown", "reset", "not-reset", "gauge"];
/** As many as a chunk's layout may have: a span's offset has 31 bits. */
const spanOffsetMax = 2 ** 31;
const bucketsMax = 65_536;

const scratchValue = new Float64Array(1);
const scratchWords = new Uint32Array(scratchValue.buffer);

/** Why a histogram is not taken; undefined where it is. */
export function histogramFault(histogram: FloatHistogram, kind: HistogramKind): string | undefined {
  if (isStaleHistogram(histogram)) return undefined;
  const { schema, count, zeroCount, zeroThreshold, customBounds } = histogram;
  if (!isKnownSchema(schema)) return `there is no histogram schema ${schema}`;
  if (!(zeroThreshold >= 0)) return "a zero threshold below zero";
  const sides = [
    [histogram.positiveSpans, histogram.positiveBuckets],
    [histogram.negativeSpans, histogram.negativeBuckets],
  ] as const;
  let bucketTotal = 0;
  for (const [spans, buckets] of sides) {
    const reason = spansFault(spans, buckets.length);
    if (reason !== undefined) return reason;
    bucketTotal += buckets.length;
  }
  if (bucketTotal > bucketsMax) return `more than ${bucketsMax} buckets`;
  if (schema === customBoundsSchema) {
    for (let i = 1; i < customBounds.length; i++) {
      if (!((customBounds[i] ?? 0) > (customBounds[i - 1] ?? 0))) return "custom bounds that do not ascend";
    }
  } else if (customBounds.length > 0) return `custom bounds, and the schema ${schema}`;
  const counts = [count, zeroCount, ...histogram.positiveBuckets, ...histogram.negativeBuckets];
  const isCount =
    kind === "integer"
      ? (value: number) => Number.isInteger(value) && value >= 0 && value <= histogramCountMax
      : (value: number) => value >= 0 || histogram.counterReset === "gauge";
  return counts.every(isCount) ? undefined : `a count that is ${kind === "integer" ? "no whole number" : "negative"}`;
}

function spansFault(spans: readonly BucketSpan[], bucketCount: number): string | undefined {
  let covered = 0;
  for (const [i, { offset, length }] of spans.entries()) {
    if (!Number.isInteger(offset) || Math.abs(offset) > spanOffsetMax || (i > 0 && offset < 0)) {
      return `span ${i} has the offset ${offset}`;
    }
    if (!Number.isInteger(length) || length < 0) return `span ${i} has the length ${length}`;
    covered += length;
  }
  return covered === bucketCount ? undefined : `spans of ${covered} buckets, and ${bucketCount} of them`;
}

/** Writes the body that follows reference and time. */
export function writeHistogram(out: ByteWriter, histogram: FloatHistogram, kind: HistogramKind): void {
  const isStaleSample = isStaleHistogram(histogram);
  const writeDouble = (value: number) => {
    scratchValue[0] = value;
    out.u32(scratchWords[1] ?? 0);
    out.u32(scratchWords[0] ?? 0);
  };
  const writeCount = kind === "integer" ? (count: number) => out.uvarint(count) : writeDouble;
  out.u8(hints.indexOf(histogram.counterReset));
  out.varint(histogram.schema);
  writeDouble(histogram.zeroThreshold);
  writeCount(histogram.zeroCount);
  writeCount(histogram.count);
  if (isStaleSample) {
    out.u32(staleHigh);
    out.u32(staleLow);
  } else writeDouble(histogram.sum);
  for (const spans of [histogram.positiveSpans, histogram.negativeSpans]) {
    out.uvarint(spans.length);
    for (const { offset, length } of spans) {
      out.varint(offset);
      out.uvarint(length);
    }
  }
  for (const buckets of [histogram.positiveBuckets, histogram.negativeBuckets]) {
    out.uvarint(buckets.length);
    let previous = 0;
    for (const bucket of buckets) {
      if (kind === "integer") out.varint(bucket - previous);
      else writeDouble(bucket);
      previous = bucket;
    }
  }
  if (histogram.schema !== customBoundsSchema) return;
  out.uvarint(histogram.customBounds.length);
  for (const bound of histogram.customBounds) writeDouble(bound);
}

/** Reads a body; undefined where it makes no sense. */
export function readHistogram(reader: ByteReader, kind: HistogramKind): FloatHistogram | undefined {
  const counterReset = hints[reader.u8()];
  const schema = reader.varint();
  const zeroThreshold = readDouble(reader);
  const readCount = kind === "integer" ? () => reader.uvarint() : () => readDouble(reader);
  const zeroCount = readCount();
  const count = readCount();
  const sumHigh = reader.i32();
  const sumLow = reader.i32();
  const positiveSpans = readSpans(reader);
  const negativeSpans = readSpans(reader);
  const positiveBuckets = readBuckets(reader, kind);
  const negativeBuckets = readBuckets(reader, kind);
  const customBounds = schema === customBoundsSchema ? readBuckets(reader, "float") : new Float64Array(0);
  if (reader.failed || counterReset === undefined) return undefined;
  if (sumHigh === staleHigh && sumLow === staleLow) return staleHistogram;
  scratchWords[1] = sumHigh;
  scratchWords[0] = sumLow;
  const sum = scratchValue[0] ?? 0;
  const histogram: FloatHistogram = {
    ...{ schema, zeroThreshold, zeroCount, count, sum, counterReset, customBounds },
    ...{ positiveSpans, positiveBuckets, negativeSpans, negativeBuckets },
  };
  return histogramFault(histogram, kind) === undefined ? histogram : undefined;
}

function readDouble(reader: ByteReader): number {
  const high = reader.i32();
  scratchWords[0] = reader.i32();
  scratchWords[1] = high;
  return scratchValue[0] ?? 0;
}

function readSpans(reader: ByteReader): BucketSpan[] {
  const spans: BucketSpan[] = [];
  const count = reader.uvarint();
  for (let i = 0; i < count && !reader.failed; i++) spans.push({ offset: reader.varint(), length: reader.uvarint() });
  return spans;
}

function readBuckets(reader: ByteReader, kind: HistogramKind): Float64Array {
  const count = reader.uvarint();
  // A bucket takes a byte at the least: a damaged count reserves no more than there is.
  if (reader.failed || count > reader.end - reader.at) {
    reader.fail();
    return new Float64Array(0);
  }
  const buckets = new Float64Array(count);
  let previous = 0;
  for (let i = 0; i < count; i++) {
    previous = kind === "integer" ? previous + reader.varint() : readDouble(reader);
    buckets[i] = previous;
  }
  return buckets;
}
