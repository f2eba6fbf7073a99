export {
  BucketError,
  type Bucket,
  type BucketErrorKind,
  type ListOptions,
  type ObjectAttributes,
  type PutOptions,
} from "./bucket.ts";
export { joinBytes } from "./byte-parts.ts";
export type { Clock, Milliseconds } from "./clock.ts";
export { childAbort, sleepUnlessAborted, withDeadline, type ChildAbort } from "./deadline.ts";
export {
  FileError,
  type DirectoryEntry,
  type File,
  type FileErrorCode,
  type FileStatus,
  type FileLock,
  type FileSystem,
  type OpenMode,
} from "./file-system.ts";
export {
  HttpError,
  RpcError,
  rpcCompressions,
  type CallOptions,
  type ClientTls,
  type HttpAnswer,
  type HttpFetchOptions,
  type HttpRequest,
  type HttpResponse,
  type HttpServerOptions,
  type HttpStreamRequest,
  type Listener,
  type Network,
  type RpcClient,
  type RpcClientOptions,
  type RpcCompression,
  type RpcCode,
  type RpcContext,
  type RpcHandler,
  type RpcTogether,
  type RpcListenerName,
  type RpcServerOptions,
  type RpcShare,
  type ServerTls,
  type TlsVersion,
} from "./network.ts";
export type { Names, ServiceTarget } from "./names.ts";
export { checkKey, keyFault } from "./object-key.ts";
export type { Counter, Gauge, HistogramMetric, LogLevel, Observations } from "./observations.ts";
export { pacedYield } from "./paced-yield.ts";
export type { Ports, Service } from "./ports.ts";
export { seededRandom, type Random } from "./random.ts";
export { ThreadError, type Thread, type ThreadModule, type Threads } from "./threads.ts";
export type { ConnectTcp, TcpConnection, TcpHandlers } from "./tcp.ts";
