/** RPC calls over HTTP/2, as a server: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. */
import {
  constants,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from "node:http2";
import type { Socket } from "node:net";
import {
  RpcError,
  type Listener,
  type RpcCode,
  type RpcContext,
  type RpcHandler,
  type RpcServerOptions,
  type ServerTls,
} from "@pleiad/ports";
import { bindError, formatAddress } from "./address.ts";
import { acceptedEncodings, grpcEncodingOf, type GrpcEncoding } from "./grpc-encoding.ts";
import { createFrameReader, frameHeaderBytes, packCompressed, packMessages } from "./grpc-frames.ts";
import type { GrpcLimits, GrpcPorts } from "./grpc-limits.ts";
import { encodeGrpcMessage, grpcStatusCodes } from "./grpc-status.ts";
import { parseGrpcTimeout } from "./grpc-timeout.ts";
import { listen } from "./listen.ts";
import { serverTlsOptions, watchHandshakes } from "./tls-files.ts";

const headerPairsMax = 128;
const streamResetsBurst = 1000;
const streamResetsPerSecond = 100;

export async function serveGrpc(
  address: string,
  handlers: ReadonlyMap<string, RpcHandler>,
  ports: GrpcPorts,
  limits: GrpcLimits,
  { tls }: RpcServerOptions = {},
): Promise<Listener> {
  const server = openServer(address, tls, ports, {
    maxSessionMemory: limits.sessionMemoryMb,
    maxHeaderListPairs: headerPairsMax,
    streamResetBurst: streamResetsBurst,
    streamResetRate: streamResetsPerSecond,
    settings: { initialWindowSize: limits.streamWindowBytes, maxConcurrentStreams: limits.concurrentStreamsMax },
  });
  server.maxConnections = limits.connectionsMax;
  const sessions = new Set<ServerHttp2Session>();
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    socket.setNoDelay(true).setKeepAlive(true, 30_000);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.setLocalWindowSize(limits.sessionWindowBytes);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => {
      // A broken connection ends its own calls, which see their streams close.
    });
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {
      // A broken stream ends its own call, which sees it close.
    });
    answerStream(stream, headers, handlers, ports, limits).catch((error: unknown) => {
      ports.observations.log("error", "an RPC call failed outside its handler", { error: String(error) });
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    });
  });
  const bound = await listen(server, address);
  return {
    address: formatAddress(bound),
    close: async (graceMs) => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.close();
      const stopTimer = ports.clock.after(graceMs, () => {
        for (const session of sessions) session.destroy();
        // Of a handshake that failed or never came, there is a socket and no session.
        for (const socket of sockets) socket.destroy();
      });
      await closed;
      stopTimer();
    },
  };
}

function openServer(
  address: string,
  tls: ServerTls | undefined,
  ports: GrpcPorts,
  options: ServerOptions,
): Http2Server | Http2SecureServer {
  if (tls === undefined) return createServer(options);
  let server: Http2SecureServer;
  try {
    server = createSecureServer({ ...options, ...serverTlsOptions(tls, "h2") });
  } catch (error) {
    throw bindError(address, error);
  }
  watchHandshakes(server, tls, address, ports);
  return server;
}

async function answerStream(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  handlers: ReadonlyMap<string, RpcHandler>,
  ports: GrpcPorts,
  limits: GrpcLimits,
): Promise<void> {
  if (!/^application\/grpc(\+proto)?\s*(;|$)/.test(headers["content-type"] ?? "")) {
    return refuseHttp(stream, constants.HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE);
  }
  if (headers[":method"] !== "POST") return refuseHttp(stream, constants.HTTP_STATUS_METHOD_NOT_ALLOWED);

  const call = startCall(stream, headers, ports, limits);
  try {
    const method = headers[":path"] ?? "";
    const handler = handlers.get(method);
    if (handler === undefined) throw new RpcError("UNIMPLEMENTED", `unknown method ${method}`);
    const request = await readRequest(stream, headers, limits.requestBytesMax);
    if (call.ended()) return;
    if (handler.kind === "unary") {
      const answer = await handler.handle(request, call.context);
      await call.send([answer]);
    } else {
      for await (const messages of handler.handle(request, call.context)) {
        await call.send(messages);
        if (call.ended()) return;
      }
    }
    call.end();
  } catch (error) {
    if (call.ended()) return;
    if (!(error instanceof RpcError)) {
      ports.observations.log("error", "an RPC handler failed", {
        method: headers[":path"] ?? "",
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
    call.end(statusOf(error));
  }
}

interface Status {
  readonly code: RpcCode;
  readonly message: string;
}

function statusOf(error: unknown): Status {
  if (error instanceof RpcError) return error;
  return { code: "INTERNAL", message: error instanceof Error ? error.message : String(error) };
}

/** One call's way back to its caller. */
interface ServerCall {
  readonly context: RpcContext;
  ended(): boolean;
  /** Resolves when the peer has taken enough for more to be worth making, or when the call has ended. */
  send(messages: readonly Uint8Array[]): Promise<void>;
  /** Ends the call, with OK unless a status is given. Only the first call counts. */
  end(status?: Status): void;
}

function startCall(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  { clock }: GrpcPorts,
  limits: GrpcLimits,
): ServerCall {
  const controller = new AbortController();
  let ended = false;
  let blocked = false; // a write waits for the peer to read
  let wake = () => {};

  const end = (status?: Status) => {
    if (ended) return;
    ended = true;
    stopTimer();
    wake();
    // The peer does not read: a status would wait behind data that it never takes.
    if (blocked) stream.close(constants.NGHTTP2_CANCEL);
    else sendStatus(stream, status);
  };
  const timeout = headers["grpc-timeout"];
  const timeoutMs = typeof timeout === "string" ? parseGrpcTimeout(timeout) : limits.defaultTimeoutMs;
  const stopTimer = clock.after(timeoutMs ?? 0, () => {
    if (ended) return;
    const message = `no end within ${timeoutMs} ms`;
    end({ code: "DEADLINE_EXCEEDED", message });
    controller.abort(new DOMException(message, "TimeoutError"));
  });
  stream.on("drain", () => wake());
  stream.on("close", () => {
    if (ended) return;
    ended = true;
    stopTimer();
    wake();
    controller.abort(new RpcError("CANCELLED", "canceled by the caller"));
  });
  if (timeoutMs === undefined) {
    end({ code: "INTERNAL", message: `malformed grpc-timeout ${JSON.stringify(timeout)}` });
  }

  // As Go's servers answer: in the encoding of the request, which the caller chose.
  const encoding = grpcEncodingOf(headers["grpc-encoding"]) ?? "identity";
  /** A promise only where the peer has to read first. */
  const write = (bytes: Uint8Array): Promise<void> | undefined => {
    if (ended) return undefined;
    if (!stream.headersSent) stream.respond(answerHeaders(encoding), { waitForTrailers: true });
    if (stream.write(bytes)) return undefined;
    blocked = true;
    return new Promise<void>((resolve) => {
      wake = resolve;
    }).then(() => {
      blocked = false;
    });
  };

  return {
    context: { signal: controller.signal, peer: peerOf(stream), metadata: metadataOf(headers) },
    ended: () => ended,
    send: async (messages) => {
      const writes = encoding === "identity" ? packMessages(messages) : await packCompressed(encoding, messages);
      for (const bytes of writes) {
        const waiting = write(bytes);
        if (waiting !== undefined) await waiting;
      }
    },
    end,
  };
}

function answerHeaders(encoding: GrpcEncoding) {
  return {
    ":status": 200,
    "content-type": "application/grpc",
    "grpc-accept-encoding": acceptedEncodings,
    ...(encoding === "identity" ? {} : { "grpc-encoding": encoding }),
  };
}

function sendStatus(stream: ServerHttp2Stream, status: Status | undefined): void {
  if (stream.destroyed || stream.closed) return;
  const trailers = {
    "grpc-status": String(status === undefined ? 0 : grpcStatusCodes[status.code]),
    ...(status === undefined ? {} : { "grpc-message": encodeGrpcMessage(status.message) }),
  };
  if (!stream.headersSent) {
    stream.respond({ ...answerHeaders("identity"), ...trailers }, { endStream: true });
  } else {
    stream.once("wantTrailers", () => {
      if (!stream.destroyed) stream.sendTrailers(trailers);
    });
    stream.end();
  }
  dropRequest(stream);
}

/** Lets what is left of the request go nowhere, and tells the peer to send no more of it. */
function dropRequest(stream: ServerHttp2Stream): void {
  stream.resume();
  if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
}

function refuseHttp(stream: ServerHttp2Stream, httpStatus: number): void {
  stream.respond({ ":status": httpStatus }, { endStream: true });
  dropRequest(stream);
}

/** The one message of the request. */
async function readRequest(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  requestBytesMax: number,
): Promise<Uint8Array> {
  const encoding = grpcEncodingOf(headers["grpc-encoding"]);
  if (encoding === undefined) {
    throw new RpcError("UNIMPLEMENTED", `unknown encoding ${String(headers["grpc-encoding"])}`);
  }
  const reader = createFrameReader(encoding, requestBytesMax);
  let requestBytes = 0;
  await new Promise<void>((resolve, reject) => {
    const onData = (chunk: Uint8Array) => {
      try {
        requestBytes += chunk.length;
        if (requestBytes > requestBytesMax + frameHeaderBytes) {
          throw new RpcError("RESOURCE_EXHAUSTED", `request of more than ${requestBytesMax} bytes`);
        }
        reader.push(chunk);
      } catch (error) {
        stream.off("data", onData);
        reject(error);
      }
    };
    stream.on("data", onData);
    stream.on("end", resolve);
    stream.on("close", resolve);
  });
  if (reader.unfinished()) throw new RpcError("INTERNAL", "request ended inside a message");
  const [request, ...more] = await reader.take();
  if (request === undefined) throw new RpcError("INTERNAL", "request without a message");
  if (more.length > 0) throw new RpcError("INTERNAL", "request with more than one message");
  return request;
}

function peerOf(stream: ServerHttp2Stream): string {
  const { remoteAddress: address, remotePort: port } = stream.session?.socket ?? {};
  return address === undefined || port === undefined ? "unknown" : formatAddress({ address, port });
}

function metadataOf(headers: IncomingHttpHeaders): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(":") || value === undefined) continue;
    metadata.set(name, Array.isArray(value) ? value.join(",") : value);
  }
  return metadata;
}
