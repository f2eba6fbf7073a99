/** A body in parts of one size. */

/**
 * Parts of `partBytes`, the last one shorter (an empty body has one, empty). Parts of an array are views of it; others
 * are the caller's to keep.
 */
export async function* partsOf(
  body: Uint8Array | AsyncIterable<Uint8Array>,
  partBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (body instanceof Uint8Array) {
    for (let at = 0; at === 0 || at < body.length; at += partBytes) yield body.subarray(at, at + partBytes);
    return;
  }
  let part = new Uint8Array(Math.min(partBytes, 65_536));
  let fill = 0;
  let isFirst = true;
  for await (const piece of body) {
    for (let at = 0; at < piece.length;) {
      const some = piece.subarray(at, at + partBytes - fill);
      if (fill + some.length > part.length) part = grown(part, fill, Math.min(partBytes, (fill + some.length) * 2));
      part.set(some, fill);
      fill += some.length;
      at += some.length;
      if (fill < partBytes) continue;
      yield part;
      isFirst = false;
      part = new Uint8Array(partBytes);
      fill = 0;
    }
  }
  if (fill > 0 || isFirst) yield part.subarray(0, fill);
}

function grown(part: Uint8Array, fill: number, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(sizeBytes);
  larger.set(part.subarray(0, fill));
  return larger;
}
