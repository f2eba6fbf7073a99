/** The bounds and times of gRPC connections, both ends. */
import type { Clock, Observations, Random } from "@pleiad/ports";
export interface GrpcLimits {
  readonly streamWindowBytes: number;
  readonly sessionWindowBytes: number;
  readonly concurrentStreamsMax: number;
  readonly connectionsMax: number;
  readonly sessionMemoryMb: number;
  readonly requestBytesMax: number;
  readonly queuedBytesMax: number;
  readonly defaultTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  readonly reconnectFirstMs: number;
  readonly reconnectMaxMs: number;
}
export declare const defaultGrpcLimits: GrpcLimits;
/** What gRPC needs from outside. */
export interface GrpcPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly observations: Pick<Observations, "log">;
}
