/**
 * Framing of the write-ahead log: records cut into fragments that never cross a page, each with its checksum.
 * Byte layout: docs/format/write-ahead-log.md.
 */
import { crc32c } from "@pleiad/chunks";
import { ByteWriter } from "./byte-writer.ts";

export const pageBytes = 32_768;
const headerBytes = 7;

const fragmentPadding = 0;
const fragmentFull = 1;
const fragmentFirst = 2;
const fragmentMiddle = 3;
const fragmentLast = 4;
const flagSnappy = 0x08;
const flagZstd = 0x10;

/** Frames record [from, to) of `bytes` onto `out`, whose first byte will lie at `position` of the segment. */
export function frameRecord(out: ByteWriter, position: number, bytes: Uint8Array, from: number, to: number): void {
  let at = from;
  do {
    let room = pageBytes - ((position + out.length) % pageBytes);
    if (room < headerBytes) {
      out.zeros(room);
      room = pageBytes;
    }
    const length = Math.min(to - at, room - headerBytes);
    const isFirst = at === from;
    const isLast = at + length === to;
    out.u8(isFirst ? (isLast ? fragmentFull : fragmentFirst) : isLast ? fragmentLast : fragmentMiddle);
    out.u16(length);
    out.u32(crc32c(bytes, at, at + length));
    out.raw(bytes, at, at + length);
    at += length;
  } while (at < to);
}

/** How many bytes `frameRecord` would write: what tells whether a record still fits a segment. */
export function framedBytes(position: number, recordBytes: number): number {
  let end = position;
  let left = recordBytes;
  do {
    let room = pageBytes - (end % pageBytes);
    if (room < headerBytes) {
      end += room;
      room = pageBytes;
    }
    const length = Math.min(left, room - headerBytes);
    end += headerBytes + length;
    left -= length;
  } while (left > 0);
  return end - position;
}

/**
 * Reads the records of one segment. Use: while `next()`, the record is `record` [from, to), valid until the next call;
 * then look at `damage` and `compression`.
 */
export class SegmentReader {
  record: Uint8Array;
  from = 0;
  to = 0;
  /** Where the last whole record ends: what a repair keeps. */
  goodBytes = 0;
  /** What is wrong behind `goodBytes`; undefined where the segment ends as it should. */
  damage: string | undefined;
  /** Set where a record is compressed, which is not read: no damage, nothing to repair. */
  compression: "snappy" | "zstd" | undefined;
  readonly #segment: Uint8Array;
  readonly #assembled = new ByteWriter(0);
  #at = 0;

  constructor(segment: Uint8Array) {
    this.#segment = segment;
    this.record = segment;
  }

  next(): boolean {
    if (this.damage !== undefined || this.compression !== undefined) return false;
    // Counted here and not before, so that a reader who finds the last record senseless can cut it off.
    this.goodBytes = this.#at;
    const segment = this.#segment;
    this.#assembled.clear();
    let isWhole = false;
    let isBegun = false;
    while (!isWhole) {
      const at = this.#at;
      if (at >= segment.length) {
        if (isBegun) this.damage = "the segment ends within a record";
        return false;
      }
      const pageEnd = Math.min(segment.length, at - (at % pageBytes) + pageBytes);
      const header = segment[at] ?? 0;
      const type = header & 0x07;
      if (type === fragmentPadding) {
        if (header !== 0 || !isZero(segment, at, pageEnd)) return this.#damaged("bytes after the end of a page");
        this.#at = pageEnd;
        continue;
      }
      if ((header & ~0x1f) !== 0 || type > fragmentLast) return this.#damaged(`a fragment of unknown type ${header}`);
      if (at + headerBytes > pageEnd) return this.#damaged("a fragment header is cut short");
      const from = at + headerBytes;
      const to = from + (((segment[at + 1] ?? 0) << 8) | (segment[at + 2] ?? 0));
      if (to > pageEnd) return this.#damaged("a fragment is cut short");
      const sum =
        (((segment[at + 3] ?? 0) << 24) |
          ((segment[at + 4] ?? 0) << 16) |
          ((segment[at + 5] ?? 0) << 8) |
          (segment[at + 6] ?? 0)) >>>
        0;
      if (crc32c(segment, from, to) !== sum) return this.#damaged("a fragment's checksum does not fit");
      if ((type === fragmentFull || type === fragmentFirst) === isBegun) {
        return this.#damaged(isBegun ? "a record has no end" : "a record has no beginning");
      }
      if ((header & flagSnappy) !== 0 || (header & flagZstd) !== 0) {
        this.compression = (header & flagSnappy) !== 0 ? "snappy" : "zstd";
        return false;
      }
      this.#at = to;
      isBegun = true;
      isWhole = type === fragmentFull || type === fragmentLast;
      if (type === fragmentFull) {
        this.record = segment;
        this.from = from;
        this.to = to;
      } else {
        this.#assembled.raw(segment, from, to);
        this.record = this.#assembled.bytes;
        this.from = 0;
        this.to = this.#assembled.length;
      }
    }
    return true;
  }

  #damaged(reason: string): false {
    this.damage = reason;
    return false;
  }
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}
