/**
 * HTTP/2 over a socket, both ends: RFC 9113. Only what gRPC needs: no push, no priorities. Node's own costs several times as
 * much a stream, and a regional query is dozens of short ones.
 */
import type { Socket } from "node:net";
import type { HeaderFields, Headers } from "./hpack.ts";
import {
  acknowledgedFlag,
  createHttp2FrameReader,
  dataFrameBytesMax,
  endStreamFlag,
  firstWindowBytes,
  frameBytesMax,
  frameLengthMax,
  frameTypes,
  http2Codes,
  preface,
  readUint32,
  settingIds,
  unpadded,
  windowBytesMax,
  type Frame,
} from "./http2-frames.ts";
import { createHeaderBlocks, type HeadersFault, type ReceivedHeaders } from "./http2-header-blocks.ts";
import { Http2Output } from "./http2-output.ts";
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

const streamIdMax = 2 ** 31 - 1;
/** Peers that begin and reset streams, or ask for answers that they do not read, keep us busy with nothing. */
const resetsBurst = 1000;
const resetsPerMs = 0.1;
const controlFramesMax = 1000; // unanswered, while the peer does not read
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
  readonly #headers = createHeaderBlocks();
  readonly #output: Http2Output;
  readonly #pings: (() => void)[] = [];
  #prefaceLeft: Uint8Array | undefined;
  #isEstablished = false;
  #isLeaving = false;
  #nextId = 1;
  #lastPeerId = 0;
  #sendWindow = firstWindowBytes;
  #peerWindowBytes = firstWindowBytes;
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
    this.#output = new Http2Output(socket);
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
    this.#output.frame(frameTypes.ping, 0, 0, new Uint8Array(8));
  }

  /** Takes no new streams, and ends with the last one. */
  leave(): void {
    if (this.isClosed) return;
    if (!this.#isLeaving) this.#output.goaway(this.#lastPeerId, http2Codes.noError);
    this.#isLeaving = true;
    this.#endIfDone();
  }

  /** Ends at once. */
  destroy(reason?: string, code?: number): void {
    if (this.isClosed) return;
    if (code !== undefined) {
      this.#output.goaway(this.#lastPeerId, code);
      this.#output.flush();
    }
    this.isClosed = true;
    this.#output.end();
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
    this.#output.headers(stream.id, fields, isLast);
    if (isLast) this.#localOver(stream);
  }

  pump(stream: Http2Stream): void {
    if (stream.id === 0 || stream.isLocalOver || this.isClosed) return;
    const { queue } = stream;
    while (queue.length > 0) {
      const room = Math.min(this.#sendWindow, stream.sendWindow, this.#output.peerFrameBytesMax);
      if (room <= 0 || this.#output.isCongested) {
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
      this.#output.frame(frameTypes.data, isLast ? endStreamFlag : 0, stream.id, piece);
      if (isLast) return this.#localOver(stream);
    }
    this.#blocked.delete(stream);
    if (!stream.isEnding) return;
    if (stream.trailers === undefined) this.#output.frame(frameTypes.data, endStreamFlag, stream.id, noBytes);
    else this.#output.headers(stream.id, stream.trailers, true);
    this.#localOver(stream);
  }

  reset(stream: Http2Stream, code: number): void {
    if (stream.id === 0) {
      const at = this.#waiting.findIndex((one) => one.stream === stream);
      if (at >= 0) this.#waiting.splice(at, 1);
    } else this.#output.reset(stream.id, code);
    this.#close(stream, code);
  }

  consumed(stream: Http2Stream, bytes: number): void {
    stream.unconsumedBytes -= bytes;
    this.#giveBack(bytes);
    if (stream.isRemoteOver) return;
    stream.returnedBytes += bytes;
    if (stream.returnedBytes * 2 < this.#options.streamWindowBytes) return;
    stream.receiveWindow += stream.returnedBytes;
    this.#output.windowUpdate(stream.id, stream.returnedBytes);
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
    this.#output.headers(stream.id, fields, false);
    this.pump(stream);
    if (this.#nextId <= streamIdMax || this.#isLeaving) return;
    // Numbers are used up: whoever asks next needs another connection.
    this.#isLeaving = true;
    this.#events.leaving(http2Codes.noError);
  }

  #sendSettings(): void {
    const { streamWindowBytes, sessionWindowBytes, concurrentStreamsMax } = this.#options;
    this.#output.settings([
      this.#isServer ? [settingIds.concurrentStreamsMax, concurrentStreamsMax] : [settingIds.enablePush, 0],
      [settingIds.initialWindowBytes, streamWindowBytes],
      [settingIds.frameBytesMax, dataFrameBytesMax],
    ]);
    const more = sessionWindowBytes - firstWindowBytes;
    if (more <= 0) return;
    this.#receiveWindow += more;
    this.#output.windowUpdate(0, more);
  }

  #onDrain(): void {
    this.#output.isCongested = false;
    this.#controlFrames = 0;
    this.#pumpBlocked();
  }

  #pumpBlocked(): void {
    for (const stream of [...this.#blocked]) {
      if (this.#output.isCongested || this.#sendWindow <= 0) return;
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
    this.#output.flush();
    this.socket.end();
  }

  #giveBack(bytes: number): void {
    this.#returnedBytes += bytes;
    if (this.#returnedBytes * 2 < this.#options.sessionWindowBytes) return;
    this.#receiveWindow += this.#returnedBytes;
    this.#output.windowUpdate(0, this.#returnedBytes);
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
    if (this.#headers.isOpen && type !== frameTypes.continuation) {
      return this.#fail("a frame within headers", http2Codes.protocolError);
    }
    if (!this.#isEstablished && type !== frameTypes.settings) {
      return this.#fail("no settings first", http2Codes.protocolError);
    }
    switch (type) {
      case frameTypes.data:
        return this.#onData(frame);
      case frameTypes.headers:
        return this.#onHeaders(this.#headers.begin(frame));
      case frameTypes.continuation:
        return this.#onHeaders(this.#headers.goOn(frame));
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

  #isIdle(streamId: number): boolean {
    const isOwn = (streamId % 2 === 1) !== this.#isServer;
    return isOwn ? streamId >= this.#nextId : streamId > this.#lastPeerId;
  }

  #onData(frame: Frame): void {
    const { flags, streamId } = frame;
    const data = unpadded(frame);
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

  #onHeaders(received: ReceivedHeaders | HeadersFault | undefined): void {
    if (received === undefined) return;
    if (received.kind === "fault") return this.#fail(received.reason, received.code);
    const { streamId, isLast, headers } = received;
    let stream = this.#streams.get(streamId);
    if (stream === undefined) {
      if (!this.#isIdle(streamId)) return; // of one that we have closed
      if (!this.#isServer || streamId % 2 === 0) return this.#fail("headers of no stream", http2Codes.protocolError);
      this.#lastPeerId = streamId;
      if (this.#isLeaving || this.#streams.size >= this.#options.concurrentStreamsMax) {
        this.#output.reset(streamId, http2Codes.refusedStream);
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
        this.#output.peerFrameBytesMax = value;
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
    if (this.#output.isCongested && ++this.#controlFrames > controlFramesMax) {
      return this.#fail("questions without reading answers", http2Codes.enhanceYourCalm);
    }
    this.#output.frame(type, flags, 0, payload);
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
