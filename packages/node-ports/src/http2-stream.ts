/** One stream of an HTTP/2 connection, as its user sees it: what it has sent, what it may send, and who is told. */
import type { HeaderFields, Headers } from "./hpack.ts";

/** All are called within the connection's own work: they must not throw. */
export interface StreamEvents {
  /** Headers, or behind them trailers. */
  headers(headers: Headers): void;
  /** To be answered by `consumed`, now or later: until then the peer's window is smaller by them. */
  data(bytes: Uint8Array): void;
  /** The peer sends no more. */
  ended(): void;
  /** After a `write` that was false: more may be written. */
  drained(): void;
  /** Nothing more happens. `code`: of the reset by either side; 0 where the stream came to its end. */
  closed(code: number): void;
}

/** What a stream needs of its connection. */
export interface StreamOwner {
  /** Sends what windows allow. */
  pump(stream: Http2Stream): void;
  sendHeaders(stream: Http2Stream, fields: HeaderFields, isLast: boolean): void;
  reset(stream: Http2Stream, code: number): void;
  consumed(stream: Http2Stream, bytes: number): void;
}

export class Http2Stream {
  /** 0 while it waits for its turn to begin. */
  id = 0;
  events: StreamEvents | undefined;
  hasSentHeaders = false;
  /** Of what was written: not yet sent. */
  readonly queue: Uint8Array[] = [];
  queuedBytes = 0;
  wantsDrain = false;
  isEnding = false; // no more will be written
  trailers: HeaderFields | undefined;
  isLocalOver = false; // its end is sent
  /** When its end is sent, the peer is told to send no more either. */
  endsBoth = false;
  isRemoteOver = false;
  isClosed = false;
  sendWindow: number;
  receiveWindow: number;
  unconsumedBytes = 0;
  returnedBytes = 0; // consumed, and the peer not yet told
  readonly #owner: StreamOwner;

  constructor(owner: StreamOwner, sendWindow: number, receiveWindow: number) {
    this.#owner = owner;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }

  respond(fields: HeaderFields, isLast = false): void {
    if (!this.isClosed) this.#owner.sendHeaders(this, fields, isLast);
  }

  /** False where the peer should read before more is written; `drained` follows. Takes the bytes over. */
  write(bytes: Uint8Array): boolean {
    if (this.isClosed) return true;
    this.queue.push(bytes);
    this.queuedBytes += bytes.length;
    this.#owner.pump(this);
    this.wantsDrain = this.queuedBytes > 0;
    return !this.wantsDrain;
  }

  /** The end of what is written, with trailers if there are any. */
  end(trailers?: HeaderFields): void {
    if (this.isClosed || this.isEnding) return;
    this.isEnding = true;
    this.trailers = trailers;
    this.#owner.pump(this);
  }

  /** Ends both directions at once. */
  reset(code: number): void {
    if (!this.isClosed) this.#owner.reset(this, code);
  }

  consumed(bytes: number): void {
    if (!this.isClosed) this.#owner.consumed(this, bytes);
  }
}
