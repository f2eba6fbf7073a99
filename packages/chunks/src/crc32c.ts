/** CRC-32C (Castagnoli): the checksum of every Prometheus file. Slicing-by-16. */

const polynomial = 0x82f63b78;
const sliceBytes = 16;
/** Sixteen tables of 256 in one array: one base to index from is twice as fast as an array for each. */
const tables = buildTables();

/**
 * The checksum of bytes [from, to), as an unsigned number. Of no bytes it is 0. `before` is the checksum of bytes that
 * precede these: a long run may be summed piece by piece.
 */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length, before = 0): number {
  const t = tables;
  let crc = before ^ -1;
  let at = from;
  for (const last = to - (sliceBytes - 1); at < last; at += sliceBytes) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    // Table n is at 256 n, and the byte that has n behind it goes through it.
    crc =
      t[0xf00 | (crc & 0xff)] ^
      t[0xe00 | ((crc >>> 8) & 0xff)] ^
      t[0xd00 | ((crc >>> 16) & 0xff)] ^
      t[0xc00 | (crc >>> 24)] ^
      t[0xb00 | bytes[at + 4]] ^
      t[0xa00 | bytes[at + 5]] ^
      t[0x900 | bytes[at + 6]] ^
      t[0x800 | bytes[at + 7]] ^
      t[0x700 | bytes[at + 8]] ^
      t[0x600 | bytes[at + 9]] ^
      t[0x500 | bytes[at + 10]] ^
      t[0x400 | bytes[at + 11]] ^
      t[0x300 | bytes[at + 12]] ^
      t[0x200 | bytes[at + 13]] ^
      t[0x100 | bytes[at + 14]] ^
      t[bytes[at + 15]];
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]) & 0xff];
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
