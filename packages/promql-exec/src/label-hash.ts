/** The hash of a label set that `limit_ratio` samples by: the same in every engine, so that shares agree. */
import { xxHash64, type Labels } from "@pleiad/model";

/** A number in [0, 1): xxHash64 over Prometheus's byte form of the labels, as a share of its range. */
export function labelShare(labels: Labels): number {
  return Number(xxHash64(labelBytes(labels))) / 2 ** 64;
}

/** Each text with its length before it: one byte, or 255 and three bytes, little-endian. */
function labelBytes(labels: Labels): Uint8Array {
  const encoder = new TextEncoder();
  const bytes: number[] = [];
  for (const text of labels) {
    const encoded = encoder.encode(text);
    const { length } = encoded;
    if (length < 255) bytes.push(length);
    else bytes.push(255, length & 0xff, (length >>> 8) & 0xff, (length >>> 16) & 0xff);
    for (const byte of encoded) bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
