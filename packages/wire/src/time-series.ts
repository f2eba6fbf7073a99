/** TimeSeries, Sample and Histogram as Prometheus's remote protocols and Thanos's Query API have them. */
import { emptyLabels, labelsFromPairs, type BucketSpan, type FloatHistogram, type Labels } from "@pleiad/model";
import { readLabel, writeLabels } from "./label-messages.ts";
import type { ProtobufReader } from "./protobuf-reader.ts";
import type { ProtobufWriter } from "./protobuf-writer.ts";

/** Samples of one series, floats and native histograms apart, each ascending in time. Exemplars are passed over. */
export interface TimeSeriesMessage {
  readonly labels: Labels;
  readonly timestampsMs: Float64Array; // of floats
  readonly values: Float64Array;
  readonly histogramTimestampsMs: Float64Array;
  readonly histograms: readonly FloatHistogram[];
}

const resetHints: readonly FloatHistogram["counterReset"][] = ["unknown", "reset", "not-reset", "gauge"]; // by number

/** Writes a TimeSeries message in field `field`. Histograms go with float counts, whatever they were read as. */
export function writeTimeSeries(writer: ProtobufWriter, field: number, series: TimeSeriesMessage): void {
  const mark = writer.open(field, 2);
  writeLabels(writer, 1, series.labels);
  const { timestampsMs, values, histogramTimestampsMs, histograms } = series;
  for (let i = 0; i < values.length; i++) {
    const sample = writer.open(2);
    writer.double(1, values[i] as number);
    writer.int64(2, timestampsMs[i] as number);
    writer.close(sample);
  }
  histograms.forEach((histogram, i) => writeHistogram(writer, 4, histogram, histogramTimestampsMs[i] as number));
  writer.close(mark);
}

function writeHistogram(writer: ProtobufWriter, field: number, histogram: FloatHistogram, timestampMs: number): void {
  const mark = writer.open(field, 2);
  // Which member of a oneof is there tells its type: both counts are written, zeros too.
  writer.doubleItem(2, histogram.count);
  writer.double(3, histogram.sum);
  writer.sint64(4, histogram.schema);
  writer.double(5, histogram.zeroThreshold);
  writer.doubleItem(7, histogram.zeroCount);
  writeSpans(writer, 8, histogram.negativeSpans);
  writer.packedDoubles(10, histogram.negativeBuckets);
  writeSpans(writer, 11, histogram.positiveSpans);
  writer.packedDoubles(13, histogram.positiveBuckets);
  writer.int64(14, resetHints.indexOf(histogram.counterReset));
  writer.int64(15, timestampMs);
  writer.packedDoubles(16, histogram.customBounds);
  writer.close(mark);
}

function writeSpans(writer: ProtobufWriter, field: number, spans: readonly BucketSpan[]): void {
  for (const { offset, length } of spans) {
    const mark = writer.open(field);
    writer.sint64(1, offset);
    writer.int64(2, length);
    writer.close(mark);
  }
}

/** Reads the TimeSeries message of the current field. Labels may come in any order. */
export function readTimeSeries(reader: ProtobufReader): TimeSeriesMessage {
  const pairs: (readonly [string, string])[] = [];
  const timestampsMs: number[] = [];
  const values: number[] = [];
  const histogramTimestampsMs: number[] = [];
  const histograms: FloatHistogram[] = [];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    switch (reader.field) {
      case 1:
        pairs.push(readLabel(reader));
        break;
      case 2: {
        const { value, timestampMs } = readSample(reader);
        values.push(value);
        timestampsMs.push(timestampMs);
        break;
      }
      case 4: {
        const { histogram, timestampMs } = readHistogram(reader);
        histograms.push(histogram);
        histogramTimestampsMs.push(timestampMs);
        break;
      }
      default:
        reader.skip();
    }
  }
  return {
    labels: pairs.length === 0 ? emptyLabels : labelsFromPairs(pairs),
    timestampsMs: Float64Array.from(timestampsMs),
    values: Float64Array.from(values),
    histogramTimestampsMs: Float64Array.from(histogramTimestampsMs),
    histograms,
  };
}

function readSample(reader: ProtobufReader): { readonly value: number; readonly timestampMs: number } {
  let value = 0;
  let timestampMs = 0;
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) value = reader.double();
    else if (reader.field === 2) timestampMs = reader.int64();
    else reader.skip();
  }
  return { value, timestampMs };
}

function readHistogram(reader: ProtobufReader): { readonly histogram: FloatHistogram; readonly timestampMs: number } {
  let [count, sum, schema, zeroThreshold, zeroCount, timestampMs] = [0, 0, 0, 0, 0, 0];
  let counterReset: FloatHistogram["counterReset"] = "unknown";
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
        break;
      case 3:
        sum = reader.double();
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
        if (hint === undefined) reader.fail(`counter reset hint ${number}`);
        else counterReset = hint;
        break;
      }
      case 15:
        timestampMs = reader.int64();
        break;
      case 16:
        reader.doubles(customBounds);
        break;
      default:
        reader.skip();
    }
  }
  const positiveBuckets = absoluteCounts(positive);
  const negativeBuckets = absoluteCounts(negative);
  const fits =
    bucketCountOf(positiveSpans) === positiveBuckets.length && bucketCountOf(negativeSpans) === negativeBuckets.length;
  // What reads buckets walks the spans: counts that are not there must not be looked for.
  if (!fits) reader.fail("histogram whose spans and buckets differ in number");
  return {
    timestampMs,
    histogram: {
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
    },
  };
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
  if (length < 0) reader.fail("span of negative length");
  return { offset, length };
}
