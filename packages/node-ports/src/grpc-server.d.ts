import { type Listener, type RpcHandler } from "@pleiad/ports";
import type { GrpcLimits, GrpcPorts } from "./grpc-limits.ts";
export declare function serveGrpc(
  address: string,
  handlers: ReadonlyMap<string, RpcHandler>,
  ports: GrpcPorts,
  limits: GrpcLimits,
): Promise<Listener>;
