export { defaultGrpcLimits, type GrpcLimits } from "./grpc-limits.ts";
export { grpcStatusCodes } from "./grpc-status.ts";
export { defaultHttpLimits, type HttpLimits } from "./http-limits.ts";
export { createLog, type LogOptions } from "./log.ts";
export { nodeClock } from "./node-clock.ts";
export { nodeFiles } from "./node-files.ts";
export { nodeNetwork, type NetworkLimits } from "./node-network.ts";
export { createNodePorts, type NodePortsOptions } from "./node-ports.ts";
export { nodeRandom } from "./node-random.ts";
