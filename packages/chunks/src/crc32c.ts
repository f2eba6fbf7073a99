/** CRC-32C (Castagnoli): the checksum of every Prometheus file. Slicing-by-16. */

const polynomial = 0x82f63b78;
const sliceBytes = 16;
/** Sixteen tables of 256 in one array: one base to index from is twice as fast as an array for each. */
const tables = buildTables();

/** A view that many calls for one buffer share; a larger buffer is not kept alive for it. */
let view: DataView = new DataView(new ArrayBuffer(0));
const keptBytesMax = 4 * 1024 * 1024;

/**
 * The checksum of bytes [from, to), as an unsigned number. Of no bytes it is 0. `before` is the checksum of bytes that
 * precede these: a long run may be summed piece by piece.
 */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length, before = 0): number {
  const t = tables;
  const { buffer, byteOffset } = bytes;
  const words = view.buffer === buffer ? view : new DataView(buffer);
  if (buffer.byteLength <= keptBytesMax) view = words;
  let crc = before ^ -1;
  let at = byteOffset + from;
  const end = byteOffset + to;
  // Words are taken apart faster than bytes are read.
  for (const last = end - (sliceBytes - 1); at < last; at += sliceBytes) {
    const a = words.getInt32(at, true) ^ crc;
    const b = words.getInt32(at + 4, true);
    const c = words.getInt32(at + 8, true);
    const d = words.getInt32(at + 12, true);
    // Table n is at 256 n, and the byte that has n behind it goes through it.
    crc =
      t[0xf00 | (a & 0xff)] ^
      t[0xe00 | ((a >>> 8) & 0xff)] ^
      t[0xd00 | ((a >>> 16) & 0xff)] ^
      t[0xc00 | (a >>> 24)] ^
      t[0xb00 | (b & 0xff)] ^
      t[0xa00 | ((b >>> 8) & 0xff)] ^
      t[0x900 | ((b >>> 16) & 0xff)] ^
      t[0x800 | (b >>> 24)] ^
      t[0x700 | (c & 0xff)] ^
      t[0x600 | ((c >>> 8) & 0xff)] ^
      t[0x500 | ((c >>> 16) & 0xff)] ^
      t[0x400 | (c >>> 24)] ^
      t[0x300 | (d & 0xff)] ^
      t[0x200 | ((d >>> 8) & 0xff)] ^
      t[0x100 | ((d >>> 16) & 0xff)] ^
      t[d >>> 24];
  }
  // What is left of a chunk is half a slice as a rule.
  for (const last = end - 3; at < last; at += 4) {
    const a = words.getInt32(at, true) ^ crc;
    crc = t[0x300 | (a & 0xff)] ^ t[0x200 | ((a >>> 8) & 0xff)] ^ t[0x100 | ((a >>> 16) & 0xff)] ^ t[a >>> 24];
  }
  for (at -= byteOffset; at < to; at++) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]) & 0xff];
  return (crc ^ -1) >>> 0;
}

function buildTables(): Int32Array {
  const all = new Int32Array(sliceBytes * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    all[byte] = crc;
  }
  for (let i = 256; i < all.length; i++) all[i] = (all[i - 256] >>> 8) ^ all[all[i - 256] & 0xff];
  return all;
}
