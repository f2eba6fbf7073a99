/** The bounds and times of gRPC connections, both ends. */
import type { Clock, Observations, Random } from "@pleiad/ports";

export interface GrpcLimits {
  readonly streamWindowBytes: number; // what a peer may send on one call before it is read
  readonly sessionWindowBytes: number; // the same over all calls of a connection
  readonly concurrentStreamsMax: number; // calls at once that a server takes on one connection
  readonly connectionsMax: number; // of one server
  readonly requestBytesMax: number; // a longer request fails with RESOURCE_EXHAUSTED
  readonly defaultTimeoutMs: number; // of a call that came without a deadline
  readonly connectTimeoutMs: number;
  readonly keepaliveMs: number; // a connection in use that is silent this long is pinged
  readonly keepaliveTimeoutMs: number; // and given up when the ping is not answered within this
  readonly reconnectFirstMs: number; // pause after the first failed attempt; grows from there
  readonly reconnectMaxMs: number;
}

// A querier has a call open to each of dozens of peers, and merges: all of them fill their window. This one is 60 × 0.5 MiB,
// and still 500 MB/s a call where a round trip takes a millisecond.
export const defaultGrpcLimits: GrpcLimits = {
  streamWindowBytes: 512 * 1024,
  sessionWindowBytes: 4 * 1024 * 1024,
  concurrentStreamsMax: 256,
  connectionsMax: 1024,
  requestBytesMax: 16 * 1024 * 1024,
  defaultTimeoutMs: 120_000,
  connectTimeoutMs: 5_000,
  keepaliveMs: 10_000,
  keepaliveTimeoutMs: 5_000,
  reconnectFirstMs: 200,
  reconnectMaxMs: 5_000,
};

/** What gRPC needs from outside. */
export interface GrpcPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly observations: Pick<Observations, "log">;
}
