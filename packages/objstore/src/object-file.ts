/**
 * An object as a file: its bytes, then a footer of 32 bytes. The footer holds what the file system does not keep for
 * us (CRC-32 of the bytes, time of the put), and tells a whole object from a file that something else cut short.
 *
 *     bytes | magic "PLEIADO1" (8) | CRC-32 (4) | 0 (4) | size (8) | modified, Unix ms (8)      little-endian
 */
import { crc32 } from "node:zlib";
import { BucketError, type File, type ObjectAttributes } from "@pleiad/ports";

export const footerBytes = 32;
const magic = new TextEncoder().encode("PLEIADO1");

/** Writes the parts and the footer, durably, and says what was written. The file must be empty. */
export async function writeObject(
  file: File,
  body: Uint8Array | AsyncIterable<Uint8Array>,
  modifiedMs: () => number,
  signal: AbortSignal | undefined,
): Promise<ObjectAttributes> {
  let crc = 0;
  let sizeBytes = 0;
  const append = async (part: Uint8Array) => {
    signal?.throwIfAborted();
    crc = crc32(part, crc);
    sizeBytes += part.length;
    await file.append(part);
  };
  if (body instanceof Uint8Array) await append(body);
  else for await (const part of body) await append(part);
  const atMs = modifiedMs();
  await file.append(encodeFooter(crc, sizeBytes, atMs));
  await file.datasync();
  return attributesOf(crc, sizeBytes, atMs);
}

/** The attributes in the footer. Throws BucketError "corrupt" if there is no valid one. */
export async function readAttributes(file: File, key: string): Promise<ObjectAttributes> {
  const fileBytes = await file.size();
  const footer = await file.read(Math.max(0, fileBytes - footerBytes), footerBytes);
  return decodeFooter(footer, fileBytes, key);
}

/** The object's bytes, checked. Throws BucketError "corrupt". */
export async function readObject(file: File, key: string): Promise<Uint8Array> {
  const fileBytes = await file.size();
  const whole = await file.read(0, fileBytes);
  const attributes = decodeFooter(whole.subarray(Math.max(0, whole.length - footerBytes)), whole.length, key);
  const bytes = whole.subarray(0, attributes.sizeBytes);
  if (etagOf(crc32(bytes), bytes.length) !== attributes.etag) {
    throw new BucketError("corrupt", key, "bytes do not match their checksum");
  }
  return bytes;
}

function encodeFooter(crc: number, sizeBytes: number, modifiedMs: number): Uint8Array {
  const footer = new Uint8Array(footerBytes);
  footer.set(magic);
  const view = new DataView(footer.buffer);
  view.setUint32(8, crc, true);
  view.setBigUint64(16, BigInt(sizeBytes), true);
  view.setBigInt64(24, BigInt(modifiedMs), true);
  return footer;
}

function decodeFooter(footer: Uint8Array, fileBytes: number, key: string): ObjectAttributes {
  const view = new DataView(footer.buffer, footer.byteOffset, footer.byteLength);
  if (footer.length < footerBytes || magic.some((byte, i) => footer[i] !== byte)) {
    throw new BucketError("corrupt", key, "file without a footer");
  }
  const sizeBytes = Number(view.getBigUint64(16, true));
  if (sizeBytes !== fileBytes - footerBytes) {
    throw new BucketError("corrupt", key, `${fileBytes - footerBytes} bytes, footer says ${sizeBytes}`);
  }
  return attributesOf(view.getUint32(8, true), sizeBytes, Number(view.getBigInt64(24, true)));
}

function attributesOf(crc: number, sizeBytes: number, modifiedMs: number): ObjectAttributes {
  return { sizeBytes, etag: etagOf(crc, sizeBytes), modifiedMs };
}

function etagOf(crc: number, sizeBytes: number): string {
  return `${crc.toString(16).padStart(8, "0")}-${sizeBytes.toString(16)}`;
}
