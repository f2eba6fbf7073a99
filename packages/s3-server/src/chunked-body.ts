/**
 * The `aws-chunked` form of a body: chunks with their lengths, signed or not, then trailing headers, if there are any.
 *
 *     <hex length>[;chunk-signature=<hex>]\r\n <bytes> \r\n … 0[;chunk-signature=<hex>]\r\n
 *     [<name>:<value>\r\n …] [x-amz-trailer-signature:<hex>\r\n] \r\n
 */
import { createHash } from "node:crypto";
import { equalTexts, type ChunkSigner } from "./signature.ts";
import { S3Error } from "./s3-error.ts";

export interface ChunkedBodyOptions {
  readonly signer: ChunkSigner | undefined; // chunks are signed
  readonly hasTrailers: boolean;
  readonly chunkBytesMax: number; // a signed chunk is held until its signature was checked
}

const lineBytesMax = 4096;
const trailersMax = 20;

/** Yields the bytes of the chunks, those of a signed one only once its signature holds; returns the trailing headers. */
export async function* decodeChunkedBody(
  body: AsyncIterable<Uint8Array>,
  { signer, hasTrailers, chunkBytesMax }: ChunkedBodyOptions,
): AsyncGenerator<Uint8Array, ReadonlyMap<string, string>, undefined> {
  const reader = createReader(body);
  let signature = signer?.firstSignature ?? "";
  try {
    for (;;) {
      const [, hex = "", given] =
        /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(await reader.line()) ?? [];
      if (hex === "" || (given !== undefined) !== (signer !== undefined)) throw malformed();
      const chunkBytes = Number.parseInt(hex, 16);
      if (signer === undefined) {
        for (let left = chunkBytes; left > 0;) {
          const part = await reader.some(left);
          left -= part.length;
          yield part;
        }
      } else {
        if (chunkBytes > chunkBytesMax) {
          throw new S3Error("EntityTooLarge", `A chunk of ${chunkBytes} bytes, limit ${chunkBytesMax}.`);
        }
        const parts: Uint8Array[] = [];
        const hash = createHash("sha256");
        for (let left = chunkBytes; left > 0;) {
          const part = await reader.some(left);
          left -= part.length;
          hash.update(part);
          parts.push(part);
        }
        signature = signer.sign("chunk", signature, hash.digest("hex"));
        if (!equalTexts(signature, given ?? "")) throw mismatch();
        yield* parts;
      }
      if (chunkBytes === 0) break;
      if ((await reader.line()) !== "") throw malformed();
    }
    const trailers = hasTrailers ? await readTrailers(reader, signer, signature) : new Map<string, string>();
    if (!hasTrailers && (await reader.line()) !== "") throw malformed();
    return trailers;
  } finally {
    await reader.close();
  }
}

async function readTrailers(reader: Reader, signer: ChunkSigner | undefined, signature: string) {
  const trailers = new Map<string, string>();
  let given: string | undefined;
  for (;;) {
    const line = await reader.line();
    if (line === "") break;
    const colonAt = line.indexOf(":");
    const name = line.slice(0, Math.max(0, colonAt)).toLowerCase();
    if (name === "" || given !== undefined || trailers.has(name) || trailers.size === trailersMax) throw malformed();
    if (name === "x-amz-trailer-signature") given = line.slice(colonAt + 1).trim();
    else trailers.set(name, line.slice(colonAt + 1).trim());
  }
  if (signer !== undefined) {
    const text = [...trailers].map(([name, value]) => `${name}:${value}\n`).join("");
    const expected = signer.sign("trailer", signature, createHash("sha256").update(text).digest("hex"));
    if (!equalTexts(expected, given ?? "")) throw mismatch();
  }
  return trailers;
}

interface Reader {
  /** The bytes up to the next line break, which is left out. */
  line(): Promise<string>;
  /** At least one byte, at most `bytesMax`. */
  some(bytesMax: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

function createReader(body: AsyncIterable<Uint8Array>): Reader {
  const parts = body[Symbol.asyncIterator]();
  let part: Uint8Array = new Uint8Array(0);
  let at = 0;
  const fill = async () => {
    while (at === part.length) {
      const next = await parts.next();
      if (next.done === true) throw new S3Error("IncompleteBody", "The body ended before its last chunk.");
      part = next.value;
      at = 0;
    }
  };
  return {
    line: async () => {
      let line = "";
      for (;;) {
        await fill();
        const byte = part[at++] ?? 0;
        if (byte === 0x0a && line.endsWith("\r")) return line.slice(0, -1);
        line += String.fromCharCode(byte);
        if (line.length > lineBytesMax) throw malformed();
      }
    },
    some: async (bytesMax) => {
      await fill();
      const some = part.subarray(at, at + bytesMax);
      at += some.length;
      return some;
    },
    close: async () => void (await parts.return?.()),
  };
}

function malformed(): S3Error {
  return new S3Error("InvalidRequest", "The body is not in the form aws-chunked that the request says it has.");
}

function mismatch(): S3Error {
  return new S3Error("SignatureDoesNotMatch", "The signature of a chunk does not match the one provided.");
}
