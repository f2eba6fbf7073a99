/** What a remote write request brings of a series, whichever version it is of. */
import type { Labels, Result } from "@pleiad/model";
import { readHistogram, wordBefore, type HistogramMessage } from "./histogram-message.ts";
import type { ProtobufReader } from "./protobuf-reader.ts";
import type { WireFailure } from "./wire-failure.ts";

export interface ExemplarMessage {
  readonly labels: Labels | undefined; // undefined where they make no sense
  readonly value: number;
  readonly timestampMs: number; // 0 = none
}

export type MetricType =
  | "unknown"
  | "counter"
  | "gauge"
  | "histogram"
  | "gaugehistogram"
  | "summary"
  | "info"
  | "stateset";

/** What a metric is, for people. */
export interface MetadataMessage {
  readonly type: MetricType;
  readonly help: string;
  readonly unit: string;
}

/** By number in the enumeration, which is the same in both versions. */
const metricTypes: readonly MetricType[] = [
  "unknown",
  "counter",
  "gauge",
  "histogram",
  "gaugehistogram",
  "summary",
  "info",
  "stateset",
];

export function metricTypeOf(number: number): MetricType {
  return metricTypes[number] ?? "unknown";
}

/** The samples of one series. The columns are filled anew for the next one; what lists hold stays as it is. */
export interface WrittenSamples {
  readonly sampleCount: number;
  readonly timestampsMs: Float64Array;
  /** Two a sample, the low one first: the only way that keeps the bits of every NaN. */
  readonly valueWords: Uint32Array;
  /** When a sample's counter began; 0 = not known. */
  readonly startTimestampsMs: Float64Array;
  readonly histograms: readonly HistogramMessage[];
  readonly exemplars: readonly ExemplarMessage[];
}

export interface WriteRequestLimits {
  readonly seriesMax: number; // of one request
  readonly samplesMax: number; // of one request: floats and whatever else, by what it weighs in memory
  readonly labelsPerSeriesMax: number; // over it: the labels of that series are at fault
  readonly symbolsMax: number; // of version 2.0: texts of one request
}

/** A request is read in one go: within these bounds that takes about half a second at most. */
export const defaultWriteRequestLimits: WriteRequestLimits = {
  seriesMax: 100_000,
  samplesMax: 250_000,
  labelsPerSeriesMax: 256,
  symbolsMax: 200_000,
};

export type WriteRequestFailure =
  | WireFailure
  | { readonly kind: "limit"; readonly of: "series" | "samples" | "symbols"; readonly max: number };

/**
 * Reads the requests of one version, one after another. Use: `reset`; while `nextSeries`, look at labels and samples; then
 * at `failure`. Of a request that fails nothing is to be kept.
 */
export interface WriteRequestReader {
  readonly failure: WriteRequestFailure | undefined;
  /** What the request tells of metrics, by their names; whole at the end. */
  readonly metadata: ReadonlyMap<string, MetadataMessage>;
  reset(request: Uint8Array): void;
  nextSeries(): boolean;
  /**
   * The bytes of the request at [keyFrom, keyTo) stand for the labels of the series: equal bytes, equal labels, in any
   * request of this version. Empty where nothing does.
   */
  readonly keyFrom: number;
  readonly keyTo: number;
  /** Of the series: sorted, none without value; else what is wrong with them. */
  labels(): Result<Labels, string>;
  readonly samples: WrittenSamples;
}

/** What a histogram and an exemplar weigh, in floats. */
const histogramWeight = 10;
const exemplarWeight = 4;

/** The samples of a series while they are read, and the count of what their request brings in all. */
export class SampleColumns implements WrittenSamples {
  sampleCount = 0;
  timestampsMs = new Float64Array(16);
  valueWords = new Uint32Array(32);
  startTimestampsMs = new Float64Array(16);
  histograms: HistogramMessage[] = [];
  exemplars: ExemplarMessage[] = [];
  /** What is left of the request's bound; below 0 it is passed. */
  left = 0;

  /** Begins the next series. What was handed out before stays as it is. */
  clear(): void {
    this.sampleCount = 0;
    if (this.histograms.length > 0) this.histograms = [];
    if (this.exemplars.length > 0) this.exemplars = [];
  }

  /** Reads the Sample message of the current field. */
  readSample(reader: ProtobufReader): void {
    if (!this.take(1)) return;
    const row = this.sampleCount;
    if (row === this.timestampsMs.length) this.#grow();
    let [high, low, timestampMs, startMs] = [0, 0, 0, 0];
    for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
      if (reader.field === 1) {
        reader.double();
        low = wordBefore(reader, 8);
        high = wordBefore(reader, 4);
      } else if (reader.field === 2) timestampMs = reader.int64();
      else if (reader.field === 3) startMs = reader.int64();
      else reader.skip();
    }
    this.timestampsMs[row] = timestampMs;
    this.startTimestampsMs[row] = startMs;
    this.valueWords[2 * row] = low;
    this.valueWords[2 * row + 1] = high;
    this.sampleCount++;
  }

  /** Since when the samples count that do not say so themselves. */
  setStart(startTimestampMs: number): void {
    if (startTimestampMs === 0) return;
    for (let i = 0; i < this.sampleCount; i++) this.startTimestampsMs[i] ||= startTimestampMs;
    this.histograms = this.histograms.map((one) => ({
      ...one,
      startTimestampMs: one.startTimestampMs === 0 ? startTimestampMs : one.startTimestampMs,
    }));
  }

  readHistogram(reader: ProtobufReader): void {
    if (this.take(histogramWeight)) this.histograms.push(readHistogram(reader));
  }

  addExemplar(exemplar: ExemplarMessage): void {
    if (this.take(exemplarWeight)) this.exemplars.push(exemplar);
  }

  /** Counts what comes into memory; false where that is too much. */
  take(weight: number): boolean {
    this.left -= weight;
    return this.left >= 0;
  }

  #grow(): void {
    const rows = 2 * this.timestampsMs.length;
    this.timestampsMs = enlarged(this.timestampsMs, rows);
    this.startTimestampsMs = enlarged(this.startTimestampsMs, rows);
    const words = new Uint32Array(2 * rows);
    words.set(this.valueWords);
    this.valueWords = words;
  }
}

function enlarged(column: Float64Array, rows: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(rows);
  larger.set(column);
  return larger;
}
