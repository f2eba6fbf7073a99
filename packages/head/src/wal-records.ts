/** Records of the write-ahead log: which series there are, and their float samples. */
import { timestampMsMax } from "@pleiad/chunks";
import { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

export const recordSeries = 1;
export const recordSamples = 2;

/** References of series in Pleiad's heads stay below this, so that postings are lists of 32-bit numbers. */
export const seriesRefMax = 0xffff_fffe;

export function writeSeries(out: ByteWriter, ref: number, labels: readonly string[]): void {
  out.i64(ref);
  out.uvarint(labels.length / 2);
  for (const text of labels) out.text(text);
}

/** Begins a record of samples: times and references of all that follow are told as distances from these. */
export function writeSamplesBase(out: ByteWriter, ref: number, timestampMs: number): void {
  out.u8(recordSamples);
  out.i64(ref);
  out.i64(timestampMs);
}

export function writeSample(out: ByteWriter, refDistance: number, distanceMs: number, high: number, low: number): void {
  out.varint(refDistance);
  out.varint(distanceMs);
  out.u32(high);
  out.u32(low);
}

/** Takes what the log tells, in its order. */
export interface RecordSink {
  /** Labels flat, as they were written: not checked. */
  series(ref: number, labels: string[]): void;
  sample(ref: number, timestampMs: number, high: number, low: number): void;
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
  sink.unread(type);
  return undefined;
}

function readSeries(reader: ByteReader, sink: RecordSink): string | undefined {
  while (!reader.done) {
    const ref = reader.i64();
    const pairs = reader.uvarint();
    const labels: string[] = [];
    for (let i = 0; i < pairs && !reader.failed; i++) labels.push(reader.text(), reader.text());
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
