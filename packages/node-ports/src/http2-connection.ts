/**
 * HTTP/2 over a socket, both ends: RFC 9113. Only what gRPC needs: no push, no priorities. Node's own costs several times as
 * much a stream, and a regional query is dozens of short ones.
 */
import type { Socket } from "node:net";
import { createHeaderDecoder, encodeHeaders, type HeaderFields, type Headers } from "./hpack.ts";
import {
  acknowledgedFlag,
  copiedBytesMax,
  createFrameWriter,
  createHttp2FrameReader,
  dataFrameBytesMax,
  endHeadersFlag,
  endStreamFlag,
  firstWindowBytes,
  frameBytesMax,
  frameLengthMax,
  frameTypes,
  http2Codes,
  paddedFlag,
  preface,
  priorityFlag,
  readUint32,
  settingIds,
  windowBytesMax,
  writeUint32,
  type Frame,
} from "./http2-frames.ts";
import { Http2Stream, type StreamEvents } from "./http2-stream.ts";

export interface Http2Options {
  readonly streamWindowBytes: number; // what the peer may send on a stream before it is consumed
  readonly sessionWindowBytes: number; // the same over all streams
  readonly concurrentStreamsMax: number; // that a server takes at once
}

export interface Http2Events {
  /** Of a server: the peer has begun a stream. */
  opened(stream: Http2Stream, headers: Headers): StreamEvents;
  /** The peer's first settings: it speaks HTTP/2. */
  established(): void;
  /** The peer takes no new streams; `code` says why. */
  leaving(code: number): void;
  /** Something came. */
  received(): void;
  /** Once, when all is over; every stream was closed before. The reason is ours, where we ended it. */
  closed(reason: string | undefined): void;
}

const headerFieldsMax = 128;
const headerTextMax = 65_536;
const headerFramesMax = 64; // of one block
const streamIdMax = 2 ** 31 - 1;
/** Peers that begin and reset streams, or ask for answers that they do not read, keep us busy with nothing. */
const resetsBurst = 1000;
const resetsPerMs = 0.1;
const controlFramesMax = 1000; // unanswered, while the peer does not read
const writtenTogetherBytes = 65_536;
const noBytes = new Uint8Array(0);

export class Http2Connection {
  readonly socket: Socket;
  isClosed = false;
  readonly #isServer: boolean;
  readonly #options: Http2Options;
  readonly #events: Http2Events;
  readonly #nowMs: () => number;
  readonly #streams = new Map<number, Http2Stream>();
  readonly #waiting: { readonly stream: Http2Stream; readonly fields: HeaderFields }[] = [];
  readonly #blocked = new Set<Http2Stream>(); // with something to send
  readonly #reader = createHttp2FrameReader();
  readonly #writer = createFrameWriter();
  readonly #headers = createHeaderDecoder({ fieldsMax: headerFieldsMax, textMax: headerTextMax });
  readonly #pings: (() => void)[] = [];
  #block: { readonly frame: Frame; readonly pieces: Uint8Array[]; bytes: number } | undefined;
  #prefaceLeft: Uint8Array | undefined;
  #isEstablished = false;
  #isLeaving = false;
  #isFlushing = false;
  #isCongested = false;
  #nextId = 1;
  #lastPeerId = 0;
  #sendWindow = firstWindowBytes;
  #peerWindowBytes = firstWindowBytes;
  #peerFrameBytesMax = frameBytesMax;
  #peerStreamsMax = Infinity;
  #receiveWindow = firstWindowBytes;
  #returnedBytes = 0;
  #controlFrames = 0;
  #resetsLeft = resetsBurst;
  #resetsAtMs = 0;

  constructor(
    socket: Socket,
    role: "client" | "server",
    options: Http2Options,
    events: Http2Events,
    nowMs: () => number,
  ) {
    this.socket = socket;
    this.#isServer = role === "server";
    this.#options = options;
    this.#events = events;
    this.#nowMs = nowMs;
    this.#prefaceLeft = this.#isServer ? preface : undefined;
    socket.on("data", (chunk: Buffer<ArrayBuffer>) => this.#onChunk(chunk));
    socket.on("drain", () => this.#onDrain());
    socket.on("error", () => {}); // the close that follows says all
    socket.on("close", () => this.destroy());
    if (!this.#isServer) socket.write(preface);
    this.#sendSettings();
  }

  get encrypted(): boolean {
    return "encrypted" in this.socket;
  }

  /** Begins a stream; undefined where the connection takes none any more. It waits while the peer has as many as it takes. */
  request(fields: HeaderFields, events: StreamEvents): Http2Stream | undefined {
    if (this.isClosed || this.#isLeaving) return undefined;
    const stream = this.#newStream(events);
    if (this.#streams.size < this.#peerStreamsMax) this.#begin(stream, fields);
    else this.#waiting.push({ stream, fields });
    return stream;
  }

  /** `answered` is not called where the connection ends before. */
  ping(answered: () => void): void {
    this.#pings.push(answered);
    this.#frame(frameTypes.ping, 0, 0, new Uint8Array(8));
  }

  /** Takes no new streams, and ends with the last one. */
  leave(): void {
    if (this.isClosed) return;
    if (!this.#isLeaving) this.#sendGoaway(http2Codes.noError);
    this.#isLeaving = true;
    this.#endIfDone();
  }

  /** Ends at once. */
  destroy(reason?: string, code?: number): void {
    if (this.isClosed) return;
    if (code !== undefined) {
      this.#sendGoaway(code);
      this.#flush();
    }
    this.isClosed = true;
    const streams = [...this.#waiting.map(({ stream }) => stream), ...this.#streams.values()];
    this.#waiting.length = 0;
    this.#streams.clear();
    this.#blocked.clear();
    for (const stream of streams) closeStream(stream, http2Codes.cancel);
    this.socket.destroy();
    this.#events.closed(reason);
  }

  // What streams ask for.

  sendHeaders(stream: Http2Stream, fields: HeaderFields, isLast: boolean): void {
    stream.hasSentHeaders = true;
    this.#writeHeaders(stream, fields, isLast);
    if (isLast) this.#localOver(stream);
  }

  pump(stream: Http2Stream): void {
    if (stream.id === 0 || stream.isLocalOver || this.isClosed) return;
    const { queue } = stream;
    while (queue.length > 0) {
      const room = Math.min(this.#sendWindow, stream.sendWindow, this.#peerFrameBytesMax);
      if (room <= 0 || this.#isCongested) {
        this.#blocked.add(stream);
        return;
      }
      const [first = noBytes] = queue;
      const piece = first.length <= room ? first : first.subarray(0, room);
      if (piece === first) queue.shift();
      else queue[0] = first.subarray(room);
      stream.queuedBytes -= piece.length;
      stream.sendWindow -= piece.length;
      this.#sendWindow -= piece.length;
      const isLast = queue.length === 0 && stream.isEnding && stream.trailers === undefined;
      this.#frame(frameTypes.data, isLast ? endStreamFlag : 0, stream.id, piece);
      if (isLast) return this.#localOver(stream);
    }
    this.#blocked.delete(stream);
    if (!stream.isEnding) return;
    if (stream.trailers === undefined) this.#frame(frameTypes.data, endStreamFlag, stream.id, noBytes);
    else this.#writeHeaders(stream, stream.trailers, true);
    this.#localOver(stream);
  }

  reset(stream: Http2Stream, code: number): void {
    if (stream.id === 0) {
      const at = this.#waiting.findIndex((one) => one.stream === stream);
      if (at >= 0) this.#waiting.splice(at, 1);
    } else this.#sendReset(stream.id, code);
    this.#close(stream, code);
  }

  consumed(stream: Http2Stream, bytes: number): void {
    stream.unconsumedBytes -= bytes;
    this.#giveBack(bytes);
    if (stream.isRemoteOver) return;
    stream.returnedBytes += bytes;
    if (stream.returnedBytes * 2 < this.#options.streamWindowBytes) return;
    stream.receiveWindow += stream.returnedBytes;
    this.#sendWindowUpdate(stream.id, stream.returnedBytes);
    stream.returnedBytes = 0;
  }

  // Sending.

  #newStream(events: StreamEvents | undefined): Http2Stream {
    const stream = new Http2Stream(this, this.#peerWindowBytes, this.#options.streamWindowBytes);
    stream.events = events;
    return stream;
  }

  #begin(stream: Http2Stream, fields: HeaderFields): void {
    stream.id = this.#nextId;
    stream.sendWindow = this.#peerWindowBytes;
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    stream.hasSentHeaders = true;
    this.#writeHeaders(stream, fields, false);
    this.pump(stream);
    if (this.#nextId <= streamIdMax || this.#isLeaving) return;
    // Numbers are used up: whoever asks next needs another connection.
    this.#isLeaving = true;
    this.#events.leaving(http2Codes.noError);
  }

  #writeHeaders(stream: Http2Stream, fields: HeaderFields, isLast: boolean): void {
    const encoded = encodeHeaders(fields);
    // What is too long to be copied into the next write must not change until then.
    const block = encoded.length > copiedBytesMax ? encoded.slice() : encoded;
    let type: number = frameTypes.headers;
    for (let from = 0; ;) {
      const piece = block.subarray(from, from + this.#peerFrameBytesMax);
      from += piece.length;
      const isWhole = from >= block.length;
      const end = isLast && type === frameTypes.headers ? endStreamFlag : 0;
      this.#frame(type, end | (isWhole ? endHeadersFlag : 0), stream.id, piece);
      if (isWhole) return;
      type = frameTypes.continuation;
    }
  }

  #sendSettings(): void {
    const { streamWindowBytes, sessionWindowBytes, concurrentStreamsMax } = this.#options;
    const other = this.#isServer ? settingIds.concurrentStreamsMax : settingIds.enablePush;
    const payload = new Uint8Array(18);
    payload[1] = other;
    writeUint32(payload, 2, this.#isServer ? concurrentStreamsMax : 0);
    payload[7] = settingIds.initialWindowBytes;
    writeUint32(payload, 8, streamWindowBytes);
    payload[13] = settingIds.frameBytesMax;
    writeUint32(payload, 14, dataFrameBytesMax);
    this.#frame(frameTypes.settings, 0, 0, payload);
    const more = sessionWindowBytes - firstWindowBytes;
    if (more <= 0) return;
    this.#receiveWindow += more;
    this.#sendWindowUpdate(0, more);
  }

  #sendWindowUpdate(streamId: number, bytes: number): void {
    const payload = new Uint8Array(4);
    writeUint32(payload, 0, bytes);
    this.#frame(frameTypes.windowUpdate, 0, streamId, payload);
  }

  #sendReset(streamId: number, code: number): void {
    const payload = new Uint8Array(4);
    writeUint32(payload, 0, code);
    this.#frame(frameTypes.reset, 0, streamId, payload);
  }

  #sendGoaway(code: number): void {
    const payload = new Uint8Array(8);
    writeUint32(payload, 0, this.#lastPeerId);
    writeUint32(payload, 4, code);
    this.#frame(frameTypes.goaway, 0, 0, payload);
  }

  #frame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    if (this.isClosed) return;
    this.#writer.frame(type, flags, streamId, payload);
    if (this.#writer.bytes >= writtenTogetherBytes) this.#flush();
    else if (!this.#isFlushing) {
      this.#isFlushing = true;
      // When all that came with this turn of the event loop has been answered: one write for many frames.
      setImmediate(() => this.#flush());
    }
  }

  #flush(): void {
    this.#isFlushing = false;
    if (this.isClosed || this.#writer.bytes === 0) return;
    const pieces = this.#writer.take();
    let isTaken = true;
    if (pieces.length > 1) this.socket.cork();
    for (const piece of pieces) isTaken = this.socket.write(piece);
    if (pieces.length > 1) this.socket.uncork();
    this.#isCongested = !isTaken;
  }

  #onDrain(): void {
    this.#isCongested = false;
    this.#controlFrames = 0;
    this.#pumpBlocked();
  }

  #pumpBlocked(): void {
    for (const stream of [...this.#blocked]) {
      if (this.#isCongested || this.#sendWindow <= 0) return;
      // Behind the others, for the next time.
      this.#blocked.delete(stream);
      this.pump(stream);
      this.#tellDrained(stream);
    }
  }

  #tellDrained(stream: Http2Stream): void {
    if (!stream.wantsDrain || stream.queuedBytes > 0 || stream.isClosed) return;
    stream.wantsDrain = false;
    stream.events?.drained();
  }

  // The ends of streams.

  #localOver(stream: Http2Stream): void {
    stream.isLocalOver = true;
    this.#blocked.delete(stream);
    if (stream.isRemoteOver) this.#close(stream, http2Codes.noError);
    else if (stream.endsBoth) this.reset(stream, http2Codes.noError);
  }

  #remoteOver(stream: Http2Stream): void {
    if (stream.isRemoteOver) return;
    stream.isRemoteOver = true;
    stream.events?.ended();
    if (stream.isLocalOver && !stream.isClosed) this.#close(stream, http2Codes.noError);
  }

  #close(stream: Http2Stream, code: number): void {
    if (stream.isClosed) return;
    this.#streams.delete(stream.id);
    this.#blocked.delete(stream);
    this.#giveBack(stream.unconsumedBytes);
    closeStream(stream, code);
    this.#beginWaiting();
    this.#endIfDone();
  }

  #beginWaiting(): void {
    while (this.#streams.size < this.#peerStreamsMax && !this.#isLeaving) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#begin(next.stream, next.fields);
    }
  }

  #endIfDone(): void {
    if (!this.#isLeaving || this.#streams.size > 0) return;
    this.#flush();
    this.socket.end();
  }

  #giveBack(bytes: number): void {
    this.#returnedBytes += bytes;
    if (this.#returnedBytes * 2 < this.#options.sessionWindowBytes) return;
    this.#receiveWindow += this.#returnedBytes;
    this.#sendWindowUpdate(0, this.#returnedBytes);
    this.#returnedBytes = 0;
  }

  // Receiving.

  #onChunk(chunk: Buffer<ArrayBuffer>): void {
    if (this.isClosed) return;
    this.#events.received();
    let bytes: Uint8Array<ArrayBuffer> = chunk;
    if (this.#prefaceLeft !== undefined) {
      const expected = this.#prefaceLeft.subarray(0, chunk.length);
      if (chunk.compare(expected, 0, expected.length, 0, expected.length) !== 0) {
        return this.#fail("no HTTP/2", http2Codes.protocolError);
      }
      this.#prefaceLeft =
        expected.length < this.#prefaceLeft.length ? this.#prefaceLeft.subarray(expected.length) : undefined;
      bytes = chunk.subarray(expected.length);
    }
    const isSound = this.#reader.read(bytes, (frame) => {
      this.#onFrame(frame);
      return !this.isClosed;
    });
    if (!isSound) this.#fail("a frame that is too long", http2Codes.frameSizeError);
  }

  /** Ends the connection for what the peer did wrong. */
  #fail(reason: string, code: number): void {
    this.destroy(`the peer sent ${reason}`, code);
  }

  #onFrame(frame: Frame): void {
    const { type } = frame;
    if (this.#block !== undefined && type !== frameTypes.continuation) {
      return this.#fail("a frame within headers", http2Codes.protocolError);
    }
    if (!this.#isEstablished && type !== frameTypes.settings) {
      return this.#fail("no settings first", http2Codes.protocolError);
    }
    switch (type) {
      case frameTypes.data:
        return this.#onData(frame);
      case frameTypes.headers:
        return this.#onHeaders(frame);
      case frameTypes.continuation:
        return this.#onContinuation(frame);
      case frameTypes.reset:
        return this.#onReset(frame);
      case frameTypes.settings:
        return this.#onSettings(frame);
      case frameTypes.ping:
        return this.#onPing(frame);
      case frameTypes.goaway:
        return this.#onGoaway(frame);
      case frameTypes.windowUpdate:
        return this.#onWindowUpdate(frame);
      case frameTypes.pushPromise:
        return this.#fail("a push", http2Codes.protocolError);
      default:
        // Priorities, and what later standards add.
        return undefined;
    }
  }

  /** Without padding; undefined where that is longer than the payload. */
  #unpadded({ flags, payload }: Frame): Uint8Array<ArrayBuffer> | undefined {
    if ((flags & paddedFlag) === 0) return payload;
    const padding = payload[0] ?? 0;
    return payload.length > padding ? payload.subarray(1, payload.length - padding) : undefined;
  }

  #isIdle(streamId: number): boolean {
    const isOwn = (streamId % 2 === 1) !== this.#isServer;
    return isOwn ? streamId >= this.#nextId : streamId > this.#lastPeerId;
  }

  #onData(frame: Frame): void {
    const { flags, streamId } = frame;
    const data = this.#unpadded(frame);
    if (data === undefined || streamId === 0 || this.#isIdle(streamId)) {
      return this.#fail("data of no stream", http2Codes.protocolError);
    }
    const { length } = frame.payload;
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) return this.#fail("more than it may", http2Codes.flowControlError);
    const stream = this.#streams.get(streamId);
    if (stream === undefined || stream.isRemoteOver) return this.#giveBack(length);
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) return this.reset(stream, http2Codes.flowControlError);
    stream.unconsumedBytes += length;
    if (data.length < length) this.consumed(stream, length - data.length);
    if (data.length > 0) stream.events?.data(data);
    if ((flags & endStreamFlag) !== 0 && !stream.isClosed) this.#remoteOver(stream);
  }

  #onHeaders(frame: Frame): void {
    const { flags } = frame;
    let block = this.#unpadded(frame);
    if (block !== undefined && (flags & priorityFlag) !== 0) block = block.length < 5 ? undefined : block.subarray(5);
    if (block === undefined) return this.#fail("headers cut short", http2Codes.protocolError);
    if ((flags & endHeadersFlag) !== 0) return this.#onBlock(frame, block);
    this.#block = { frame, pieces: [block.slice()], bytes: block.length };
  }

  #onContinuation({ flags, streamId, payload }: Frame): void {
    const open = this.#block;
    if (open === undefined || open.frame.streamId !== streamId) {
      return this.#fail("headers out of turn", http2Codes.protocolError);
    }
    open.pieces.push(payload.slice());
    open.bytes += payload.length;
    if (open.bytes > headerTextMax || open.pieces.length > headerFramesMax) {
      return this.#fail("headers without end", http2Codes.enhanceYourCalm);
    }
    if ((flags & endHeadersFlag) === 0) return;
    this.#block = undefined;
    this.#onBlock(open.frame, Uint8Array.from(Buffer.concat(open.pieces)));
  }

  #onBlock({ flags, streamId }: Frame, block: Uint8Array<ArrayBuffer>): void {
    const headers = this.#headers.decode(block);
    if (headers === undefined) return this.#fail("headers that cannot be read", http2Codes.compressionError);
    const isLast = (flags & endStreamFlag) !== 0;
    let stream = this.#streams.get(streamId);
    if (stream === undefined) {
      if (!this.#isIdle(streamId)) return; // of one that we have closed
      if (!this.#isServer || streamId % 2 === 0) return this.#fail("headers of no stream", http2Codes.protocolError);
      this.#lastPeerId = streamId;
      if (this.#isLeaving || this.#streams.size >= this.#options.concurrentStreamsMax) {
        this.#sendReset(streamId, http2Codes.refusedStream);
        return;
      }
      stream = this.#newStream(undefined);
      stream.id = streamId;
      this.#streams.set(streamId, stream);
      stream.events = this.#events.opened(stream, headers);
    } else if (!stream.isRemoteOver) stream.events?.headers(headers);
    if (isLast && !stream.isClosed) this.#remoteOver(stream);
  }

  #onReset({ streamId, payload }: Frame): void {
    if (payload.length !== 4 || streamId === 0 || this.#isIdle(streamId)) {
      return this.#fail("a reset of no stream", http2Codes.protocolError);
    }
    const nowMs = this.#nowMs();
    this.#resetsLeft = Math.min(resetsBurst, this.#resetsLeft + (nowMs - this.#resetsAtMs) * resetsPerMs) - 1;
    this.#resetsAtMs = nowMs;
    if (this.#isServer && this.#resetsLeft < 0) return this.#fail("resets without end", http2Codes.enhanceYourCalm);
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) this.#close(stream, readUint32(payload, 0));
  }

  #onSettings({ flags, payload }: Frame): void {
    if ((flags & acknowledgedFlag) !== 0) return;
    if (payload.length % 6 !== 0) return this.#fail("settings cut short", http2Codes.frameSizeError);
    for (let at = 0; at < payload.length; at += 6) {
      const id = (payload[at] ?? 0) * 256 + (payload[at + 1] ?? 0);
      const value = readUint32(payload, at + 2);
      if (id === settingIds.concurrentStreamsMax) this.#peerStreamsMax = value;
      else if (id === settingIds.frameBytesMax) {
        if (value < frameBytesMax || value > frameLengthMax)
          return this.#fail("a wrong length of frames", http2Codes.protocolError);
        this.#peerFrameBytesMax = value;
      } else if (id === settingIds.initialWindowBytes) {
        if (value > windowBytesMax) return this.#fail("a window that is too large", http2Codes.flowControlError);
        for (const stream of this.#streams.values()) stream.sendWindow += value - this.#peerWindowBytes;
        this.#peerWindowBytes = value;
      }
    }
    this.#control(frameTypes.settings, acknowledgedFlag, noBytes);
    this.#beginWaiting();
    this.#pumpBlocked();
    if (this.#isEstablished) return;
    this.#isEstablished = true;
    this.#events.established();
  }

  #onPing({ flags, payload }: Frame): void {
    if (payload.length !== 8) return this.#fail("a ping cut short", http2Codes.frameSizeError);
    if ((flags & acknowledgedFlag) !== 0) this.#pings.shift()?.();
    else this.#control(frameTypes.ping, acknowledgedFlag, payload.slice());
  }

  /** An answer to what the peer may ask for without end. */
  #control(type: number, flags: number, payload: Uint8Array): void {
    if (this.#isCongested && ++this.#controlFrames > controlFramesMax) {
      return this.#fail("questions without reading answers", http2Codes.enhanceYourCalm);
    }
    this.#frame(type, flags, 0, payload);
  }

  #onGoaway({ payload }: Frame): void {
    if (payload.length < 8) return this.#fail("a farewell cut short", http2Codes.frameSizeError);
    const lastId = readUint32(payload, 0);
    const code = readUint32(payload, 4);
    this.#isLeaving = true;
    this.#events.leaving(code);
    // What the peer has not looked at, it never will.
    for (const { stream } of this.#waiting.splice(0)) closeStream(stream, http2Codes.refusedStream);
    if (!this.#isServer) {
      for (const stream of [...this.#streams.values()]) {
        if (stream.id > lastId) this.#close(stream, http2Codes.refusedStream);
      }
    }
    if (code !== http2Codes.noError) this.destroy();
    else this.#endIfDone();
  }

  #onWindowUpdate({ streamId, payload }: Frame): void {
    const bytes = payload.length === 4 ? readUint32(payload, 0) : 0;
    if (bytes === 0 || bytes > windowBytesMax) return this.#fail("a window of nothing", http2Codes.protocolError);
    if (streamId === 0) {
      this.#sendWindow += bytes;
      if (this.#sendWindow > windowBytesMax) return this.#fail("too large a window", http2Codes.flowControlError);
      return this.#pumpBlocked();
    }
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    stream.sendWindow += bytes;
    if (stream.sendWindow > windowBytesMax) return this.reset(stream, http2Codes.flowControlError);
    if (stream.queue.length === 0) return;
    this.pump(stream);
    this.#tellDrained(stream);
  }
}

function closeStream(stream: Http2Stream, code: number): void {
  stream.isClosed = true;
  stream.queue.length = 0;
  stream.events?.closed(code);
}
