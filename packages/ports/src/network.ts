/** Remote calls as gRPC has them. A method is named in full: `/thanos.Store/Series`. Messages are encoded protobuf. */

/** gRPC status codes by their names in the specification. */
export type RpcCode =
  | "CANCELLED"
  | "UNKNOWN"
  | "INVALID_ARGUMENT"
  | "DEADLINE_EXCEEDED"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "OUT_OF_RANGE"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE"
  | "DATA_LOSS"
  | "UNAUTHENTICATED";

/** What a call throws, and what a handler throws to choose the status of its answer. Any other error is INTERNAL. */
export class RpcError extends Error {
  readonly code: RpcCode;

  constructor(code: RpcCode, message: string) {
    super(message);
    this.name = "RpcError";
    this.code = code;
  }
}

export interface CallOptions {
  /** Its abort cancels the call at the peer; a deadline signal of the clock becomes DEADLINE_EXCEEDED. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number; // sent to the peer as grpc-timeout
  readonly messageBytesMax: number; // a longer answer message fails with RESOURCE_EXHAUSTED
}

export interface RpcClient {
  /** One request, one answer. Throws RpcError. The answer belongs to the caller. */
  call(method: string, request: Uint8Array, options: CallOptions): Promise<Uint8Array>;
  /**
   * One request, many answers. Each item holds the messages that arrived together, so that a thousand small ones cost
   * one await. Messages belong to the caller. Throws RpcError from the iteration. Leaving the loop cancels the call.
   */
  stream(method: string, request: Uint8Array, options: CallOptions): AsyncIterable<readonly Uint8Array[]>;
  /** Which of the listeners of its process the peer is; undefined until it said so, and where it says nothing of it. */
  listener?(): RpcListenerName | undefined;
  /**
   * One request to several listeners of the peer's process, each of which answers it as it would answer `stream`: a process that holds
   * dozens of servers then costs one call. `listeners` are names; shares come in any order. Throws RpcError, then for all
   * that have not ended. Leaving the loop cancels all.
   */
  readonly streamEach?: (
    method: string,
    request: Uint8Array,
    listeners: readonly string[],
    options: CallOptions,
  ) => AsyncIterable<readonly RpcShare[]>;
  close(): Promise<void>;
}

/** Names that no other process and no other listener has; they mean nothing but that. */
export interface RpcListenerName {
  readonly process: string;
  readonly listener: string;
}

/** What one of several listeners answers; `index` is its place in the question. */
export type RpcShare =
  | { readonly kind: "message"; readonly index: number; readonly message: Uint8Array }
  | { readonly kind: "end"; readonly index: number; readonly failure: RpcError | undefined }
  /** What it had to say is in the answer of `leader`, which has ended without a failure. */
  | { readonly kind: "within"; readonly index: number; readonly leader: number }
  /** It listens no more, or may not be reached in this way: it was not asked. */
  | { readonly kind: "absent"; readonly index: number };

export interface RpcContext {
  readonly signal: AbortSignal; // aborted when the caller cancels, goes away, or its deadline passes
  readonly peer: string;
  readonly metadata: ReadonlyMap<string, string>; // lower-case names
}

export type RpcHandler =
  | { readonly kind: "unary"; handle(request: Uint8Array, context: RpcContext): Promise<Uint8Array> }
  | {
      readonly kind: "stream";
      /** Each item holds messages to be sent together. The transport pulls no faster than the peer reads. */
      handle(request: Uint8Array, context: RpcContext): AsyncIterable<readonly Uint8Array[]>;
      /** How it answers a request to several listeners of the process together with others. */
      readonly together?: RpcTogether;
    };

/** A handler as one of those that answer one request by one answer: they have the same `group`. */
export interface RpcTogether {
  readonly group: object;
  /**
   * What all `members` have to say, in one stream; undefined where each is to be asked by itself. So it is, too, when the
   * stream throws, which it does only before its first message that tells something.
   */
  handle(
    request: Uint8Array,
    members: readonly RpcTogether[],
    context: RpcContext,
  ): AsyncIterable<readonly Uint8Array[]> | undefined;
}

/** The oldest version of TLS that is spoken. */
export type TlsVersion = "1.2" | "1.3";

/** TLS of a client. Certificates are PEM files, read anew for connections made after they changed. */
export interface ClientTls {
  readonly caFile?: string; // who may sign the server's certificate; absent: those that this machine trusts
  readonly certFile?: string; // what the client shows; together with keyFile
  readonly keyFile?: string;
  readonly serverName?: string; // that the server's certificate must have; absent: the host of the address
  readonly verifiesServer: boolean;
  readonly minVersion: TlsVersion;
}

/** TLS of a server. Certificates are PEM files, read anew for connections made after they changed. */
export interface ServerTls {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile?: string; // with it, only clients with a certificate that it signed
  readonly minVersion: TlsVersion;
}

/** How messages are compressed: `snappy` in frames, as Thanos has it. */
export type RpcCompression = (typeof rpcCompressions)[number];
export const rpcCompressions = ["gzip", "snappy"] as const;

/** How a peer is spoken to; by default in plain text, uncompressed. */
export interface RpcClientOptions {
  readonly tls?: ClientTls;
  /** Of requests, and of the answers of a server that answers alike. Limits of messages are for what they hold. */
  readonly compression?: RpcCompression;
}

export interface RpcServerOptions {
  readonly tls?: ServerTls;
}

export interface HttpServerOptions {
  readonly tls?: ServerTls;
}

export interface Listener {
  readonly address: string; // host:port as bound
  /** Takes no new work, lets what runs end for up to `graceMs`, then cuts it. */
  close(graceMs: number): Promise<void>;
}

export interface HttpRequest {
  readonly method: string;
  readonly path: string; // percent-encoding kept, without the query
  readonly query: string; // without "?"
  readonly headers: ReadonlyMap<string, string>; // lower-case names
  readonly body: Uint8Array;
  readonly signal: AbortSignal; // aborted when the client goes away
}

/** A request whose body is still on its way: for servers of large objects. */
export interface HttpStreamRequest {
  readonly method: string; // as it was sent: HEAD comes as HEAD
  readonly path: string;
  readonly query: string;
  readonly headers: ReadonlyMap<string, string>;
  /**
   * Can be read once, at the reader's pace; each part belongs to the reader. Throws HttpError "canceled" when the client
   * goes away, "timeout" when it sends nothing for long. What is not read is thrown away after the answer.
   */
  readonly body: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Streamed parts belong to who asks for them. One that is handed to the iterator's `next` goes back: its memory may be used again. */
  readonly body: Uint8Array | string | AsyncIterable<Uint8Array>;
}

export interface HttpFetchOptions {
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** In lower case. With an `accept-encoding` among them the body comes as it is sent, in the encoding its header names. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  readonly signal: AbortSignal;
  readonly bodyBytesMax: number; // of the answer, after decompression; over it: HttpError kind "too-large"
  /** Asked for each part of the body as it comes, by its bytes after decompression; false: HttpError kind "too-large". */
  readonly admitBytes?: (bytes: number) => boolean;
  /**
   * Asked once for room for the body, when all of it is there: an array of at least so many bytes, whose start the body becomes. It
   * stays the asker's, who can use it again. Without it a body has an array of its own.
   */
  readonly bodyRoom?: (bytes: number) => Uint8Array;
}

export class HttpError extends Error {
  readonly kind: "unreachable" | "timeout" | "too-large" | "protocol" | "canceled";

  constructor(kind: HttpError["kind"], message: string) {
    super(message);
    this.name = "HttpError";
    this.kind = kind;
  }
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/** The network: every connection, in and out. An address is `host:port`. */
export interface Network {
  /** A client of one peer. Connects when first used, again after a loss, with growing pauses; never throws here. */
  rpcClient(address: string, options?: RpcClientOptions): RpcClient;
  /** Rejects with an Error that names the address if it cannot be bound. Port 0 picks one. */
  serveRpc(address: string, handlers: ReadonlyMap<string, RpcHandler>, options?: RpcServerOptions): Promise<Listener>;
  serveHttp(
    address: string,
    handle: (request: HttpRequest) => Promise<HttpResponse>,
    options?: HttpServerOptions,
  ): Promise<Listener>;
  /**
   * As `serveHttp`, but nothing is held whole, compressed or otherwise changed on its way: an answer has the headers that
   * the handler gives it, its `content-length` among them, with which a body in parts must agree. HttpError "canceled",
   * thrown by the handler or from the body, closes the connection where it is.
   */
  serveHttpStreams(address: string, handle: (request: HttpStreamRequest) => Promise<HttpResponse>): Promise<Listener>;
  /** Throws HttpError; an answer of any status is an answer. Follows no redirect. */
  fetchHttp(url: string, options: HttpFetchOptions): Promise<HttpAnswer>;
}
