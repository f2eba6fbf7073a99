/** RPC calls over HTTP/2, as a server: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import {
  RpcError,
  type Listener,
  type RpcCode,
  type RpcContext,
  type RpcHandler,
  type RpcListenerName,
  type RpcServerOptions,
  type ServerTls,
} from "@pleiad/ports";
import { bindError, formatAddress } from "./address.ts";
import { acceptedEncodings, grpcEncodingOf, type GrpcEncoding } from "./grpc-encoding.ts";
import { createFrameReader, frameHeaderBytes, packCompressed, packMessages } from "./grpc-frames.ts";
import type { GrpcLimits, GrpcPorts } from "./grpc-limits.ts";
import type { GrpcNeighbour, GrpcNeighbours } from "./grpc-neighbours.ts";
import { eachListenerMethod, listenerHeader } from "./grpc-shares.ts";
import { encodeGrpcMessage, grpcStatusCodes, internalError } from "./grpc-status.ts";
import { parseGrpcTimeout } from "./grpc-timeout.ts";
import type { HeaderFields, Headers } from "./hpack.ts";
import { Http2Connection } from "./http2-connection.ts";
import { http2Codes } from "./http2-frames.ts";
import type { Http2Stream, StreamEvents } from "./http2-stream.ts";
import { listen } from "./listen.ts";
import { serverTlsOptions, watchHandshakes } from "./tls-files.ts";

export async function serveGrpc(
  address: string,
  handlers: ReadonlyMap<string, RpcHandler>,
  ports: GrpcPorts,
  limits: GrpcLimits,
  { tls }: RpcServerOptions = {},
  neighbours?: GrpcNeighbours,
): Promise<Listener> {
  const server = openServer(address, tls, ports);
  server.maxConnections = limits.connectionsMax;
  let neighbour: GrpcNeighbour | undefined;
  let served = handlers;
  const connections = new Set<Http2Connection>();
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    socket.setNoDelay(true).setKeepAlive(true, 30_000);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on(tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
    const peer = peerOf(socket);
    const connection = new Http2Connection(
      socket,
      "server",
      limits,
      {
        opened: (stream, headers) => takeCall(stream, headers, { peer, handlers: served, ports, limits, neighbour }),
        established: () => {},
        leaving: () => {},
        received: () => {},
        // A broken connection ends its own calls, which see their streams close.
        closed: () => connections.delete(connection),
      },
      () => ports.clock.monotonicMs(),
    );
    connections.add(connection);
  });
  const bound = await listen(server, address);
  if (tls === undefined && neighbours !== undefined) {
    neighbour = neighbours.join(bound.address, handlers);
    served = new Map([...handlers, [eachListenerMethod, neighbour.handler]]);
  }
  return {
    address: formatAddress(bound),
    close: async (graceMs) => {
      neighbour?.leave();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const connection of connections) connection.leave();
      const stopTimer = ports.clock.after(graceMs, () => {
        for (const connection of connections) connection.destroy();
        // Of a handshake that failed or never came, there is a socket and no session.
        for (const socket of sockets) socket.destroy();
      });
      await closed;
      stopTimer();
    },
  };
}

function openServer(address: string, tls: ServerTls | undefined, ports: GrpcPorts): Server {
  if (tls === undefined) return createServer();
  let server: ReturnType<typeof createTlsServer>;
  try {
    server = createTlsServer(serverTlsOptions(tls, "h2"));
  } catch (error) {
    throw bindError(address, error);
  }
  watchHandshakes(server, tls, address, ports);
  return server;
}

/** What a call is answered with. */
interface CallWorld {
  readonly peer: string;
  readonly handlers: ReadonlyMap<string, RpcHandler>;
  readonly ports: GrpcPorts;
  readonly limits: GrpcLimits;
  readonly neighbour: GrpcNeighbour | undefined;
}

function takeCall(stream: Http2Stream, headers: Headers, world: CallWorld): StreamEvents {
  if (!/^application\/grpc(\+proto)?\s*(;|$)/.test(headers.get("content-type") ?? "")) {
    return refuseHttp(stream, 415);
  }
  if (headers.get(":method") !== "POST") return refuseHttp(stream, 405);
  const call = startCall(stream, headers, world);
  const request = readRequest(stream, headers, world.limits.requestBytesMax);
  answerCall(call, request.message, headers, world).catch((error: unknown) => {
    world.ports.observations.log("error", "an RPC call failed outside its handler", { error: String(error) });
    stream.reset(http2Codes.internalError);
  });
  return {
    headers: () => {}, // trailers, which say nothing to us
    data: (bytes) => request.push(bytes),
    ended: () => request.end(),
    drained: () => call.drained(),
    closed: () => {
      request.end();
      call.closed();
    },
  };
}

async function answerCall(
  call: ServerCall,
  requested: Promise<Uint8Array>,
  headers: Headers,
  { handlers, ports, neighbour }: CallWorld,
): Promise<void> {
  const method = headers.get(":path") ?? "";
  try {
    const handler = handlers.get(method);
    if (handler === undefined) {
      requested.catch(() => {});
      throw new RpcError("UNIMPLEMENTED", `unknown method ${method}`);
    }
    const request = await requested;
    if (call.ended()) return;
    if (handler.kind === "unary") {
      const answer = await handler.handle(request, call.context);
      // Whoever asks often, begins with such a call.
      call.name(neighbour?.name);
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
    call.end(error instanceof RpcError ? error : internalError(method, error, ports.observations));
  }
}

interface Status {
  readonly code: RpcCode;
  readonly message: string;
}

/** One call's way back to its caller. */
interface ServerCall {
  readonly context: RpcContext;
  ended(): boolean;
  /** Which listener answers: to be told before anything is sent. */
  name(listener: RpcListenerName | undefined): void;
  /** Resolves when the peer has taken enough for more to be worth making, or when the call has ended. */
  send(messages: readonly Uint8Array[]): Promise<void>;
  /** Ends the call, with OK unless a status is given. Only the first call counts. */
  end(status?: Status): void;
  /** To be called when the peer takes more. */
  drained(): void;
  /** To be called when nothing can be sent any more. */
  closed(): void;
}

function startCall(stream: Http2Stream, headers: Headers, { peer, ports: { clock }, limits }: CallWorld): ServerCall {
  const controller = new AbortController();
  let ended = false;
  let blocked = false; // a write waits for the peer to read
  let wake = () => {};
  let listener: RpcListenerName | undefined;

  const end = (status?: Status) => {
    if (ended) return;
    ended = true;
    stopTimer();
    wake();
    // The peer does not read: a status would wait behind data that it never takes.
    if (blocked) stream.reset(http2Codes.cancel);
    else sendStatus(stream, status);
  };
  const timeout = headers.get("grpc-timeout");
  const timeoutMs = timeout === undefined ? limits.defaultTimeoutMs : parseGrpcTimeout(timeout);
  const stopTimer = clock.after(timeoutMs ?? 0, () => {
    if (ended) return;
    const message = `no end within ${timeoutMs} ms`;
    end({ code: "DEADLINE_EXCEEDED", message });
    controller.abort(new DOMException(message, "TimeoutError"));
  });
  if (timeoutMs === undefined) {
    end({ code: "INTERNAL", message: `malformed grpc-timeout ${JSON.stringify(timeout)}` });
  }

  // As Go's servers answer: in the encoding of the request, which the caller chose.
  const encoding = grpcEncodingOf(headers.get("grpc-encoding")) ?? "identity";
  /** A promise only where the peer has to read first. */
  const write = (bytes: Uint8Array): Promise<void> | undefined => {
    if (ended) return undefined;
    if (!stream.hasSentHeaders) stream.respond(answerFields(encoding, listener));
    if (stream.write(bytes)) return undefined;
    blocked = true;
    return new Promise<void>((resolve) => {
      wake = resolve;
    }).then(() => {
      blocked = false;
    });
  };

  return {
    context: {
      signal: controller.signal,
      peer,
      get metadata() {
        return metadataOf(headers);
      },
    },
    ended: () => ended,
    name: (told) => {
      listener = told;
    },
    send: async (messages) => {
      const writes = encoding === "identity" ? packMessages(messages) : await packCompressed(encoding, messages);
      for (const bytes of writes) {
        const waiting = write(bytes);
        if (waiting !== undefined) await waiting;
      }
    },
    end,
    drained: () => wake(),
    closed: () => {
      if (ended) return;
      ended = true;
      stopTimer();
      wake();
      controller.abort(new RpcError("CANCELLED", "canceled by the caller"));
    },
  };
}

function answerFields(encoding: GrpcEncoding, listener?: RpcListenerName): HeaderFields {
  const fields = [":status", "200", "content-type", "application/grpc", "grpc-accept-encoding", acceptedEncodings];
  if (listener !== undefined) fields.push(listenerHeader, `${listener.process} ${listener.listener}`);
  return encoding === "identity" ? fields : [...fields, "grpc-encoding", encoding];
}

function sendStatus(stream: Http2Stream, status: Status | undefined): void {
  if (stream.isClosed) return;
  const trailers = ["grpc-status", String(status === undefined ? 0 : grpcStatusCodes[status.code])];
  if (status !== undefined) trailers.push("grpc-message", encodeGrpcMessage(status.message));
  stream.endsBoth = true; // whatever is left of the request
  if (stream.hasSentHeaders) stream.end(trailers);
  else stream.respond([...answerFields("identity"), ...trailers], true);
}

function refuseHttp(stream: Http2Stream, httpStatus: number): StreamEvents {
  stream.endsBoth = true;
  stream.respond([":status", String(httpStatus)], true);
  const none = () => {};
  return { headers: none, data: none, ended: none, drained: none, closed: none };
}

/** The one message of a request, as it comes in. */
interface RequestReader {
  readonly message: Promise<Uint8Array>;
  push(bytes: Uint8Array): void;
  /** At the end of the request, or of all. */
  end(): void;
}

function readRequest(stream: Http2Stream, headers: Headers, requestBytesMax: number): RequestReader {
  const encoding = grpcEncodingOf(headers.get("grpc-encoding"));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const reader = createFrameReader(encoding ?? "identity", requestBytesMax);
  let requestBytes = 0;
  let isOver = false;
  const fail = (error: unknown) => {
    isOver = true;
    reject(error);
  };
  if (encoding === undefined) {
    fail(new RpcError("UNIMPLEMENTED", `unknown encoding ${String(headers.get("grpc-encoding"))}`));
  }
  const whole = async () => {
    await promise;
    if (reader.unfinished()) throw new RpcError("INTERNAL", "request ended inside a message");
    const [request, ...more] = await reader.take();
    if (request === undefined) throw new RpcError("INTERNAL", "request without a message");
    if (more.length > 0) throw new RpcError("INTERNAL", "request with more than one message");
    return request;
  };
  return {
    message: whole(),
    push: (bytes) => {
      stream.consumed(bytes.length);
      if (isOver) return;
      try {
        requestBytes += bytes.length;
        if (requestBytes > requestBytesMax + frameHeaderBytes) {
          throw new RpcError("RESOURCE_EXHAUSTED", `request of more than ${requestBytesMax} bytes`);
        }
        reader.push(bytes);
      } catch (error) {
        fail(error);
      }
    },
    end: () => {
      isOver = true;
      resolve();
    },
  };
}

function peerOf({ remoteAddress: address, remotePort: port }: Socket): string {
  return address === undefined || port === undefined ? "unknown" : formatAddress({ address, port });
}

function metadataOf(headers: Headers): ReadonlyMap<string, string> {
  return new Map([...headers].filter(([name]) => !name.startsWith(":")));
}
