/** Remote write requests as senders make them, for tests. */
import { encodeSnappyBlock } from "@pleiad/chunks";
import { ProtobufWriter } from "@pleiad/wire";
import type { HttpRequest } from "@pleiad/ports";

export interface SentSeries {
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly samples?: readonly (readonly [timestampMs: number, value: number | "stale", startMs?: number])[];
  readonly histograms?: readonly SentHistogram[];
  readonly exemplars?: readonly (readonly [traceId: string, value: number, timestampMs: number])[];
}

/** One of schema 0 with two buckets; whole counts unless `float`. */
export interface SentHistogram {
  readonly timestampMs: number;
  readonly count: number;
  readonly zeroCount: number;
  readonly buckets: readonly [number, number];
  readonly float?: boolean;
}

const staleMarker = Uint8Array.of(0x09, 2, 0, 0, 0, 0, 0, 0xf0, 0x7f);

export function writeRequest(all: readonly SentSeries[]): Uint8Array {
  const writer = new ProtobufWriter();
  for (const { labels, samples = [], histograms = [], exemplars = [] } of all) {
    const series = writer.open(1, 2);
    for (const [name, value] of labels) {
      const label = writer.open(1);
      writer.text(1, name);
      writer.text(2, value);
      writer.close(label);
    }
    for (const sample of samples) putSample(writer, sample);
    for (const [traceId, value, timestampMs] of exemplars) {
      const exemplar = writer.open(3);
      const label = writer.open(1);
      writer.text(1, "trace_id");
      writer.text(2, traceId);
      writer.close(label);
      writer.double(2, value);
      writer.int64(3, timestampMs);
      writer.close(exemplar);
    }
    for (const histogram of histograms) putHistogram(writer, 4, histogram);
    writer.close(series);
  }
  return writer.view();
}

export function writeRequestV2(all: readonly SentSeries[]): Uint8Array {
  const numbers = new Map([["", 0]]);
  const refOf = (symbol: string) => {
    const number = numbers.get(symbol) ?? numbers.size;
    numbers.set(symbol, number);
    return number;
  };
  const body = new ProtobufWriter();
  for (const { labels, samples = [], histograms = [], exemplars = [] } of all) {
    const series = body.open(5, 2);
    body.packed(1, labels.flat().map(refOf));
    for (const sample of samples) putSample(body, sample);
    for (const histogram of histograms) putHistogram(body, 3, histogram);
    for (const [traceId, value, timestampMs] of exemplars) {
      const exemplar = body.open(4);
      body.packed(1, ["trace_id", traceId].map(refOf));
      body.double(2, value);
      body.int64(3, timestampMs);
      body.close(exemplar);
    }
    body.close(series);
  }
  const writer = new ProtobufWriter();
  for (const symbol of numbers.keys()) writer.textItem(4, symbol);
  writer.raw(body.view());
  return writer.view();
}

function putSample(
  writer: ProtobufWriter,
  [timestampMs, value, startMs = 0]: readonly [number, number | "stale", number?],
) {
  const sample = writer.open(2);
  if (value === "stale") writer.raw(staleMarker);
  else writer.double(1, value);
  writer.int64(2, timestampMs);
  writer.int64(3, startMs);
  writer.close(sample);
}

function putHistogram(
  writer: ProtobufWriter,
  field: number,
  { timestampMs, count, zeroCount, buckets, float }: SentHistogram,
) {
  const mark = writer.open(field);
  if (float === true) writer.doubleItem(2, count);
  else writer.integerItem(1, count);
  writer.double(3, 1.5);
  if (float === true) writer.doubleItem(7, zeroCount);
  else writer.integerItem(6, zeroCount);
  const span = writer.open(11);
  writer.int64(2, 2);
  writer.close(span);
  if (float === true) writer.packedDoubles(13, buckets);
  else {
    const [first, second] = buckets;
    for (const delta of [first, second - first]) {
      if (delta === 0) writer.integerItem(12, 0);
      else writer.sint64(12, delta);
    }
  }
  writer.int64(15, timestampMs);
  writer.close(mark);
}

/** A POST of a message; headers in lower case are added, or taken away where they are undefined. */
export function post(message: Uint8Array, headers: Readonly<Record<string, string | undefined>> = {}): HttpRequest {
  const all = Object.entries({
    "content-encoding": "snappy",
    "content-type": "application/x-protobuf",
    ...headers,
  });
  return {
    method: "POST",
    path: "/api/v1/receive",
    query: "",
    headers: new Map(all.filter((entry): entry is [string, string] => entry[1] !== undefined)),
    body: encodeSnappyBlock(message),
    signal: new AbortController().signal,
  };
}

export const contentTypeV2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
