/** The body of a request as the client meant it: taken out of its chunks, and held against every digest that came with it. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { crc32c } from "@pleiad/chunks";
import { joinBytes } from "@pleiad/ports";
import { decodeChunkedBody } from "./chunked-body.ts";
import { S3Error } from "./s3-error.ts";
import { equalTexts, type VerifiedSignature } from "./signature.ts";

export interface PayloadLimits {
  readonly bytesMax: number;
  readonly chunkBytesMax: number;
}

export interface Payload {
  /** Throws S3Error at its end when anything does not agree: so the reader must not act before. */
  readonly parts: AsyncIterable<Uint8Array>;
  /** The checksum that the client sent and that held, as headers for the answer; known at the end. */
  checksumHeaders(): Readonly<Record<string, string>>;
}

const checksumPrefix = "x-amz-checksum-";

/** Throws S3Error for what can be refused before the body has come. */
export function openPayload(
  headers: ReadonlyMap<string, string>,
  body: AsyncIterable<Uint8Array>,
  { payloadHash, chunks }: VerifiedSignature,
  { bytesMax, chunkBytesMax }: PayloadLimits,
): Payload {
  const form = formOf(payloadHash);
  const announced = headers.get(form.isChunked ? "x-amz-decoded-content-length" : "content-length");
  if (form.isChunked && announced === undefined) {
    throw new S3Error("MissingContentLength", "The header x-amz-decoded-content-length is missing.");
  }
  const announcedBytes = announced === undefined ? undefined : Number(announced);
  if (announcedBytes !== undefined && !(Number.isSafeInteger(announcedBytes) && announcedBytes >= 0)) {
    throw new S3Error("InvalidArgument", "The length of the body is not a number.");
  }
  if ((announcedBytes ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const md5 = headers.get("content-md5");
  if (md5 !== undefined && !/^[A-Za-z0-9+/]{22}==$/.test(md5)) {
    throw new S3Error("InvalidDigest", "The Content-MD5 is not the base64 of an MD5.");
  }
  const expected = new Map<string, string>();
  for (const [name, value] of headers) if (isChecksumName(name)) expected.set(name, value);
  // Which checksums come after the body is known before it, so that they can be taken on the way.
  const trailerNames = (headers.get("x-amz-trailer") ?? "").split(",").map((name) => name.trim().toLowerCase());
  const names = [...new Set([...expected.keys(), ...trailerNames.filter(isChecksumName)])];
  const checksums = new Map(names.map((name) => [name, createChecksum(name)]));
  const md5Hash = md5 === undefined ? undefined : createHash("md5");
  const sha256Hash = form.sha256 === undefined ? undefined : createHash("sha256");

  const check = () => {
    if (sha256Hash !== undefined && !equalTexts(sha256Hash.digest("hex"), form.sha256 ?? "")) {
      throw new S3Error(
        "XAmzContentSHA256Mismatch",
        "The provided x-amz-content-sha256 does not match what was computed.",
      );
    }
    if (md5Hash !== undefined && md5Hash.digest("base64") !== md5) {
      throw new S3Error("BadDigest", "The Content-MD5 does not match what was received.");
    }
    for (const [name, checksum] of checksums) {
      const given = expected.get(name);
      if (given === undefined) throw new S3Error("InvalidRequest", `The trailing header ${name} is missing.`);
      if (checksum.value() !== given) throw new S3Error("BadDigest", `The ${name} does not match what was received.`);
    }
  };
  async function* parts(): AsyncGenerator<Uint8Array, void, undefined> {
    const decoded = form.isChunked
      ? decodeChunkedBody(body, {
          signer: form.isSigned ? chunks : undefined,
          hasTrailers: form.hasTrailers,
          chunkBytesMax,
        })
      : plainParts(body);
    let receivedBytes = 0;
    try {
      for (;;) {
        const step = await decoded.next();
        if (step.done === true) {
          for (const [name, value] of step.value) if (isChecksumName(name)) expected.set(name, value);
          break;
        }
        receivedBytes += step.value.length;
        if (receivedBytes > (announcedBytes ?? bytesMax)) throw tooLarge(announcedBytes ?? bytesMax);
        md5Hash?.update(step.value);
        sha256Hash?.update(step.value);
        for (const checksum of checksums.values()) checksum.add(step.value);
        yield step.value;
      }
    } finally {
      await decoded.return(new Map());
    }
    if (announcedBytes !== undefined && receivedBytes !== announcedBytes) {
      throw new S3Error("IncompleteBody", `The body has ${receivedBytes} bytes of the ${announcedBytes} announced.`);
    }
    check();
  }
  return { parts: parts(), checksumHeaders: () => Object.fromEntries(expected) };
}

/** The whole body, for the small documents that requests have. */
export async function readWhole(parts: AsyncIterable<Uint8Array>, bytesMax: number): Promise<Uint8Array> {
  const held: Uint8Array[] = [];
  let byteCount = 0;
  for await (const part of parts) {
    byteCount += part.length;
    if (byteCount > bytesMax) throw tooLarge(bytesMax);
    held.push(part);
  }
  return joinBytes(held);
}

async function* plainParts(body: AsyncIterable<Uint8Array>) {
  yield* body;
  return new Map<string, string>() as ReadonlyMap<string, string>;
}

interface BodyForm {
  readonly isChunked: boolean;
  readonly isSigned: boolean;
  readonly hasTrailers: boolean;
  readonly sha256: string | undefined; // of the whole body
}

function formOf(payloadHash: string): BodyForm {
  const plain = { isChunked: false, isSigned: false, hasTrailers: false, sha256: undefined };
  if (payloadHash === "UNSIGNED-PAYLOAD") return plain;
  if (/^[0-9a-f]{64}$/.test(payloadHash)) return { ...plain, sha256: payloadHash };
  if (payloadHash === "STREAMING-UNSIGNED-PAYLOAD-TRAILER") return { ...plain, isChunked: true, hasTrailers: true };
  if (payloadHash === "STREAMING-AWS4-HMAC-SHA256-PAYLOAD") return { ...plain, isChunked: true, isSigned: true };
  if (payloadHash === "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER") {
    return { isChunked: true, isSigned: true, hasTrailers: true, sha256: undefined };
  }
  throw new S3Error(
    "InvalidArgument",
    "x-amz-content-sha256 must be a SHA-256, UNSIGNED-PAYLOAD or a form of STREAMING.",
  );
}

interface Checksum {
  add(bytes: Uint8Array): void;
  value(): string; // base64
}

function isChecksumName(name: string): boolean {
  return name.startsWith(checksumPrefix) && !/^x-amz-checksum-(?:algorithm|mode|type)$/.test(name);
}

function createChecksum(name: string): Checksum {
  const algorithm = name.slice(checksumPrefix.length);
  if (algorithm === "sha1" || algorithm === "sha256") {
    const hash = createHash(algorithm);
    return { add: (bytes) => void hash.update(bytes), value: () => hash.digest("base64") };
  }
  const add = crcOf[algorithm];
  if (add === undefined) {
    throw new S3Error("NotImplemented", `Checksums are crc32, crc32c, sha1 and sha256 here, not ${algorithm}.`);
  }
  let crc = 0;
  return {
    add: (bytes) => {
      crc = add(bytes, crc);
    },
    value: () => btoa(String.fromCharCode(crc >>> 24, (crc >>> 16) & 0xff, (crc >>> 8) & 0xff, crc & 0xff)),
  };
}

const crcOf: Readonly<Record<string, (bytes: Uint8Array, before: number) => number>> = {
  crc32: (bytes, before) => crc32(bytes, before),
  crc32c: (bytes, before) => crc32c(bytes, 0, bytes.length, before),
};

function tooLarge(bytesMax: number): S3Error {
  return new S3Error("EntityTooLarge", `The body is longer than the ${bytesMax} bytes that it may have.`);
}
