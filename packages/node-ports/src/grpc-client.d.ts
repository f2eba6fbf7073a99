import { type RpcClient } from "@pleiad/ports";
import type { GrpcLimits, GrpcPorts } from "./grpc-limits.ts";
export declare function createGrpcClient(address: string, ports: GrpcPorts, limits: GrpcLimits): RpcClient;
