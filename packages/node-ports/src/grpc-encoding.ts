/** How gRPC messages are compressed: gzip, or snappy in frames as Thanos has it. Bounds hold for what comes out. */
import { setImmediate as turn } from "node:timers/promises";
import { gunzip, gunzipSync, gzip, gzipSync } from "node:zlib";
import { encodeSnappyFrames, readSnappyFrames } from "@pleiad/chunks";
import { RpcError, type RpcCompression } from "@pleiad/ports";

export type GrpcEncoding = "identity" | RpcCompression;

export const acceptedEncodings = "identity,gzip,snappy";

// Above this, gzip leaves the event loop to others.
const gzipSyncBytesMax = 16_384;
// Snappy is ours, and fast: it rests after so much.
const snappyRestBytes = 4_194_304;
// What is shorter gains nothing: gzip has a header of 18 bytes, the frames of snappy one of 18.
const compressedBytesMin = 256;

/** The encoding that a `grpc-encoding` header names; undefined for one that is not spoken here. */
export function grpcEncodingOf(header: unknown): GrpcEncoding | undefined {
  if (header === undefined || header === "identity") return "identity";
  return header === "gzip" || header === "snappy" ? header : undefined;
}

/** The message compressed; undefined where that would not make it shorter: it goes out as it is then. */
export async function compressMessage(encoding: RpcCompression, message: Uint8Array): Promise<Uint8Array | undefined> {
  if (message.length < compressedBytesMin) return undefined;
  const compressed = encoding === "gzip" ? await deflate(message) : encodeSnappyFrames(message);
  return compressed.length < message.length ? compressed : undefined;
}

/** Throws RpcError: RESOURCE_EXHAUSTED where the message would be longer than `bytesMax`, before memory is taken for that. */
export async function decompressMessage(
  encoding: GrpcEncoding,
  bytes: Uint8Array,
  bytesMax: number,
): Promise<Uint8Array> {
  return encoding === "snappy" ? await unframe(bytes, bytesMax) : await inflate(bytes, bytesMax);
}

async function deflate(bytes: Uint8Array): Promise<Uint8Array> {
  // Level 1: what is sent once within a cluster is worth little time.
  if (bytes.length <= gzipSyncBytesMax) return plainView(gzipSync(bytes, { level: 1 }));
  return await new Promise<Uint8Array>((resolve, reject) => {
    gzip(bytes, { level: 1 }, (error, whole) => (error === null ? resolve(plainView(whole)) : reject(error)));
  });
}

async function inflate(bytes: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  const options = { maxOutputLength: Math.max(1, bytesMax) };
  try {
    if (bytes.length <= gzipSyncBytesMax) return plainView(gunzipSync(bytes, options));
    return await new Promise<Uint8Array>((resolve, reject) => {
      gunzip(bytes, options, (error, whole) => (error === null ? resolve(plainView(whole)) : reject(error)));
    });
  } catch (error) {
    if ((error as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE") throw tooLong(bytesMax);
    throw new RpcError("INTERNAL", "message is not valid gzip");
  }
}

async function unframe(bytes: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  const reading = readSnappyFrames(bytes, bytesMax);
  let restedAt = 0;
  for (let step = reading.next(); ; step = reading.next()) {
    if (step.done !== true) {
      if (step.value - restedAt < snappyRestBytes) continue;
      restedAt = step.value;
      await turn();
    } else if (step.value.ok) return step.value.value;
    else if (step.value.failure.kind === "too-long") throw tooLong(bytesMax);
    else throw new RpcError("INTERNAL", `message is not valid ${step.value.failure.reason}`);
  }
}

function tooLong(bytesMax: number): RpcError {
  return new RpcError("RESOURCE_EXHAUSTED", `message of more than ${bytesMax} bytes after decompression`);
}

function plainView(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
