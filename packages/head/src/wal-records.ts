/** Records of the write-ahead log: which series there are, their samples and exemplars. */
import { ByteReader, timestampMsMax, type ByteWriter } from "@pleiad/chunks";
import { customBoundsSchema, type FloatHistogram } from "@pleiad/model";
import type { Exemplar } from "./exemplar-ring.ts";
import { readHistogram, writeHistogram, type HistogramKind } from "./histogram-record.ts";

export const recordSeries = 1;
export const recordSamples = 2;
export const recordExemplars = 4;
/** In the log of out-of-order samples: which of a series' are in a closed chunk. */
const recordChunkMarkers = 5;
const recordIntegerHistograms = 7;
const recordFloatHistograms = 8;
const recordIntegerCustomHistograms = 9;
const recordFloatCustomHistograms = 10;

const histogramKinds: ReadonlyMap<number, HistogramKind> = new Map([
  [recordIntegerHistograms, "integer"],
  [recordIntegerCustomHistograms, "integer"],
  [recordFloatHistograms, "float"],
  [recordFloatCustomHistograms, "float"],
]);

const scratchValue = new Float64Array(1);
const scratchWords = new Uint32Array(scratchValue.buffer);

/** References of series in Pleiad's heads stay below this, so that postings are lists of 32-bit numbers. */
export const seriesRefMax = 0xffff_fffe;

export function writeSeries(out: ByteWriter, ref: number, labels: readonly string[]): void {
  out.i64(ref);
  out.uvarint(labels.length / 2);
  for (const text of labels) out.text(text);
}

/** Begins a record of samples or exemplars: times and references of all that follow are told as distances from these. */
export function writeBase(out: ByteWriter, type: number, ref: number, timestampMs: number): void {
  out.u8(type);
  out.i64(ref);
  out.i64(timestampMs);
}

export function writeSample(out: ByteWriter, refDistance: number, distanceMs: number, high: number, low: number): void {
  out.varint(refDistance);
  out.varint(distanceMs);
  out.u32(high);
  out.u32(low);
}

/** The type of a record that holds such a histogram. Those with custom bounds have types of their own. */
export function histogramRecordType(kind: HistogramKind, { schema }: Pick<FloatHistogram, "schema">): number {
  if (schema === customBoundsSchema) {
    return kind === "integer" ? recordIntegerCustomHistograms : recordFloatCustomHistograms;
  }
  return kind === "integer" ? recordIntegerHistograms : recordFloatHistograms;
}

export function writeHistogramSample(
  out: ByteWriter,
  refDistance: number,
  distanceMs: number,
  histogram: FloatHistogram,
  kind: HistogramKind,
): void {
  out.varint(refDistance);
  out.varint(distanceMs);
  writeHistogram(out, histogram, kind);
}

export function writeExemplar(
  out: ByteWriter,
  refDistance: number,
  { timestampMs, value, labels }: Exemplar,
  baseMs: number,
): void {
  scratchValue[0] = value;
  writeSample(out, refDistance, timestampMs - baseMs, scratchWords[1] ?? 0, scratchWords[0] ?? 0);
  out.uvarint(labels.length / 2);
  for (const text of labels) out.text(text);
}

/** Takes what the log tells, in its order. */
export interface RecordSink {
  /** Labels flat, as they were written: not checked. */
  series(ref: number, labels: string[]): void;
  sample(ref: number, timestampMs: number, high: number, low: number): void;
  histogram(ref: number, timestampMs: number, histogram: FloatHistogram, kind: HistogramKind): void;
  /** Labels flat, as they were written: not checked. */
  exemplar(ref: number, timestampMs: number, value: number, labels: string[]): void;
  /** A record of a type that is not read. */
  unread(type: number): void;
}

/** Reads one record. Gives what is wrong with it; the sink may then have taken a part. */
export function readRecord(record: Uint8Array, from: number, to: number, sink: RecordSink): string | undefined {
  const reader = new ByteReader(record, from, to);
  const type = reader.u8();
  if (reader.failed) return "an empty record";
  if (type === recordSeries) return readSeries(reader, sink);
  if (type === recordSamples) return readSamples(reader, sink);
  if (type === recordExemplars) return readExemplars(reader, sink);
  // What a marker tells is seen from the samples themselves.
  if (type === recordChunkMarkers) return undefined;
  const kind = histogramKinds.get(type);
  if (kind !== undefined) return readHistograms(reader, kind, sink);
  sink.unread(type);
  return undefined;
}

function readSeries(reader: ByteReader, sink: RecordSink): string | undefined {
  while (!reader.done) {
    const ref = reader.i64();
    const labels = readLabels(reader);
    if (reader.failed || ref < 1 || ref > seriesRefMax) return "a series record that makes no sense";
    sink.series(ref, labels);
  }
  return undefined;
}

function readSamples(reader: ByteReader, sink: RecordSink): string | undefined {
  const baseRef = reader.i64();
  const baseMs = reader.i64();
  while (!reader.done) {
    const ref = baseRef + reader.varint();
    const timestampMs = baseMs + reader.varint();
    const high = reader.i32();
    const low = reader.i32();
    if (reader.failed || ref < 1 || ref > seriesRefMax || Math.abs(timestampMs) > timestampMsMax) {
      return "a samples record that makes no sense";
    }
    sink.sample(ref, timestampMs, high, low);
  }
  return reader.failed ? "a samples record that makes no sense" : undefined;
}

function readHistograms(reader: ByteReader, kind: HistogramKind, sink: RecordSink): string | undefined {
  const baseRef = reader.i64();
  const baseMs = reader.i64();
  while (!reader.done) {
    const ref = baseRef + reader.varint();
    const timestampMs = baseMs + reader.varint();
    const histogram = readHistogram(reader, kind);
    if (histogram === undefined || !isPlace(ref, timestampMs)) return "a histogram record that makes no sense";
    sink.histogram(ref, timestampMs, histogram, kind);
  }
  return reader.failed ? "a histogram record that makes no sense" : undefined;
}

function readExemplars(reader: ByteReader, sink: RecordSink): string | undefined {
  const baseRef = reader.i64();
  const baseMs = reader.i64();
  while (!reader.done) {
    const ref = baseRef + reader.varint();
    const timestampMs = baseMs + reader.varint();
    const high = reader.i32();
    scratchWords[0] = reader.i32();
    scratchWords[1] = high;
    const value = scratchValue[0] ?? 0;
    const labels = readLabels(reader);
    if (reader.failed || !isPlace(ref, timestampMs)) return "an exemplar record that makes no sense";
    sink.exemplar(ref, timestampMs, value, labels);
  }
  return reader.failed ? "an exemplar record that makes no sense" : undefined;
}

function readLabels(reader: ByteReader): string[] {
  const pairs = reader.uvarint();
  const labels: string[] = [];
  for (let i = 0; i < pairs && !reader.failed; i++) labels.push(reader.text(), reader.text());
  return labels;
}

function isPlace(ref: number, timestampMs: number): boolean {
  return ref >= 1 && ref <= seriesRefMax && Math.abs(timestampMs) <= timestampMsMax;
}
