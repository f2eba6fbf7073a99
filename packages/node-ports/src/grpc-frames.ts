/** gRPC messages in HTTP/2 DATA: a flag byte, a length of four bytes, the message. */
import { RpcError, type RpcCompression } from "@pleiad/ports";
import { compressMessage, decompressMessage, type GrpcEncoding } from "./grpc-encoding.ts";

export const frameHeaderBytes = 5;
// About what one socket write moves: larger writes gain nothing, smaller ones cost a call each.
const packBytesMax = 65_536;
const firstBufferBytes = 262_144;
const inflatedTogetherBytes = 1_048_576;

/**
 * The writes that carry the messages: many small ones are copied into one write, a large one goes out uncopied. Made one
 * by one, so that the caller can wait for the peer in between. `compressed`: which of them are; by default none.
 */
export function* packMessages(
  messages: readonly Uint8Array[],
  compressed?: readonly boolean[],
): Generator<Uint8Array, void, undefined> {
  for (let from = 0; from < messages.length;) {
    let to = from;
    let packBytes = 0;
    for (; to < messages.length; to++) {
      const frameBytes = frameHeaderBytes + (messages[to]?.length ?? 0);
      if (to > from && packBytes + frameBytes > packBytesMax) break;
      packBytes += frameBytes;
    }
    const alone = messages[from];
    if (to === from + 1 && alone !== undefined && packBytes > packBytesMax) {
      const header = new Uint8Array(frameHeaderBytes);
      writeHeader(header, 0, alone.length, compressed?.[from]);
      yield header;
      yield alone;
    } else {
      const pack = Buffer.allocUnsafe(packBytes);
      let at = 0;
      for (; from < to; from++) {
        const message = messages[from] ?? pack;
        writeHeader(pack, at, message.length, compressed?.[from]);
        pack.set(message, at + frameHeaderBytes);
        at += frameHeaderBytes + message.length;
      }
      yield pack;
    }
    from = to;
  }
}

/** The same, of messages that are compressed one by one where that makes them shorter. */
export async function packCompressed(
  encoding: RpcCompression,
  messages: readonly Uint8Array[],
): Promise<Generator<Uint8Array, void, undefined>> {
  const packed: Uint8Array[] = [];
  const compressed: boolean[] = [];
  for (const message of messages) {
    const shorter = await compressMessage(encoding, message);
    packed.push(shorter ?? message);
    compressed.push(shorter !== undefined);
  }
  return packMessages(packed, compressed);
}

function writeHeader(bytes: Uint8Array, at: number, length: number, isCompressed = false): void {
  bytes[at] = isCompressed ? 1 : 0;
  bytes[at + 1] = length >>> 24;
  bytes[at + 2] = length >>> 16;
  bytes[at + 3] = length >>> 8;
  bytes[at + 4] = length;
}

/** Finds the messages in a sequence of DATA chunks. */
export interface FrameReader {
  /** Takes a chunk over. Throws RpcError for a frame that is too long or malformed; the reader is of no use then. */
  push(chunk: Uint8Array): void;
  /**
   * Messages completed since the last call, decompressed; empty when there are none left. Compressed ones come about a
   * megabyte at a time, so that a small chunk cannot grow into unbounded memory. Throws RpcError.
   */
  take(): Uint8Array[] | Promise<Uint8Array[]>;
  /** Whether the chunks so far end inside a frame. */
  unfinished(): boolean;
}

export function createFrameReader(encoding: GrpcEncoding, messageBytesMax: number): FrameReader {
  const header = new Uint8Array(frameHeaderBytes);
  let headerFill = 0;
  let bodyBytes = 0;
  let body: Uint8Array | undefined; // of a message that spans chunks; grows as bytes come, not as the header promises
  let bodyFill = 0;
  let messages: Uint8Array[] = [];
  let compressed: boolean[] = []; // one per message, once any is compressed
  let anyCompressed = false;

  const emit = (message: Uint8Array) => {
    const isCompressed = header[0] === 1;
    if (isCompressed && !anyCompressed) {
      anyCompressed = true;
      compressed = Array.from({ length: messages.length }, () => false);
    }
    if (anyCompressed) compressed.push(isCompressed);
    messages.push(message);
    headerFill = 0;
  };

  const readHeader = (chunk: Uint8Array, at: number): number => {
    const count = Math.min(frameHeaderBytes - headerFill, chunk.length - at);
    for (let i = 0; i < count; i++) header[headerFill + i] = chunk[at + i] ?? 0;
    headerFill += count;
    if (headerFill < frameHeaderBytes) return count;
    const [flag = 0, a = 0, b = 0, c = 0, d = 0] = header;
    bodyBytes = a * 16_777_216 + b * 65_536 + c * 256 + d;
    body = undefined;
    bodyFill = 0;
    if (flag > 1) throw new RpcError("INTERNAL", `message with flag ${flag}, expected 0 or 1`);
    if (flag === 1 && encoding === "identity") {
      throw new RpcError("INTERNAL", "compressed message in a call without grpc-encoding");
    }
    if (bodyBytes > messageBytesMax) throw tooLong(bodyBytes, messageBytesMax);
    return count;
  };

  return {
    push: (chunk) => {
      let at = 0;
      for (;;) {
        if (headerFill < frameHeaderBytes) {
          at += readHeader(chunk, at);
          if (headerFill < frameHeaderBytes) return;
        }
        const available = chunk.length - at;
        if (bodyFill === 0 && available >= bodyBytes) {
          // Plain views, though the chunk may be a Buffer, whose `slice` would not copy.
          emit(new Uint8Array(chunk.buffer, chunk.byteOffset + at, bodyBytes));
          at += bodyBytes;
          continue;
        }
        const count = Math.min(bodyBytes - bodyFill, available);
        body = withRoom(body, bodyFill, bodyFill + count, bodyBytes);
        body.set(chunk.subarray(at, at + count), bodyFill);
        bodyFill += count;
        at += count;
        if (bodyFill < bodyBytes) return;
        emit(body.length === bodyBytes ? body : body.subarray(0, bodyBytes));
      }
    },
    take: () => {
      if (anyCompressed) return takeCompressed();
      const taken = messages;
      messages = [];
      return taken;
    },
    unfinished: () => headerFill > 0,
  };

  async function takeCompressed(): Promise<Uint8Array[]> {
    const taken = messages;
    const inflated: Uint8Array[] = [];
    let inflatedBytes = 0;
    let count = 0;
    for (; count < taken.length && inflatedBytes < inflatedTogetherBytes; count++) {
      const bytes = taken[count] ?? header;
      const message = compressed[count] === true ? await decompressMessage(encoding, bytes, messageBytesMax) : bytes;
      inflated.push(message);
      inflatedBytes += message.length;
    }
    messages = taken.slice(count);
    compressed = compressed.slice(count);
    anyCompressed = messages.length > 0;
    return inflated;
  }
}

function tooLong(bytes: number, bytesMax: number): RpcError {
  return new RpcError("RESOURCE_EXHAUSTED", `message of ${bytes} bytes, limit ${bytesMax}`);
}

/** The buffer, grown fourfold where `needed` asks for it, so that a false length costs memory only once bytes follow. */
function withRoom(body: Uint8Array | undefined, fill: number, needed: number, bodyBytes: number): Uint8Array {
  if (body !== undefined && body.length >= needed) return body;
  const room = Math.min(bodyBytes, Math.max(needed, firstBufferBytes, fill * 4));
  const grown = new Uint8Array(room);
  if (body !== undefined) grown.set(body.subarray(0, fill));
  return grown;
}
