/** The network of this machine. Plaintext: TLS between the tiers is not there yet, so listeners belong on loopback. */
import type { Network } from "@pleiad/ports";
import { type GrpcLimits, type GrpcPorts } from "./grpc-limits.ts";
import { type HttpLimits } from "./http-limits.ts";
export interface NetworkLimits {
  readonly grpc?: Partial<GrpcLimits>;
  readonly http?: Partial<HttpLimits>;
}
export declare function nodeNetwork(ports: GrpcPorts, limits?: NetworkLimits): Network;
