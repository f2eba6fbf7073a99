/** TimeSeries, Sample and Histogram as Prometheus's remote protocols and Thanos's Query API have them. */
import { emptyLabels, labelsFromPairs, type BucketSpan, type FloatHistogram, type Labels } from "@pleiad/model";
import { readHistogram, resetHints } from "./histogram-message.ts";
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
        const { histogram, timestampMs, fault } = readHistogram(reader);
        if (fault !== undefined) reader.fail(fault);
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
