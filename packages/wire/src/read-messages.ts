/** Remote read: the question, and both forms of its answer. Fields: docs/format/remote-read.md. */
import { crc32c } from "@pleiad/chunks";
import {
  fail,
  ok,
  type ChunkEncoding,
  type Matcher,
  type Result,
  type SourceChunk,
  type SourceSeries,
} from "@pleiad/model";
import { writeMatchers } from "./label-messages.ts";
import { LabelRanges } from "./label-ranges.ts";
import type { LabelTable } from "./label-table.ts";
import { ProtobufReader } from "./protobuf-reader.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import type { WireFailure } from "./wire-failure.ts";

export interface ReadQuery {
  readonly minTimeMs: number; // inclusive
  readonly maxTimeMs: number; // inclusive
  readonly matchers: readonly Matcher[];
}

/** What an answer may be made of, by number. */
const responseTypes = ["samples", "chunks"] as const;
export type ReadResponseType = (typeof responseTypes)[number];

/** One question, and the forms of answer that are taken, the best first. */
export function encodeReadRequest(query: ReadQuery, accepted: readonly ReadResponseType[]): Uint8Array {
  const writer = new ProtobufWriter();
  const mark = writer.open(1, 2);
  writer.int64(1, query.minTimeMs);
  writer.int64(2, query.maxTimeMs);
  writeMatchers(writer, 3, query.matchers);
  writer.close(mark);
  writer.packed(
    2,
    accepted.map((type) => responseTypes.indexOf(type)),
  );
  return writer.view();
}

/** The results in an answer of samples: each reads as a request of remote write 1.0. */
export function decodeReadResponse(message: Uint8Array): Result<readonly Uint8Array[], WireFailure> {
  const reader = new ProtobufReader(message);
  const results: Uint8Array[] = [];
  while (reader.nextField()) {
    if (reader.field === 1) results.push(reader.bytes());
    else reader.skip();
  }
  return reader.failure === undefined ? ok(results) : fail(reader.failure);
}

const chunkEncodings: readonly (ChunkEncoding | undefined)[] = [undefined, 1, 2, 3, 4, 5, 6]; // by number; 0 is unknown
const noChunks: readonly SourceChunk[] = [];

/**
 * The series in an answer of chunks, which are views of it. One that did not fit a frame comes again in the next. The answer
 * must be whole: a frame that is cut short is a failure.
 */
export function decodeChunkedRead(
  answer: Uint8Array,
  labelTable: LabelTable,
): Result<readonly SourceSeries[], WireFailure> {
  const ranges = new LabelRanges(labelTable);
  const series: SourceSeries[] = [];
  for (let at = 0; at < answer.length;) {
    const frame = frameAt(answer, at);
    if (!frame.ok) return frame;
    const { from, to } = frame.value;
    const failure = readFrame(answer.subarray(from, to), ranges, series);
    if (failure !== undefined) return fail({ ...failure, offset: from + failure.offset });
    at = to;
  }
  return ok(series);
}

/** Where the message of a frame lies: behind its length and its checksum, which fits. */
function frameAt(
  answer: Uint8Array,
  frameFrom: number,
): Result<{ readonly from: number; readonly to: number }, WireFailure> {
  const malformed = (reason: string) => fail({ kind: "malformed" as const, offset: frameFrom, reason });
  let at = frameFrom;
  let length = 0;
  for (let scale = 1; ; scale *= 128) {
    if (at >= answer.length || scale > 2 ** 28) return malformed("frame without length");
    const byte = answer[at++] as number;
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  const from = at + 4;
  const to = from + length;
  if (to > answer.length) return malformed("frame cut short");
  const checksum = new DataView(answer.buffer, answer.byteOffset + at).getUint32(0);
  return crc32c(answer, from, to) === checksum ? ok({ from, to }) : malformed("frame whose checksum does not fit");
}

function readFrame(message: Uint8Array, ranges: LabelRanges, into: SourceSeries[]): WireFailure | undefined {
  const reader = new ProtobufReader(message);
  while (reader.nextField()) {
    if (reader.field !== 1) {
      reader.skip();
      continue;
    }
    let chunks: SourceChunk[] | undefined;
    ranges.clear();
    for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
      if (reader.field === 1) {
        const length = reader.passBytes();
        ranges.add(reader.offset - length, reader.offset);
      } else if (reader.field === 2) (chunks ??= []).push(readChunk(reader));
      else reader.skip();
    }
    if (reader.failure !== undefined) break;
    const labels = ranges.labels(message);
    if (labels.ok) into.push({ labels: labels.value, chunks: chunks ?? noChunks });
    else reader.fail(labels.failure);
  }
  return reader.failure;
}

function readChunk(reader: ProtobufReader): SourceChunk {
  let [minTimeMs, maxTimeMs] = [0, 0];
  let encoding: ChunkEncoding | undefined;
  let data: Uint8Array = new Uint8Array(0);
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    switch (reader.field) {
      case 1:
        minTimeMs = reader.int64();
        break;
      case 2:
        maxTimeMs = reader.int64();
        break;
      case 3:
        encoding = chunkEncodings[reader.int32()];
        break;
      case 4:
        data = reader.bytes();
        break;
      default:
        reader.skip();
    }
  }
  // To pass over what cannot be read would make the answer smaller.
  if (encoding === undefined) reader.fail("chunk of an unknown type");
  return { minTimeMs, maxTimeMs, content: { kind: "raw", encoding: encoding ?? 1, data } };
}
