/** Which texts are object keys: those that every kind of storage can hold, and none that reads as a path trick. */
import { BucketError } from "./bucket.ts";

const keyBytesMax = 1024;

/** Throws BucketError "invalid-key" with the reason. */
export function checkKey(key: string): void {
  const reason = keyFault(key);
  if (reason !== undefined) throw new BucketError("invalid-key", JSON.stringify(key.slice(0, 100)), reason);
}

/** Why a text is no key; undefined if it is one. */
export function keyFault(key: string): string | undefined {
  const byteCount = new TextEncoder().encode(key).length;
  if (byteCount === 0) return "empty";
  if (byteCount > keyBytesMax) return `${byteCount} bytes, limit ${keyBytesMax}`;
  if (!key.isWellFormed()) return "not valid Unicode";
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(key)) return "control character";
  for (const segment of key.split("/")) {
    if (segment === "" || segment === "." || segment === "..") return `segment ${JSON.stringify(segment)}`;
  }
  return undefined;
}
