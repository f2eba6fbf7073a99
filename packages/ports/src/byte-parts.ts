/** Bytes that come in parts: bodies, streams, files. */

/**
 * The parts as one array of its own, also where there is one part: that may be a view of something large. With `room` they
 * are put at the start of what it gives, an array of at least so many bytes.
 */
export function joinBytes(parts: readonly Uint8Array[], room?: (bytes: number) => Uint8Array): Uint8Array {
  let byteCount = 0;
  for (const part of parts) byteCount += part.length;
  const whole = room === undefined ? new Uint8Array(byteCount) : room(byteCount).subarray(0, byteCount);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
