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
type StreamHandler = Extract<RpcHandler, { kind: "stream" }>;

interface Asked {
  readonly index: number;
  readonly handler: StreamHandler;
}

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
  const giveAll = async (index: number, answer: AsyncIterable<readonly Uint8Array[]>) => {
    for await (const messages of answer) {
      for (const message of messages) give({ kind: "message", index, message });
      while (waitingBytes > waitingBytesMax && !isOver) await taken.promise;
      if (isOver) return;
    }
  };
  const askOne = async ({ index, handler }: Asked) => {
    let failure: RpcError | undefined;
    try {
      await giveAll(index, handler.handle(request, context));
    } catch (error) {
      failure = error instanceof RpcError ? error : internalError(method, error, observations);
    }
    give({ kind: "end", index, failure });
  };
  /** False where nothing was told. */
  const askTogether = async (members: readonly Asked[]): Promise<boolean> => {
    const [leader, ...others] = members;
    const sharing = members.flatMap(({ handler }) => handler.together ?? []);
    try {
      const answer = leader?.handler.together?.handle(request, sharing, context);
      if (leader === undefined || answer === undefined) return false;
      await giveAll(leader.index, answer);
      give({ kind: "end", index: leader.index, failure: undefined });
      for (const { index } of others) give({ kind: "within", index, leader: leader.index });
      return true;
    } catch (error) {
      if (!(error instanceof RpcError)) internalError(method, error, observations);
      return false;
    }
  };
  const ask = async (members: readonly Asked[]) => {
    if (members.length === 1 || !(await askTogether(members))) {
      if (!isOver) await Promise.all(members.map(askOne));
    }
    running -= members.length;
    wake();
  };
  const begin = () => {
    const asked: Asked[] = [];
    for (const [index, listener] of listeners.entries()) {
      const handlers = listening.get(listener);
      const handler = handlers?.get(method);
      if (handler?.kind === "stream") {
        asked.push({ index, handler });
        continue;
      }
      const failure = new RpcError("UNIMPLEMENTED", `unknown method ${method}`);
      give(handlers === undefined ? { kind: "absent", index } : { kind: "end", index, failure });
      running--;
    }
    const groups = Map.groupBy(asked, ({ handler }) => handler.together?.group ?? handler);
    for (const members of groups.values()) void ask(members);
  };

  try {
    begin();
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
