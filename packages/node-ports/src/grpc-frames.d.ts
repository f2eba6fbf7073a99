export declare const frameHeaderBytes = 5;
export type GrpcEncoding = "identity" | "gzip";
export declare const acceptedEncodings = "identity,gzip";
/** The encoding that a `grpc-encoding` header names; undefined for one that is not spoken here. */
export declare function grpcEncodingOf(header: unknown): GrpcEncoding | undefined;
/**
 * The writes that carry the messages: many small ones are copied into one write, a large one goes out uncopied. Made one
 * by one, so that the caller can wait for the peer in between.
 */
export declare function packMessages(messages: readonly Uint8Array[]): Generator<Uint8Array, void, undefined>;
/** Finds the messages in a sequence of DATA chunks. */
export interface FrameReader {
  /** Takes a chunk over. Throws RpcError for a frame that is too long or malformed; the reader is of no use then. */
  push(chunk: Uint8Array): void;
  /**
   * Messages completed since the last call, decompressed; empty when there are none left. Compressed ones come about a
   * megabyte at a time, so that a small chunk cannot grow into unbounded memory. Throws RpcError.
   */
  take(): Promise<Uint8Array[]>;
  /** Whether the chunks so far end inside a frame. */
  unfinished(): boolean;
}
export declare function createFrameReader(encoding: GrpcEncoding, messageBytesMax: number): FrameReader;
