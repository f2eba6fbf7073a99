/** Frames of HTTP/2: RFC 9113, section 6. */

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const endStreamFlag = 0x1;
export const acknowledgedFlag = 0x1;
export const endHeadersFlag = 0x4;
export const paddedFlag = 0x8;
export const priorityFlag = 0x20;

export const http2Codes = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  enhanceYourCalm: 11,
} as const;

export const settingIds = { enablePush: 2, concurrentStreamsMax: 3, initialWindowBytes: 4, frameBytesMax: 5 } as const;

export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
export const frameHeaderBytes = 9;
/** What a peer takes that says nothing else, and what we take of all but data. */
export const frameBytesMax = 16_384;
/** What a peer may say that it takes: a frame's length has 24 bits. */
export const frameLengthMax = 2 ** 24 - 1;
/** Of data that comes: a frame is handed over as it arrives, so that a long one takes no more memory than a short one. */
export const dataFrameBytesMax = 2 ** 20;
export const firstWindowBytes = 65_535;
export const windowBytesMax = 2 ** 31 - 1;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  /** A view of the chunk that it came in, or of a copy. */
  readonly payload: Uint8Array<ArrayBuffer>;
}

/** The payload of data or headers without padding; undefined where that is longer than the payload. */
export function unpadded({ flags, payload }: Frame): Uint8Array<ArrayBuffer> | undefined {
  if ((flags & paddedFlag) === 0) return payload;
  const padding = payload[0] ?? 0;
  return payload.length > padding ? payload.subarray(1, payload.length - padding) : undefined;
}

/** Cuts what comes into frames. */
export interface Http2FrameReader {
  /**
   * Hands over the frames that are complete, until the visitor says to stop. A frame of data that has come in part is handed
   * over as several, of which the last one has its flags. False for a frame that is too long.
   */
  read(chunk: Uint8Array<ArrayBuffer>, visit: (frame: Frame) => boolean): boolean;
}

export function createHttp2FrameReader(): Http2FrameReader {
  let rest = nothing; // of a frame that is not yet whole
  let data: { readonly flags: number; readonly streamId: number } | undefined; // that is handed over as it comes
  let dataLeft = 0;
  return {
    read(chunk, visit) {
      let at = 0;
      const take = (needed: number) => {
        const from = at;
        at = Math.min(chunk.length, from + needed - rest.length);
        rest = joined(rest, chunk.subarray(from, at));
        return rest.length === needed;
      };
      const takeData = () => {
        if (data === undefined) return true;
        const length = Math.min(dataLeft, chunk.length - at);
        const payload = new Uint8Array(chunk.buffer, chunk.byteOffset + at, length);
        const { flags, streamId } = data;
        at += length;
        dataLeft -= length;
        if (dataLeft === 0) data = undefined;
        return visit({ type: frameTypes.data, flags: dataLeft === 0 ? flags : 0, streamId, payload });
      };
      if (!takeData()) return true;
      if (rest.length > 0) {
        if (rest.length < frameHeaderBytes && !take(frameHeaderBytes)) return true;
        const { type, length, flags, streamId } = headerAt(rest, 0);
        if (isTooLong(type, length)) return false;
        if (comesInParts(type, flags)) {
          rest = nothing;
          data = { flags, streamId };
          dataLeft = length;
          if (!takeData()) return true;
        } else {
          if (!take(frameHeaderBytes + length)) return true;
          const payload = rest.subarray(frameHeaderBytes);
          rest = nothing;
          if (!visit({ type, flags, streamId, payload })) return true;
        }
      }
      while (at + frameHeaderBytes <= chunk.length) {
        const { type, length, flags, streamId } = headerAt(chunk, at);
        if (isTooLong(type, length)) return false;
        if (comesInParts(type, flags)) {
          at += frameHeaderBytes;
          data = { flags, streamId };
          dataLeft = length;
          if (!takeData()) return true;
          continue;
        }
        const end = at + frameHeaderBytes + length;
        if (end > chunk.length) break;
        const payload = new Uint8Array(chunk.buffer, chunk.byteOffset + at + frameHeaderBytes, length);
        at = end;
        if (!visit({ type, flags, streamId, payload })) return true;
      }
      // Copied: a view would keep the whole chunk.
      if (at < chunk.length) rest = new Uint8Array(chunk.subarray(at));
      return true;
    },
  };
}

const isTooLong = (type: number, length: number) =>
  length > (type === frameTypes.data ? dataFrameBytesMax : frameBytesMax);

/** Where padding ends is known only when all is there. */
const comesInParts = (type: number, flags: number) => type === frameTypes.data && (flags & paddedFlag) === 0;

function headerAt(bytes: Uint8Array, at: number) {
  return {
    length: readUint24(bytes, at),
    type: bytes[at + 3] ?? 0,
    flags: bytes[at + 4] ?? 0,
    streamId: readUint32(bytes, at + 5) & 0x7fff_ffff,
  };
}

const nothing = new Uint8Array(0);

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}

function readUint24(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 2 ** 24 + readUint24(bytes, at + 1);
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Gathers frames into few writes. */
export interface FrameWriter {
  frame(type: number, flags: number, streamId: number, payload: Uint8Array): void;
  /** Bytes not yet taken. */
  readonly bytes: number;
  /** What is to be written, in order. */
  take(): readonly Uint8Array[];
}

/** Above this, a payload goes out uncopied. */
export const copiedBytesMax = 4096;
const bufferBytesFirst = 1024;
const bufferBytesMax = 32_768;

export function createFrameWriter(): FrameWriter {
  let pieces: Uint8Array[] = [];
  let buffer: Uint8Array = nothing;
  let from = 0; // of what is in the buffer and not yet a piece
  let fill = 0;
  let total = 0;

  const closePiece = () => {
    if (fill > from) pieces.push(buffer.subarray(from, fill));
    from = fill;
  };
  const reserve = (bytes: number) => {
    if (fill + bytes <= buffer.length) return;
    closePiece();
    const room = Math.min(bufferBytesMax, Math.max(bufferBytesFirst, 2 * buffer.length));
    // Small ones are cut out of memory that Node shares out: one of its own for each would be most of the collector's work.
    buffer = Buffer.allocUnsafe(Math.max(room, bytes));
    from = 0;
    fill = 0;
  };

  return {
    frame(type, flags, streamId, payload) {
      const { length } = payload;
      const isCopied = length <= copiedBytesMax;
      reserve(frameHeaderBytes + (isCopied ? length : 0));
      buffer[fill] = length >>> 16;
      buffer[fill + 1] = length >>> 8;
      buffer[fill + 2] = length;
      buffer[fill + 3] = type;
      buffer[fill + 4] = flags;
      writeUint32(buffer, fill + 5, streamId);
      fill += frameHeaderBytes;
      total += frameHeaderBytes + length;
      if (isCopied) {
        buffer.set(payload, fill);
        fill += length;
      } else {
        closePiece();
        pieces.push(payload);
      }
    },
    get bytes() {
      return total;
    },
    take() {
      closePiece();
      const taken = pieces;
      pieces = [];
      total = 0;
      buffer = nothing;
      from = 0;
      fill = 0;
      return taken;
    },
  };
}
