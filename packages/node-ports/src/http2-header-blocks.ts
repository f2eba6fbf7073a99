/** Headers as they come on an HTTP/2 connection: one block, in one frame or in several that follow each other. */
import { createHeaderDecoder, type Headers } from "./hpack.ts";
import { endHeadersFlag, endStreamFlag, http2Codes, priorityFlag, unpadded, type Frame } from "./http2-frames.ts";

export interface ReceivedHeaders {
  readonly kind: "headers";
  readonly streamId: number;
  readonly isLast: boolean;
  readonly headers: Headers;
}

/** What the peer did wrong, and the code by which it is told. */
export interface HeadersFault {
  readonly kind: "fault";
  readonly reason: string;
  readonly code: number;
}

export interface HeaderBlocks {
  /** A block has begun and is not yet whole: nothing but its continuation may come. */
  readonly isOpen: boolean;
  /** Undefined where more frames belong to it. After a fault, the connection is of no use. */
  begin(frame: Frame): ReceivedHeaders | HeadersFault | undefined;
  goOn(frame: Frame): ReceivedHeaders | HeadersFault | undefined;
}

const fieldsMax = 128;
const textMax = 65_536;
const framesMax = 64; // of one block

export function createHeaderBlocks(): HeaderBlocks {
  const decoder = createHeaderDecoder({ fieldsMax, textMax });
  let open: { readonly frame: Frame; readonly pieces: Uint8Array[]; bytes: number } | undefined;

  const decode = ({ flags, streamId }: Frame, block: Uint8Array<ArrayBuffer>): ReceivedHeaders | HeadersFault => {
    const headers = decoder.decode(block);
    if (headers === undefined) return fault("headers that cannot be read", http2Codes.compressionError);
    return { kind: "headers", streamId, isLast: (flags & endStreamFlag) !== 0, headers };
  };

  return {
    get isOpen() {
      return open !== undefined;
    },
    begin(frame) {
      const { flags } = frame;
      let block = unpadded(frame);
      if (block !== undefined && (flags & priorityFlag) !== 0) block = block.length < 5 ? undefined : block.subarray(5);
      if (block === undefined) return fault("headers cut short", http2Codes.protocolError);
      if ((flags & endHeadersFlag) !== 0) return decode(frame, block);
      open = { frame, pieces: [block.slice()], bytes: block.length };
      return undefined;
    },
    goOn({ flags, streamId, payload }) {
      if (open === undefined || open.frame.streamId !== streamId) {
        return fault("headers out of turn", http2Codes.protocolError);
      }
      const { frame, pieces } = open;
      pieces.push(payload.slice());
      open.bytes += payload.length;
      if (open.bytes > textMax || pieces.length > framesMax) {
        return fault("headers without end", http2Codes.enhanceYourCalm);
      }
      if ((flags & endHeadersFlag) === 0) return undefined;
      open = undefined;
      return decode(frame, Uint8Array.from(Buffer.concat(pieces)));
    },
  };
}

const fault = (reason: string, code: number): HeadersFault => ({ kind: "fault", reason, code });
