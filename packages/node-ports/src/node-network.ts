/** The network of this machine: gRPC and HTTP, in plain text or over TLS. */
import type { Network } from "@pleiad/ports";
import { createGrpcClient } from "./grpc-client.ts";
import { createGrpcNeighbours } from "./grpc-neighbours.ts";
import { defaultGrpcLimits, type GrpcLimits, type GrpcPorts } from "./grpc-limits.ts";
import { serveGrpc } from "./grpc-server.ts";
import { createHttpFetch } from "./http-client.ts";
import { defaultHttpLimits, type HttpLimits } from "./http-limits.ts";
import { serveHttp, serveHttpStreams } from "./http-server.ts";

export interface NetworkLimits {
  readonly grpc?: Partial<GrpcLimits>;
  readonly http?: Partial<HttpLimits>;
}

export function nodeNetwork(ports: GrpcPorts, limits: NetworkLimits = {}): Network {
  const grpcLimits: GrpcLimits = { ...defaultGrpcLimits, ...limits.grpc };
  const httpLimits: HttpLimits = { ...defaultHttpLimits, ...limits.http };
  const random = ports.random.fork("grpc listeners");
  const process = Array.from({ length: 4 }, () => random.uint32().toString(36)).join("");
  const neighbours = createGrpcNeighbours(process, ports.observations);
  return {
    rpcClient: (address, options) => createGrpcClient(address, ports, grpcLimits, options),
    serveRpc: (address, handlers, options) => serveGrpc(address, handlers, ports, grpcLimits, options, neighbours),
    serveHttp: (address, handle, options) => serveHttp(address, handle, ports, httpLimits, options),
    serveHttpStreams: (address, handle) => serveHttpStreams(address, handle, ports, httpLimits),
    fetchHttp: createHttpFetch(httpLimits),
  };
}
