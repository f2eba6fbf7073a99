/** The connection of an RPC client: made when needed, kept alive while in use, made again after a loss. */
import { type ClientHttp2Session } from "node:http2";
import type { GrpcLimits, GrpcPorts } from "./grpc-limits.ts";
/** One live HTTP/2 session and what its calls must tell it. */
export interface GrpcSession {
  readonly http2: ClientHttp2Session;
  /** A call begins: the session keeps the process alive and itself checked until `callEnded`. */
  callStarted(): void;
  callEnded(): void;
  /** Something came from the peer, so that it need not be pinged. */
  received(): void;
  /** Why the session ended; undefined while it lives. */
  lossReason(): string | undefined;
}
export interface GrpcConnection {
  /**
   * The live session, after connecting if there is none. Rejects with UNAVAILABLE when connecting fails, and at once
   * during the pause after a failure.
   */
  session(): Promise<GrpcSession>;
  close(): Promise<void>;
}
export declare function createGrpcConnection(address: string, ports: GrpcPorts, limits: GrpcLimits): GrpcConnection;
