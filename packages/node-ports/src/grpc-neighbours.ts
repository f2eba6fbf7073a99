/** The gRPC listeners of a process, which take questions for each other: many servers in one process are asked by one call. */
import {
  RpcError,
  type Observations,
  type RpcContext,
  type RpcHandler,
  type RpcListenerName,
  type RpcShare,
} from "@pleiad/ports";
import { internalError } from "./grpc-status.ts";
import { decodeSharedRequest, encodeShare } from "./grpc-shares.ts";

type Handlers = ReadonlyMap<string, RpcHandler>;

export interface GrpcNeighbours {
  /** A listener without TLS joins those of its host: who can reach one can reach all, and is asked for nothing by any. */
  join(host: string, handlers: Handlers): GrpcNeighbour;
}

export interface GrpcNeighbour {
  readonly name: RpcListenerName;
  /** Answers for all listeners of the host. */
  readonly handler: RpcHandler;
  leave(): void;
}

/** What may wait for the peer to read before listeners are told to wait. */
const waitingBytesMax = 1_048_576;

/** `process`: a name that no other process has. */
export function createGrpcNeighbours(process: string, observations: Pick<Observations, "log">): GrpcNeighbours {
  const hosts = new Map<string, Map<string, Handlers>>();
  let joined = 0;
  return {
    join(host, handlers) {
      const own = hosts.get(host) ?? new Map<string, Handlers>();
      hosts.set(host, own);
      const listener = `${process}.${++joined}`;
      own.set(listener, handlers);
      return {
        name: { process, listener },
        handler: {
          kind: "stream",
          handle: (bytes, context) => answerForEach(own, bytes, context, observations),
        },
        leave: () => void own.delete(listener),
      };
    },
  };
}

async function* answerForEach(
  listening: ReadonlyMap<string, Handlers>,
  bytes: Uint8Array,
  context: RpcContext,
  observations: Pick<Observations, "log">,
): AsyncGenerator<readonly Uint8Array[]> {
  const { method, listeners, request } = decodeSharedRequest(bytes);
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let running = listeners.length;
  let isOver = false;
  let wake = () => {};
  let taken = Promise.withResolvers<void>();

  const give = (share: RpcShare) => {
    const encoded = encodeShare(share);
    waiting.push(encoded);
    waitingBytes += encoded.length;
    wake();
  };
  const ask = async (index: number, handler: Extract<RpcHandler, { kind: "stream" }>) => {
    for await (const messages of handler.handle(request, context)) {
      for (const message of messages) give({ kind: "message", index, message });
      while (waitingBytes > waitingBytesMax && !isOver) await taken.promise;
      if (isOver) return;
    }
  };
  const answer = async (listener: string, index: number) => {
    try {
      const handlers = listening.get(listener);
      if (handlers === undefined) return give({ kind: "absent", index });
      const handler = handlers.get(method);
      if (handler?.kind !== "stream") throw new RpcError("UNIMPLEMENTED", `unknown method ${method}`);
      await ask(index, handler);
      give({ kind: "end", index, failure: undefined });
    } catch (error) {
      give({
        kind: "end",
        index,
        failure: error instanceof RpcError ? error : internalError(method, error, observations),
      });
    } finally {
      running--;
      wake();
    }
  };

  try {
    listeners.forEach((listener, index) => void answer(listener, index));
    while (running > 0 || waiting.length > 0) {
      if (waiting.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      const messages = waiting;
      waiting = [];
      waitingBytes = 0;
      taken.resolve();
      taken = Promise.withResolvers();
      yield messages;
    }
  } finally {
    isOver = true;
    taken.resolve();
  }
}
