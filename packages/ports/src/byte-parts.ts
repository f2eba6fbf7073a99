/** Bytes that come in parts: bodies, streams, files. */

/** The parts as one array of its own, also where there is one part: that may be a view of something large. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  let byteCount = 0;
  for (const part of parts) byteCount += part.length;
  const whole = new Uint8Array(byteCount);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
