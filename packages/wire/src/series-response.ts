/**
 * SeriesResponse of `thanos.Store/Series`: frames with one series, a batch of series, a warning or hints.
 * Field numbers: docs/format/store-api.md. The reader and the writer are the path of every series through a querier.
 */
import {
  isSortedLabels,
  labelsFromSorted,
  type Aggregate,
  type ChunkEncoding,
  type EncodedChunk,
  type Labels,
  type SourceChunk,
  type SourceSeries,
} from "@pleiad/model";
import { readAny, writeAny, type AnyMessage } from "./any-message.ts";
import { createLabelTable, type LabelTable } from "./label-table.ts";
import { ProtobufReader } from "./protobuf-reader.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import type { WireFailure } from "./wire-failure.ts";

/** Where frames are collected. Chunk data are views of the messages. */
export interface SeriesFrames {
  readonly series: SourceSeries[];
  readonly warnings: string[];
  readonly hints: AnyMessage[];
}

export interface SeriesFrameReader {
  /** Adds what one message holds to `into`. After a failure `into` may hold a part of it. */
  read(message: Uint8Array, into: SeriesFrames): WireFailure | undefined;
}

const chunkEncodings: readonly ChunkEncoding[] = [1, 2, 3, 4, 5, 6]; // by StoreAPI's number, one less than the block's
const aggregatesByField: readonly (Aggregate | undefined)[] = [
  undefined,
  undefined,
  undefined,
  undefined,
  "count",
  "sum",
  "min",
  "max",
  "counter",
];
const noChunks: readonly SourceChunk[] = [];
const noMessage = new Uint8Array(0);

/** Reads the frames of one stream. `labelTable` may be shared between streams, so that equal labels are one string. */
export function createSeriesFrameReader(labelTable: LabelTable = createLabelTable()): SeriesFrameReader {
  const reader = new ProtobufReader();
  // The series read last: neighbours share most labels, and one whose bytes are the same needs no look into the table.
  let previous: Uint8Array = noMessage; // the message that it came in
  let previousCount = 0; // of its labels; the texts of them are at the start of `texts`
  const previousFroms: number[] = [];
  const previousLengths: number[] = [];
  const texts: string[] = [];

  function readSeries(message: Uint8Array, into: SourceSeries[]): void {
    let count = 0;
    let namesAreKnown = true;
    let chunks: SourceChunk[] | undefined;
    for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
      if (reader.field === 1) {
        const length = reader.passBytes();
        const to = reader.offset;
        const from = to - length;
        const before = count < previousCount ? (previousFroms[count] as number) : -1;
        if (before === -1 || previousLengths[count] !== length || !sameBytes(message, from, to, previous, before)) {
          const name = before === -1 ? undefined : texts[2 * count];
          if (reader.failure === undefined && !labelTable.read(message, from, to, texts, 2 * count)) {
            reader.fail("label without name or value, or not UTF-8");
          }
          if (texts[2 * count] !== name) namesAreKnown = false;
        }
        previousFroms[count] = from;
        previousLengths[count] = length;
        count++;
      } else if (reader.field === 2) {
        const chunk = readChunk(reader);
        // An array that begins with one element has no room for more, one that begins empty soon has room for seventeen.
        if (chunks === undefined) chunks = [chunk];
        else chunks.push(chunk);
      } else reader.skip();
    }
    previous = message;
    namesAreKnown &&= count === previousCount;
    previousCount = count;
    const labels = texts.slice(0, 2 * count);
    // Where the names are those of the series before, their order is known to be right, and values are not empty.
    if (!namesAreKnown && !isSortedLabels(labels)) reader.fail("label names out of order");
    if (reader.failure === undefined) into.push({ labels: labelsFromSorted(labels), chunks: chunks ?? noChunks });
  }

  function readBatch(message: Uint8Array, into: SourceSeries[]): void {
    for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
      if (reader.field === 1) readSeries(message, into);
      else reader.skip();
    }
  }

  return {
    read(message, into) {
      reader.reset(message);
      while (reader.nextField()) {
        switch (reader.field) {
          case 1:
            readSeries(message, into.series);
            break;
          case 2:
            into.warnings.push(reader.text());
            break;
          case 3:
            into.hints.push(readAny(reader));
            break;
          case 4:
            readBatch(message, into.series);
            break;
          default:
            reader.skip();
        }
      }
      // A reader that failed has not checked the labels that it read last.
      if (reader.failure !== undefined) previousCount = 0;
      return reader.failure;
    },
  };
}

/** Whether `bytes[from, to)` is what `other` has from `otherFrom` on. */
function sameBytes(bytes: Uint8Array, from: number, to: number, other: Uint8Array, otherFrom: number): boolean {
  const shift = otherFrom - from;
  // From the end: neighbours differ in the ends of values more often than in names.
  for (let i = to - 1; i >= from; i--) if (bytes[i] !== other[i + shift]) return false;
  return true;
}

function readChunk(reader: ProtobufReader): SourceChunk {
  let minTimeMs = 0;
  let maxTimeMs = 0;
  let raw: SourceChunk["content"] | undefined;
  let aggregates: Map<Aggregate, EncodedChunk> | undefined;
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    const { field } = reader;
    if (field === 1) minTimeMs = reader.int64();
    else if (field === 2) maxTimeMs = reader.int64();
    else if (field === 3) raw = readRaw(reader);
    else {
      const aggregate = aggregatesByField[field];
      if (aggregate === undefined) reader.skip();
      else {
        aggregates ??= new Map();
        const { encoding, data } = readRaw(reader);
        aggregates.set(aggregate, { encoding, data });
      }
    }
  }
  if (raw !== undefined) return { minTimeMs, maxTimeMs, content: raw };
  if (aggregates === undefined) {
    reader.fail("chunk without data");
    aggregates = new Map();
  }
  return { minTimeMs, maxTimeMs, content: { kind: "aggregates", of: aggregates } };
}

/** An encoded chunk as the content of a raw one, so that the usual chunk needs no second object. */
function readRaw(reader: ProtobufReader): EncodedChunk & { readonly kind: "raw" } {
  let encoding: ChunkEncoding = 1;
  let data: Uint8Array | undefined;
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) {
      const number = reader.int32();
      const known = chunkEncodings[number];
      if (known === undefined) reader.fail(`chunk type ${number}`);
      else encoding = known;
    } else if (reader.field === 2) data = reader.bytes();
    else reader.skip();
  }
  return { kind: "raw", encoding, data: data ?? noMessage };
}

export interface SeriesFrameOptions {
  /** Series a frame; above 1 only for clients that asked for batches: others drop such frames without a word. */
  readonly batchSeriesMax: number;
  /** A frame is ended once it is this long: a series with more chunks goes on in the next frame. */
  readonly frameBytesMax: number;
  /** The aggregates of downsampled chunks to be sent; undefined = all there are. */
  readonly aggregates: ReadonlySet<Aggregate> | undefined;
}

/** Writes frames, many into one buffer, so that they can be sent together. */
export interface SeriesFrameWriter {
  series(series: SourceSeries): void;
  warning(text: string): void;
  hints(hints: AnyMessage): void;
  /** Bytes that wait for `take`. */
  readonly byteLength: number;
  /** The frames so far, in order, none if nothing was written. They belong to the caller. */
  take(): Uint8Array[];
}

/** A batch frame is not filled beyond this: the first series should not wait for the last of many. */
const batchBytesMax = 64 << 10;

export function createSeriesFrameWriter(options: SeriesFrameOptions): SeriesFrameWriter {
  const { batchSeriesMax, frameBytesMax, aggregates } = options;
  const batching = batchSeriesMax > 1;
  let capacityBytes = 4 << 10;
  let writer = new ProtobufWriter(capacityBytes);
  let ends: number[] = [];
  let batchMark: number | undefined;
  let batchFrom = 0;
  let batchSeries = 0;
  // Labels of the series before, and where its encoded ones start and end: equal ones are copied, not encoded again.
  let lastLabels: Labels | undefined;
  let lastStarts: number[] = [];
  let starts: number[] = [];

  function endBatch() {
    if (batchMark === undefined) return;
    const guessed = writer.length;
    writer.close(batchMark);
    // Closing may have moved what the batch holds.
    if (writer.length !== guessed) lastLabels = undefined;
    batchMark = undefined;
    ends.push(writer.length);
  }

  function beginSeries(labels: Labels): number {
    if (batching && batchMark === undefined) {
      batchFrom = writer.length;
      batchMark = writer.open(4, 3);
      batchSeries = 0;
    }
    const mark = writer.open(1, 2);
    writeSeriesLabels(labels);
    return mark;
  }

  function writeSeriesLabels(labels: Labels) {
    const last = lastLabels;
    starts.length = 0;
    const count = labels.length;
    const comparable = last !== undefined && last.length === count;
    let i = 0;
    while (i < count) {
      if (comparable && labels[i] === last[i] && labels[i + 1] === last[i + 1]) {
        // A run of labels that the series before has at the same places is copied as a whole.
        const from = i;
        const base = lastStarts[from >> 1] as number;
        const shift = writer.length - base;
        do {
          starts.push((lastStarts[i >> 1] as number) + shift);
          i += 2;
        } while (i < count && labels[i] === last[i] && labels[i + 1] === last[i + 1]);
        writer.repeat(base, lastStarts[i >> 1] as number);
      } else {
        starts.push(writer.length);
        const mark = writer.open(1);
        writer.text(1, labels[i] as string);
        writer.text(2, labels[i + 1] as string);
        writer.close(mark);
        i += 2;
      }
    }
    starts.push(writer.length);
    const swap = lastStarts;
    lastStarts = starts;
    starts = swap;
    lastLabels = labels;
  }

  function endSeries(mark: number) {
    const guessed = writer.length;
    writer.close(mark);
    const moved = writer.length - guessed;
    if (moved !== 0) for (let i = 0; i < lastStarts.length; i++) lastStarts[i] = (lastStarts[i] as number) + moved;
    if (!batching) {
      ends.push(writer.length);
      return;
    }
    batchSeries++;
    if (batchSeries >= batchSeriesMax || writer.length - batchFrom >= Math.min(batchBytesMax, frameBytesMax))
      endBatch();
  }

  return {
    get byteLength() {
      return writer.length;
    },
    series({ labels, chunks }) {
      let from = writer.length;
      let mark = beginSeries(labels);
      for (let i = 0; i < chunks.length; i++) {
        if (i > 0 && writer.length - from >= frameBytesMax) {
          endSeries(mark);
          endBatch();
          from = writer.length;
          mark = beginSeries(labels);
        }
        writeChunk(writer, chunks[i] as SourceChunk, aggregates);
      }
      endSeries(mark);
    },
    warning(text) {
      endBatch();
      writer.textItem(2, text);
      ends.push(writer.length);
    },
    hints(hints) {
      endBatch();
      writeAny(writer, 3, hints);
      ends.push(writer.length);
    },
    take() {
      endBatch();
      const messages: Uint8Array[] = [];
      let from = 0;
      for (const end of ends) {
        messages.push(writer.view(from, end));
        from = end;
      }
      // The messages are views, so the next ones need a buffer of their own, of about the size that this one took.
      capacityBytes = Math.min(Math.max(capacityBytes, writer.length + (writer.length >> 3)), 1 << 20);
      if (messages.length > 0) writer = new ProtobufWriter(capacityBytes);
      ends = [];
      lastLabels = undefined;
      return messages;
    },
  };
}

function writeChunk(
  writer: ProtobufWriter,
  { minTimeMs, maxTimeMs, content }: SourceChunk,
  wanted: ReadonlySet<Aggregate> | undefined,
): void {
  const length = content.kind === "raw" ? content.data.length : 1 << 10;
  const mark = writer.open(2, length < 90 ? 1 : 2);
  writer.int64(1, minTimeMs);
  writer.int64(2, maxTimeMs);
  if (content.kind === "raw") writeEncodedChunk(writer, 3, content);
  else {
    for (let field = 4; field < aggregatesByField.length; field++) {
      const aggregate = aggregatesByField[field];
      if (aggregate === undefined || (wanted !== undefined && !wanted.has(aggregate))) continue;
      const chunk = content.of.get(aggregate);
      if (chunk !== undefined) writeEncodedChunk(writer, field, chunk);
    }
  }
  writer.close(mark);
}

function writeEncodedChunk(writer: ProtobufWriter, field: number, { encoding, data }: EncodedChunk): void {
  const mark = writer.open(field, data.length < 120 ? 1 : 2);
  writer.int64(1, encoding - 1);
  writer.bytes(2, data);
  writer.close(mark);
}
