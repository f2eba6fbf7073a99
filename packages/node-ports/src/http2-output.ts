/** What one end of an HTTP/2 connection sends: frames, gathered into few writes of the socket. */
import type { Socket } from "node:net";
import { encodeHeaders, type HeaderFields } from "./hpack.ts";
import {
  copiedBytesMax,
  createFrameWriter,
  endHeadersFlag,
  endStreamFlag,
  frameBytesMax,
  frameTypes,
  writeUint32,
} from "./http2-frames.ts";

const writtenTogetherBytes = 65_536;

export class Http2Output {
  /** What the peer takes of a frame. */
  peerFrameBytesMax = frameBytesMax;
  /** The socket has more than it can pass on; it says `drain` when that has changed. */
  isCongested = false;
  readonly #socket: Socket;
  readonly #writer = createFrameWriter();
  #isScheduled = false;
  #isOver = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  frame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    if (this.#isOver) return;
    this.#writer.frame(type, flags, streamId, payload);
    if (this.#writer.bytes >= writtenTogetherBytes) this.flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      // When all that came with this turn of the event loop has been answered: one write for many frames.
      setImmediate(() => this.flush());
    }
  }

  headers(streamId: number, fields: HeaderFields, isLast: boolean): void {
    const encoded = encodeHeaders(fields);
    // What is too long to be copied into the next write must not change until then.
    const block = encoded.length > copiedBytesMax ? encoded.slice() : encoded;
    let type: number = frameTypes.headers;
    for (let from = 0; ;) {
      const piece = block.subarray(from, from + this.peerFrameBytesMax);
      from += piece.length;
      const isWhole = from >= block.length;
      const end = isLast && type === frameTypes.headers ? endStreamFlag : 0;
      this.frame(type, end | (isWhole ? endHeadersFlag : 0), streamId, piece);
      if (isWhole) return;
      type = frameTypes.continuation;
    }
  }

  settings(values: readonly (readonly [id: number, value: number])[]): void {
    const payload = new Uint8Array(6 * values.length);
    for (const [i, [id, value]] of values.entries()) {
      payload[6 * i + 1] = id;
      writeUint32(payload, 6 * i + 2, value);
    }
    this.frame(frameTypes.settings, 0, 0, payload);
  }

  windowUpdate(streamId: number, bytes: number): void {
    this.#words(frameTypes.windowUpdate, streamId, bytes);
  }

  reset(streamId: number, code: number): void {
    this.#words(frameTypes.reset, streamId, code);
  }

  goaway(lastStreamId: number, code: number): void {
    this.#words(frameTypes.goaway, 0, lastStreamId, code);
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.#isOver || this.#writer.bytes === 0) return;
    const pieces = this.#writer.take();
    let isTaken = true;
    if (pieces.length > 1) this.#socket.cork();
    for (const piece of pieces) isTaken = this.#socket.write(piece);
    if (pieces.length > 1) this.#socket.uncork();
    this.isCongested = !isTaken;
  }

  /** Nothing is sent any more. */
  end(): void {
    this.#isOver = true;
  }

  #words(type: number, streamId: number, ...words: readonly number[]): void {
    const payload = new Uint8Array(4 * words.length);
    for (const [i, word] of words.entries()) writeUint32(payload, 4 * i, word);
    this.frame(type, 0, streamId, payload);
  }
}
