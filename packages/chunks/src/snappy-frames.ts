/** Snappy's framing format: blocks of up to 64 KiB, each with its checksum. Byte layout: docs/format/snappy.md. */
import { fail, ok, type Result } from "@pleiad/model";
import { crc32c } from "./crc32c.ts";
import { decodeSnappyBlock, encodeSnappyBlock, snappyBlockLength } from "./snappy-block.ts";

const contentBytesMax = 65_536;
const headerBytes = 4;
const checksumBytes = 4;

const compressedType = 0x00;
const plainType = 0x01;
/** Types from here on may be passed over; those below that are not known may not. */
const skippableFrom = 0x80;
const identifierType = 0xff;
const identifier = Uint8Array.of(identifierType, 6, 0, 0, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59); // "sNaPpY"

export interface SnappyFailure {
  /** Whether there is more of it than the reader takes, or it is no stream of frames. */
  readonly kind: "too-long" | "corrupt";
  readonly reason: string;
}

/** The bytes as a stream of frames that begins with its identifier. */
export function encodeSnappyFrames(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [identifier];
  for (let from = 0; from < bytes.length; from += contentBytesMax) {
    const content = bytes.subarray(from, from + contentBytesMax);
    const block = encodeSnappyBlock(content);
    // As every implementation does it: less than an eighth gained is not worth a reader's time.
    const isWorthIt = block.length < content.length - (content.length >>> 3);
    parts.push(frame(isWorthIt ? compressedType : plainType, isWorthIt ? block : content, maskedChecksum(content)));
  }
  return joined(parts);
}

/** What a stream of frames stands for. More than `bytesMax` fails before that is reserved. */
export function decodeSnappyFrames(stream: Uint8Array, bytesMax: number): Result<Uint8Array, SnappyFailure> {
  const reading = readSnappyFrames(stream, bytesMax);
  for (let step = reading.next(); ; step = reading.next()) if (step.done === true) return step.value;
}

/** The same frame by frame, so that a reader can rest in between: yields how many bytes of content it has. */
export function* readSnappyFrames(
  stream: Uint8Array,
  bytesMax: number,
): Generator<number, Result<Uint8Array, SnappyFailure>, undefined> {
  const corrupt = (reason: string) => fail({ kind: "corrupt", reason: `snappy: ${reason}` } as const);
  const contents: Uint8Array[] = [];
  let total = 0;
  for (let at = 0; at < stream.length;) {
    if (at + headerBytes > stream.length) return corrupt(`the frame at byte ${at} is cut short`);
    const length = stream[at + 1] | (stream[at + 2] << 8) | (stream[at + 3] << 16);
    const from = at + headerBytes;
    const to = from + length;
    if (to > stream.length) return corrupt(`the frame at byte ${at} is cut short`);
    const type = stream[at];
    if (at === 0 && type !== identifierType) return corrupt("the stream does not begin with its identifier");
    if (type === identifierType && !isIdentifier(stream.subarray(at, to))) {
      return corrupt(`the frame at byte ${at} is not the identifier that it says`);
    }
    if (type < skippableFrom) {
      const content = contentOf(type, stream.subarray(from, to), bytesMax - total);
      if (!content.ok) {
        const { kind, reason } = content.failure;
        return fail({ kind, reason: `${reason}, in the frame at byte ${at}` });
      }
      contents.push(content.value);
      total += content.value.length;
      yield total;
    }
    at = to;
  }
  return ok(joined(contents));
}

function contentOf(type: number, data: Uint8Array, bytesMax: number): Result<Uint8Array, SnappyFailure> {
  const corrupt = (reason: string) => fail({ kind: "corrupt", reason } as const);
  if (type !== compressedType && type !== plainType) return corrupt(`snappy: type ${type}`);
  if (data.length < checksumBytes) return corrupt("snappy: no checksum");
  const body = data.subarray(checksumBytes);
  const length = type === plainType ? body.length : (snappyBlockLength(body) ?? 0);
  if (length > contentBytesMax) return corrupt(`snappy: ${length} bytes, a frame has at most ${contentBytesMax}`);
  if (length > bytesMax) return fail({ kind: "too-long", reason: `snappy: ${length} bytes, the limit is ${bytesMax}` });
  const content = type === plainType ? ok(body) : decodeSnappyBlock(body, length);
  if (!content.ok) return corrupt(content.failure);
  const told = (data[0] | (data[1] << 8) | (data[2] << 16) | (data[3] << 24)) >>> 0;
  return maskedChecksum(content.value) === told ? content : corrupt("snappy: the checksum does not fit");
}
function frame(type: number, data: Uint8Array, checksum: number): Uint8Array {
  const out = new Uint8Array(headerBytes + checksumBytes + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, type | ((checksumBytes + data.length) << 8), true);
  view.setUint32(headerBytes, checksum, true);
  out.set(data, headerBytes + checksumBytes);
  return out;
}

/** Turned and moved, so that checksums of bytes that hold checksums stay good ones. */
function maskedChecksum(bytes: Uint8Array): number {
  const checksum = crc32c(bytes);
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0;
}

function isIdentifier(bytes: Uint8Array): boolean {
  return bytes.length === identifier.length && identifier.every((byte, i) => bytes[i] === byte);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
