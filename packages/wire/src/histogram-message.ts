/** Histogram of Prometheus's remote protocols: docs/format/remote-write.md has its fields. */
import { staleHistogram } from "@pleiad/chunks";
import { staleHigh, staleLow, type BucketSpan, type FloatHistogram } from "@pleiad/model";
import type { ProtobufReader } from "./protobuf-reader.ts";

/** One native histogram of a series. */
export interface HistogramMessage {
  /** A staleness marker is `staleHistogram`. */
  readonly histogram: FloatHistogram;
  /** Whether its counts are whole numbers by nature. */
  readonly kind: "integer" | "float";
  readonly timestampMs: number;
  readonly startTimestampMs: number; // 0 = not known
  /** Why it stands for nothing; the bytes around it may be good. */
  readonly fault: string | undefined;
}

/** Above what any histogram has: spans cost more memory than bytes on the wire. */
const spansMax = 65_536;

export const resetHints: readonly FloatHistogram["counterReset"][] = ["unknown", "reset", "not-reset", "gauge"]; // by number

/** Reads the Histogram message of the current field. */
export function readHistogram(reader: ProtobufReader): HistogramMessage {
  let [count, sum, schema, zeroThreshold, zeroCount, timestampMs, startTimestampMs] = [0, 0, 0, 0, 0, 0, 0];
  let counterReset: FloatHistogram["counterReset"] = "unknown";
  let kind: HistogramMessage["kind"] = "integer";
  let isStale = false;
  let fault: string | undefined;
  const positiveSpans: BucketSpan[] = [];
  const negativeSpans: BucketSpan[] = [];
  const positive: BucketCounts = { deltas: [], counts: [] };
  const negative: BucketCounts = { deltas: [], counts: [] };
  const customBounds: number[] = [];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    switch (reader.field) {
      case 1:
        count = reader.int64();
        break;
      case 2:
        count = reader.double();
        kind = "float";
        break;
      case 3:
        sum = reader.double();
        isStale = wordBefore(reader, 8) === staleLow && wordBefore(reader, 4) === staleHigh;
        break;
      case 4:
        schema = reader.sint64();
        break;
      case 5:
        zeroThreshold = reader.double();
        break;
      case 6:
        zeroCount = reader.int64();
        break;
      case 7:
        zeroCount = reader.double();
        break;
      case 8:
        negativeSpans.push(readSpan(reader));
        break;
      case 9:
        reader.sint64s(negative.deltas);
        break;
      case 10:
        reader.doubles(negative.counts);
        break;
      case 11:
        positiveSpans.push(readSpan(reader));
        break;
      case 12:
        reader.sint64s(positive.deltas);
        break;
      case 13:
        reader.doubles(positive.counts);
        break;
      case 14: {
        const number = reader.int32();
        const hint = resetHints[number];
        if (hint === undefined) fault = `counter reset hint ${number}`;
        else counterReset = hint;
        break;
      }
      case 15:
        timestampMs = reader.int64();
        break;
      case 16:
        reader.doubles(customBounds);
        break;
      case 17:
        startTimestampMs = reader.int64();
        break;
      default:
        reader.skip();
    }
    if (negativeSpans.length + positiveSpans.length > spansMax) reader.fail(`histogram of more than ${spansMax} spans`);
  }
  if (isStale) return { histogram: staleHistogram, kind, timestampMs, startTimestampMs, fault: undefined };
  const positiveBuckets = absoluteCounts(positive);
  const negativeBuckets = absoluteCounts(negative);
  const fits =
    bucketCountOf(positiveSpans) === positiveBuckets.length && bucketCountOf(negativeSpans) === negativeBuckets.length;
  // What reads buckets walks the spans: counts that are not there must not be looked for.
  if (!fits) fault = "histogram whose spans and buckets differ in number";
  const histogram: FloatHistogram = {
    schema,
    zeroThreshold,
    zeroCount,
    count,
    sum,
    positiveSpans,
    positiveBuckets,
    negativeSpans,
    negativeBuckets,
    customBounds: Float64Array.from(customBounds),
    counterReset,
  };
  return { histogram, kind, timestampMs, startTimestampMs, fault };
}

/** The 32 bits that begin `bytes` before the place of a reader, lowest byte first, as a signed number. */
export function wordBefore({ message, offset }: ProtobufReader, bytes: number): number {
  const at = offset - bytes;
  return (
    (message[at] as number) |
    ((message[at + 1] as number) << 8) |
    ((message[at + 2] as number) << 16) |
    ((message[at + 3] as number) << 24)
  );
}

/** Of one sign: integer histograms have deltas, float histograms counts. */
interface BucketCounts {
  readonly deltas: number[];
  readonly counts: number[];
}

function absoluteCounts({ deltas, counts }: BucketCounts): Float64Array {
  if (counts.length > 0 || deltas.length === 0) return Float64Array.from(counts);
  let count = 0;
  return Float64Array.from(deltas, (delta) => (count += delta));
}

function bucketCountOf(spans: readonly BucketSpan[]): number {
  let count = 0;
  for (const { length } of spans) count += length;
  return count;
}

function readSpan(reader: ProtobufReader): BucketSpan {
  let offset = 0;
  let length = 0;
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) offset = reader.sint64();
    else if (reader.field === 2) length = reader.int64();
    else reader.skip();
  }
  return { offset, length };
}
