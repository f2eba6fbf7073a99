/**
 * One request to several listeners of a process, and their answers, as messages of one call. Byte layout:
 * docs/format/listeners-call.md.
 */
import { RpcError, type RpcShare } from "@pleiad/ports";
import { grpcStatusCodes, rpcCodeOf } from "./grpc-status.ts";

export const eachListenerMethod = "/pleiad.Listeners/Stream";

/** The header of an answer by which a listener names its process and itself. */
export const listenerHeader = "pleiad-listener";

export interface SharedRequest {
  readonly method: string;
  readonly listeners: readonly string[];
  readonly request: Uint8Array;
}

const kinds = { message: 0, end: 1, absent: 2, within: 3 } as const;
const listenersMax = 4096;
const shareHeaderBytes = 5;

export function encodeSharedRequest({ method, listeners, request }: SharedRequest): Uint8Array {
  const head = Buffer.from([method, ...listeners].join("\n"), "utf8");
  const bytes = Buffer.allocUnsafe(4 + head.length + request.length);
  bytes.writeUInt32BE(head.length, 0);
  bytes.set(head, 4);
  bytes.set(request, 4 + head.length);
  return bytes;
}

/** Throws RpcError. */
export function decodeSharedRequest(bytes: Uint8Array): SharedRequest {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const headBytes = view.length < 4 ? Infinity : view.readUInt32BE(0);
  if (headBytes > view.length - 4) throw new RpcError("INVALID_ARGUMENT", "a request to listeners that is cut short");
  const [method = "", ...listeners] = view.toString("utf8", 4, 4 + headBytes).split("\n");
  if (listeners.length > listenersMax) {
    throw new RpcError("RESOURCE_EXHAUSTED", `a request to more than ${listenersMax} listeners`);
  }
  return { method, listeners, request: bytes.subarray(4 + headBytes) };
}

export function encodeShare(share: RpcShare): Uint8Array {
  if (share.kind === "message") return shareOf(share, share.message);
  if (share.kind === "absent") return shareOf(share, new Uint8Array(0));
  if (share.kind === "within") return shareOf(share, bytesOfIndex(share.leader));
  const { failure } = share;
  return shareOf(
    share,
    failure === undefined
      ? Uint8Array.of(0)
      : Buffer.concat([Uint8Array.of(grpcStatusCodes[failure.code]), Buffer.from(failure.message, "utf8")]),
  );
}

function shareOf({ index, kind }: RpcShare, content: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(shareHeaderBytes + content.length);
  bytes.writeUInt32BE(index, 0);
  bytes[4] = kinds[kind];
  bytes.set(content, shareHeaderBytes);
  return bytes;
}

function bytesOfIndex(index: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(index, 0);
  return bytes;
}

function indexAt(bytes: Uint8Array, at: number): number {
  const [b0 = 0, b1 = 0, b2 = 0, b3 = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
  return b0 * 2 ** 24 + (b1 << 16) + (b2 << 8) + b3;
}

/** A message is a view of the bytes. Throws RpcError for what none of `count` listeners can have said. */
export function decodeShare(bytes: Uint8Array, count: number): RpcShare {
  const index = indexAt(bytes, 0);
  const kind = bytes[4];
  if (bytes.length >= shareHeaderBytes && index < count) {
    const content = bytes.subarray(shareHeaderBytes);
    if (kind === kinds.message) return { kind: "message", index, message: content };
    if (kind === kinds.absent) return { kind: "absent", index };
    if (kind === kinds.within && content.length === 4) {
      const leader = indexAt(content, 0);
      if (leader < count && leader !== index) return { kind: "within", index, leader };
    }
    if (kind === kinds.end && content.length > 0) {
      const [code = 0] = content;
      const failure =
        code === 0 ? undefined : new RpcError(rpcCodeOf(code), new TextDecoder().decode(content.subarray(1)));
      return { kind: "end", index, failure };
    }
  }
  throw new RpcError("INTERNAL", "an answer of no listener");
}
