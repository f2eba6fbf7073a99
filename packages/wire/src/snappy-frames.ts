/** Snappy's framing format: blocks of up to 64 KiB, each with its checksum. Byte layout: docs/format/snappy.md. */
import { crc32c } from "@pleiad/chunks";
import { fail, ok, type Result } from "@pleiad/model";
import { decodeSnappyBlock, encodeSnappyBlock } from "./snappy-block.ts";

const contentBytesMax = 65_536;
const headerBytes = 4;
const checksumBytes = 4;

const compressedType = 0x00;
const plainType = 0x01;
/** Types from here on may be passed over; those below that are not known may not. */
const skippableFrom = 0x80;
const identifierType = 0xff;
const identifier = Uint8Array.of(identifierType, 6, 0, 0, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59); // "sNaPpY"

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

/** What a stream of frames stands for; else what is wrong with it. More than `bytesMax` fails before that is reserved. */
export function decodeSnappyFrames(stream: Uint8Array, bytesMax: number): Result<Uint8Array, string> {
  const contents: Uint8Array[] = [];
  let total = 0;
  for (let at = 0; at < stream.length;) {
    const length = (stream[at + 1] ?? 0) | ((stream[at + 2] ?? 0) << 8) | ((stream[at + 3] ?? 0) << 16);
    const from = at + headerBytes;
    const to = from + length;
    if (to > stream.length) return fail(`snappy: the frame at byte ${at} is cut short`);
    const type = stream[at] as number;
    if (at === 0 && type !== identifierType) return fail("snappy: the stream does not begin with its identifier");
    if (type === identifierType && !isIdentifier(stream.subarray(at, to))) {
      return fail(`snappy: the frame at byte ${at} is not the identifier that it says`);
    }
    if (type < skippableFrom) {
      const content = contentOf(type, stream.subarray(from, to), Math.min(contentBytesMax, bytesMax - total));
      if (!content.ok) return fail(`${content.failure}, in the frame at byte ${at}`);
      contents.push(content.value);
      total += content.value.length;
    }
    at = to;
  }
  return ok(joined(contents));
}

function contentOf(type: number, data: Uint8Array, bytesMax: number): Result<Uint8Array, string> {
  if (type !== compressedType && type !== plainType) return fail(`snappy: type ${type}`);
  if (data.length < checksumBytes) return fail("snappy: no checksum");
  const body = data.subarray(checksumBytes);
  if (type === plainType && body.length > bytesMax) {
    return fail(`snappy: ${body.length} bytes, the limit is ${bytesMax}`);
  }
  const content = type === plainType ? ok(body) : decodeSnappyBlock(body, bytesMax);
  if (!content.ok) return content;
  const told = ((data[0] ?? 0) | ((data[1] ?? 0) << 8) | ((data[2] ?? 0) << 16) | ((data[3] ?? 0) << 24)) >>> 0;
  return maskedChecksum(content.value) === told ? content : fail("snappy: the checksum does not fit");
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
