/** Snappy's block format, read: Prometheus compresses the records of its log with it. */
import { fail, ok, type Result } from "@pleiad/model";

/** Three bytes of input give at most 64 of output: what claims more makes no sense, and no memory is reserved for it. */
const growthMax = 64 / 3;

/** The bytes that block [from, to) stands for, at most `bytesMax`; else what is wrong with it. */
export function decodeSnappy(data: Uint8Array, from: number, to: number, bytesMax: number): Result<Uint8Array, string> {
  let at = from;
  let length = 0;
  for (let scale = 1; ; scale *= 128) {
    if (at >= to || scale > 2 ** 28) return fail("snappy: the block has no length");
    const byte = data[at++];
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (length > bytesMax) return fail(`snappy: a block of ${length} bytes, the limit is ${bytesMax}`);
  if (length > (to - at) * growthMax) return fail(`snappy: ${to - at} bytes cannot be a block of ${length}`);
  const out = new Uint8Array(length);
  let filled = 0;
  while (at < to) {
    const tag = data[at++];
    const kind = tag & 3;
    let count = (tag >>> 2) + 1;
    if (kind === 0) {
      const lengthBytes = count - 60;
      if (lengthBytes > 0) {
        if (at + lengthBytes > to) return fail("snappy: the block is cut short");
        count = littleEndian(data, at, lengthBytes) + 1;
        at += lengthBytes;
      }
      if (at + count > to) return fail("snappy: the block is cut short");
      if (filled + count > length) return fail("snappy: the block is longer than it says");
      out.set(data.subarray(at, at + count), filled);
      at += count;
      filled += count;
      continue;
    }
    const offsetBytes = kind === 3 ? 4 : kind;
    if (at + offsetBytes > to) return fail("snappy: the block is cut short");
    let offset = littleEndian(data, at, offsetBytes);
    at += offsetBytes;
    if (kind === 1) {
      count = ((tag >>> 2) & 7) + 4;
      offset += (tag >>> 5) << 8;
    }
    if (offset === 0 || offset > filled) return fail("snappy: a copy from before the block");
    if (filled + count > length) return fail("snappy: the block is longer than it says");
    // Byte by byte, since a copy may reach into what it writes.
    for (const end = filled + count; filled < end; filled++) out[filled] = out[filled - offset];
  }
  return filled === length ? ok(out) : fail("snappy: the block is shorter than it says");
}

function littleEndian(data: Uint8Array, at: number, byteCount: number): number {
  let value = 0;
  for (let i = byteCount - 1; i >= 0; i--) value = value * 256 + data[at + i];
  return value;
}
