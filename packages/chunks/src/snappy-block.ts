/** Snappy's block format: what remote write and remote read send. Byte layout: docs/format/snappy.md. */
import type { Result } from "@pleiad/model";
import { decodeSnappy } from "./snappy.ts";

/** Copies reach back within pieces of this size only, so that places in a piece fit 16 bits. */
const pieceBytes = 65_536;
const tableBits = 14;
const tableSize = 1 << tableBits;
/** A search for copies ends this far before the end of a piece: it reads four bytes at places behind the current one. */
const marginBytes = 15;

/** Where in the current piece four bytes with a certain hash were last. Work for one call at a time, which never waits. */
const places = new Uint16Array(tableSize);

/** The bytes that a block stands for; what is wrong with it, a length of more than `bytesMax` included, before memory is taken. */
export function decodeSnappyBlock(block: Uint8Array, bytesMax: number): Result<Uint8Array, string> {
  return decodeSnappy(block, 0, block.length, bytesMax);
}

/** How many bytes a block says that it stands for; undefined where it says nothing. */
export function snappyBlockLength(block: Uint8Array): number | undefined {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    if (i >= block.length) return undefined;
    const byte = block[i];
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return length;
  }
  return undefined;
}

/** The bytes as a block, which belongs to the caller. */
export function encodeSnappyBlock(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(blockBytesMax(bytes.length));
  let at = putLength(out, bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let from = 0; from < bytes.length; from += pieceBytes) {
    at = putPiece(bytes, view, from, Math.min(from + pieceBytes, bytes.length), out, at);
  }
  return out.slice(0, at);
}

/** What bytes without any repetition come to: a length, and a tag of up to three bytes before each literal. */
function blockBytesMax(bytes: number): number {
  return 32 + bytes + Math.floor(bytes / 6);
}

function putLength(out: Uint8Array, length: number): number {
  let at = 0;
  let rest = length;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) out[at++] = (rest % 0x80) | 0x80;
  out[at++] = rest;
  return at;
}

/** Writes [from, to) as literals and copies to `out` at `at`; gives where they end. */
function putPiece(bytes: Uint8Array, view: DataView, from: number, to: number, out: Uint8Array, at: number): number {
  let end = at;
  let written = from;
  const last = to - marginBytes;
  places.fill(0);
  let next = from + 1;
  // The longer nothing repeats, the fewer places are looked at: what is random costs little.
  for (let misses = 32; next <= last;) {
    const here = next;
    const word = view.getInt32(here, true);
    const hash = hashOf(word);
    const before = from + places[hash];
    places[hash] = here - from;
    if (view.getInt32(before, true) !== word) {
      next = here + (misses++ >>> 5);
      continue;
    }
    end = putLiteral(bytes, written, here, out, end);
    let copyEnd = here + 4;
    for (let i = before + 4; copyEnd < to && bytes[i] === bytes[copyEnd]; i++) copyEnd++;
    end = putCopy(here - before, copyEnd - here, out, end);
    written = next = copyEnd;
    misses = 32;
    // What stands right before the end of a copy often begins the next one.
    if (copyEnd <= last) places[hashOf(view.getInt32(copyEnd - 1, true))] = copyEnd - 1 - from;
  }
  return putLiteral(bytes, written, to, out, end);
}

function hashOf(word: number): number {
  return Math.imul(word, 0x1e35a7bd) >>> (32 - tableBits);
}

function putLiteral(bytes: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
  const count = to - from;
  if (count === 0) return at;
  let end = at;
  if (count <= 60) out[end++] = (count - 1) << 2;
  else if (count <= 256) {
    out[end++] = 60 << 2;
    out[end++] = count - 1;
  } else {
    out[end++] = 61 << 2;
    out[end++] = (count - 1) & 0xff;
    out[end++] = (count - 1) >>> 8;
  }
  for (let i = from; i < to; i++) out[end++] = bytes[i];
  return end;
}

/** As few tags as there can be: one stands for 64 bytes at most, and the short form for 4 to 11 of them. */
function putCopy(offset: number, count: number, out: Uint8Array, at: number): number {
  let end = at;
  let left = count;
  while (left >= 68) {
    end = putLongCopy(offset, 64, out, end);
    left -= 64;
  }
  // Leaves at least four, for the short form.
  if (left > 64) {
    end = putLongCopy(offset, 60, out, end);
    left -= 60;
  }
  if (left >= 12 || offset >= 2048) return putLongCopy(offset, left, out, end);
  out[end++] = ((offset >>> 8) << 5) | ((left - 4) << 2) | 1;
  out[end++] = offset & 0xff;
  return end;
}

function putLongCopy(offset: number, count: number, out: Uint8Array, at: number): number {
  out[at] = ((count - 1) << 2) | 2;
  out[at + 1] = offset & 0xff;
  out[at + 2] = offset >>> 8;
  return at + 3;
}
