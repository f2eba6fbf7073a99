/** RPC calls over HTTP/2, as a client: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. */
import {
  RpcError,
  type CallOptions,
  type RpcClient,
  type RpcClientOptions,
  type RpcCompression,
  type RpcListenerName,
} from "@pleiad/ports";
import { createGrpcConnection, type GrpcSession } from "./grpc-connection.ts";
import { acceptedEncodings, grpcEncodingOf } from "./grpc-encoding.ts";
import { createFrameReader, packCompressed, packMessages, type FrameReader } from "./grpc-frames.ts";
import type { GrpcLimits, GrpcPorts } from "./grpc-limits.ts";
import { decodeShare, eachListenerMethod, encodeSharedRequest, listenerHeader } from "./grpc-shares.ts";
import { abortError, decodeGrpcMessage, rpcCodeOf, rpcCodeOfHttpStatus, rpcCodeOfReset } from "./grpc-status.ts";
import { formatGrpcTimeout } from "./grpc-timeout.ts";
import type { HeaderFields, Headers } from "./hpack.ts";
import { http2Codes } from "./http2-frames.ts";

/** A server that sends its connections away soon may do so to several in turn, where either side is slow. */
const attemptsMax = 5;

export function createGrpcClient(
  address: string,
  ports: GrpcPorts,
  limits: GrpcLimits,
  { tls, compression }: RpcClientOptions = {},
): RpcClient {
  const connection = createGrpcConnection(address, ports, limits, tls);
  let listener: RpcListenerName | undefined;

  const readListener = (headers: Headers) => {
    const [process, name] = headers.get(listenerHeader)?.split(" ") ?? [];
    listener = process === undefined || name === undefined ? undefined : { process, listener: name };
  };

  async function* stream(
    method: string,
    request: Uint8Array,
    options: CallOptions,
    answered?: (head: Headers) => void,
  ) {
    const interruption = createInterruption(options, ports);
    try {
      const message = await frame(request, compression);
      for (let attempt = 1; ; attempt++) {
        const session = await interruption.orElse(connection.session());
        const exchange = startExchange(session, address, method, message, options, interruption, answered);
        try {
          for (let messages = await exchange.next(); messages !== undefined; messages = await exchange.next())
            yield messages;
          return;
        } catch (error) {
          // The server said that it never looked at the call, as one does that is going away: safe to ask again.
          if (attempt >= attemptsMax || !exchange.refused()) throw error;
        } finally {
          exchange.end();
        }
      }
    } finally {
      interruption.end();
    }
  }

  return {
    call: async (method, request, options) => {
      let answer: Uint8Array | undefined;
      for await (const messages of stream(method, request, options, readListener)) {
        for (const message of messages) {
          if (answer !== undefined) throw new RpcError("INTERNAL", `${method}: more than one answer`);
          answer = message;
        }
      }
      if (answer === undefined) throw new RpcError("INTERNAL", `${method}: no answer`);
      return answer;
    },
    stream: (method, request, options) => stream(method, request, options),
    listener: () => listener,
    streamEach: async function* (method, request, listeners, options) {
      const shared = encodeSharedRequest({ method, listeners, request });
      for await (const messages of stream(eachListenerMethod, shared, options)) {
        yield messages.map((message) => decodeShare(message, listeners.length));
      }
    },
    close: () => connection.close(),
  };
}

/** The caller's abort or the call's own deadline, whichever comes first. */
interface Interruption {
  error(): RpcError | undefined;
  /** What is to be told of the interruption, in place of the last one named here. */
  onInterrupt(act: () => void): void;
  /** The promise's outcome, or a rejection at the interruption. */
  orElse<T>(promise: Promise<T>): Promise<T>;
  end(): void;
}

function createInterruption({ signal, timeoutMs }: CallOptions, { clock }: GrpcPorts): Interruption {
  let error: RpcError | undefined;
  let act = () => {};
  const interrupt = (by: RpcError) => {
    if (error !== undefined) return;
    error = by;
    act();
  };
  const onAbort = () => interrupt(abortError(signal));
  const onDeadline = () => interrupt(new RpcError("DEADLINE_EXCEEDED", `no end within ${timeoutMs} ms`));
  let stopTimer = () => {};
  if (signal.aborted) onAbort();
  else if (timeoutMs <= 0) onDeadline();
  else {
    signal.addEventListener("abort", onAbort, { once: true });
    if (timeoutMs !== Infinity) stopTimer = clock.after(timeoutMs, onDeadline);
  }
  return {
    error: () => error,
    onInterrupt: (next) => {
      act = next;
      if (error !== undefined) act();
    },
    orElse: (promise) =>
      new Promise((resolve, reject) => {
        act = () => reject(error);
        promise.then(resolve, reject);
        if (error !== undefined) act();
      }),
    end: () => {
      act = () => {};
      stopTimer();
      signal.removeEventListener("abort", onAbort);
    },
  };
}

/** One request on one session, and what comes back. */
interface Exchange {
  /** Messages that came together; undefined at the end. Rejects with an RpcError. */
  next(): Promise<Uint8Array[] | undefined>;
  /** Whether the server refused the call unseen. */
  refused(): boolean;
  /** Gives the stream up, if it is not at its end. Must be called. */
  end(): void;
}

function startExchange(
  session: GrpcSession,
  address: string,
  method: string,
  request: FramedRequest,
  options: CallOptions,
  interruption: Interruption,
  answered: ((head: Headers) => void) | undefined,
): Exchange {
  let chunks: Uint8Array[] = [];
  let queuedBytes = 0;
  let reader: FrameReader | undefined;
  let responded = false;
  let finished = false; // nothing more will come
  let failure: RpcError | undefined; // meaningful once finished
  let sawStatus = false;
  let refused = false;
  let wake = () => {};

  const finish = (by?: RpcError) => {
    if (!finished) {
      finished = true;
      failure = by;
    }
    wake();
  };
  const readStatus = (headers: Headers) => {
    const status = headers.get("grpc-status");
    if (status === undefined) return;
    sawStatus = true;
    if (status === "0") return;
    failure = new RpcError(rpcCodeOf(Number(status)), decodeGrpcMessage(headers.get("grpc-message") ?? ""));
  };
  const lost = () => new RpcError("UNAVAILABLE", `connection to ${address} lost: ${session.lossReason() ?? "closed"}`);

  const readHead = (headers: Headers) => {
    responded = true;
    answered?.(headers);
    readStatus(headers);
    if (sawStatus) return;
    const wrong = responseError(headers);
    if (wrong !== undefined) {
      finish(wrong);
      stream?.reset(http2Codes.cancel);
      return;
    }
    reader = createFrameReader(grpcEncodingOf(headers.get("grpc-encoding")) ?? "identity", options.messageBytesMax);
  };

  const scheme = session.http2.encrypted ? "https" : "http";
  const stream = session.http2.request(requestFields(scheme, address, method, options.timeoutMs, request.encoding), {
    headers: (headers) => (responded ? readStatus(headers) : readHead(headers)),
    data: (chunk) => {
      chunks.push(chunk);
      queuedBytes += chunk.length;
      wake();
    },
    ended: () => {
      if (sawStatus) finish(failure);
    },
    drained: () => {}, // the request is whole
    closed: (code) => {
      if (finished) return;
      if (sawStatus) return finish(failure);
      refused = !responded && code === http2Codes.refusedStream;
      if (session.http2.isClosed) return finish(lost());
      if (code === http2Codes.noError) return finish(new RpcError("INTERNAL", "stream ended without a status"));
      finish(new RpcError(rpcCodeOfReset(code), `stream reset by the peer (HTTP/2 error ${code})`));
    },
  });
  if (stream === undefined) {
    // The session ended between being handed out and now.
    return {
      next: () => Promise.reject(lost()),
      refused: () => true,
      end: () => {},
    };
  }
  session.callStarted();
  interruption.onInterrupt(() => {
    stream.reset(http2Codes.cancel);
    wake();
  });
  for (const bytes of request.writes) stream.write(bytes);
  stream.end();

  let mayHaveMore = false; // messages in the reader
  async function next(): Promise<Uint8Array[] | undefined> {
    for (;;) {
      const interrupted = interruption.error();
      if (interrupted !== undefined) throw interrupted;
      if (mayHaveMore && reader !== undefined) {
        const taken = reader.take();
        const messages = taken instanceof Promise ? await taken : taken;
        if (messages.length > 0) return messages;
        mayHaveMore = false;
      } else if (chunks.length > 0) {
        const taken = chunks;
        chunks = [];
        stream?.consumed(queuedBytes);
        queuedBytes = 0;
        if (reader === undefined) throw new RpcError("INTERNAL", "data before the response headers");
        for (const chunk of taken) reader.push(chunk);
        mayHaveMore = true;
      } else if (finished) {
        if (failure !== undefined) throw failure;
        if (reader?.unfinished() === true) throw new RpcError("INTERNAL", "stream ended inside a message");
        return undefined;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }

  return {
    next,
    refused: () => refused,
    end: () => {
      session.callEnded();
      stream.reset(http2Codes.cancel); // without effect on one that is at its end
      chunks = [];
    },
  };
}

/** A request as it is written, once or again. */
interface FramedRequest {
  readonly writes: readonly Uint8Array[];
  readonly encoding: RpcCompression | undefined;
}

async function frame(request: Uint8Array, compression: RpcCompression | undefined): Promise<FramedRequest> {
  const packed = compression === undefined ? packMessages([request]) : await packCompressed(compression, [request]);
  return { writes: [...packed], encoding: compression };
}

function requestFields(
  scheme: string,
  address: string,
  method: string,
  timeoutMs: number,
  encoding: RpcCompression | undefined,
): HeaderFields {
  const fields = [":method", "POST", ":scheme", scheme, ":path", method, ":authority", address];
  fields.push("content-type", "application/grpc", "te", "trailers", "user-agent", "pleiad");
  fields.push("grpc-accept-encoding", acceptedEncodings);
  if (encoding !== undefined) fields.push("grpc-encoding", encoding);
  const timeout = formatGrpcTimeout(timeoutMs);
  if (timeout !== undefined) fields.push("grpc-timeout", timeout);
  return fields;
}

/** What is wrong with the headers of an answer that has no status. */
function responseError(headers: Headers): RpcError | undefined {
  const status = headers.get(":status");
  if (status !== "200") {
    return new RpcError(rpcCodeOfHttpStatus(Number(status)), `HTTP status ${status}, expected 200`);
  }
  const contentType = headers.get("content-type") ?? "";
  if (!contentType.startsWith("application/grpc")) {
    return new RpcError("UNKNOWN", `content type ${JSON.stringify(contentType)}, expected application/grpc`);
  }
  const encoding = headers.get("grpc-encoding");
  if (grpcEncodingOf(encoding) === undefined) {
    return new RpcError("INTERNAL", `answer in encoding ${String(encoding)}, which was not offered`);
  }
  return undefined;
}
