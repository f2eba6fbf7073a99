/**
 * Framing of the write-ahead log: records cut into fragments that never cross a page, each with its checksum.
 * Byte layout: docs/format/write-ahead-log.md.
 */
import { zstdDecompressSync } from "node:zlib";
import { ByteWriter, crc32c, decodeSnappy } from "@pleiad/chunks";
import { fail, ok, type Result } from "@pleiad/model";

export const pageBytes = 32_768;
const headerBytes = 7;
/** No record decompresses to more: Prometheus ends a segment, compressed, at this size. */
const recordBytesMax = 128 * 1024 * 1024;

const fragmentPadding = 0;
const fragmentFull = 1;
const fragmentFirst = 2;
const fragmentMiddle = 3;
const fragmentLast = 4;
const flagSnappy = 0x08;
const flagZstd = 0x10;

/** Damaged pages of a segment that are searched byte by byte for what follows. */
const searchesMax = 16;

/** Frames record [from, to) of `bytes` onto `out`, whose first byte will lie at `position` of the segment. */
export function frameRecord(out: ByteWriter, position: number, bytes: Uint8Array, from: number, to: number): void {
  let at = from;
  let isFirst = true;
  do {
    let room = pageBytes - ((position + out.length) % pageBytes);
    if (room < headerBytes) {
      out.zeros(room);
      room = pageBytes;
    }
    const length = Math.min(to - at, room - headerBytes);
    const isLast = at + length === to;
    out.u8(isFirst ? (isLast ? fragmentFull : fragmentFirst) : isLast ? fragmentLast : fragmentMiddle);
    out.u16(length);
    out.u32(crc32c(bytes, at, at + length));
    out.raw(bytes, at, at + length);
    at += length;
    // A first fragment may be empty, where a page has room for its header alone.
    isFirst = false;
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

/** Where a fragment's data lies, and what its header says. */
interface Fragment {
  /** 0 for the zeros at the end of a page. */
  readonly type: number;
  readonly compression: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Reads the records of one segment. Use: while `next()`, the record is `record` [from, to), valid until the next call;
 * then look at `damage`. Damaged records that others follow are left out and counted: the log behind them holds.
 */
export class SegmentReader {
  record: Uint8Array;
  from = 0;
  to = 0;
  /** Where the last whole record ends: what a repair keeps. */
  goodBytes = 0;
  /** What is wrong behind `goodBytes`, up to the end; undefined where the segment ends as it should. */
  damage: string | undefined;
  /** Records that were left out, and what was wrong with the first of them. */
  damagedRecords = 0;
  firstDamage: string | undefined;
  readonly #segment: Uint8Array;
  readonly #assembled = new ByteWriter(0);
  /** What is read next; after a fault, where it was found. */
  #at = 0;
  #fault: string | undefined;
  #searchesLeft = searchesMax;

  constructor(segment: Uint8Array) {
    this.#segment = segment;
    this.record = segment;
  }

  next(): boolean {
    while (this.damage === undefined) {
      this.goodBytes = this.#at;
      this.#fault = undefined;
      if (this.#readRecord()) return true;
      if (this.#fault === undefined) return false;
      const nextAt = this.#nextRecordFrom(this.#at);
      if (nextAt === undefined) this.damage = this.#fault;
      else {
        this.leaveOut(this.#fault);
        this.#at = nextAt;
      }
    }
    return false;
  }

  /** Counts a record as damaged: also for a caller who finds that the current one makes no sense. */
  leaveOut(reason: string): void {
    this.damagedRecords++;
    this.firstDamage ??= reason;
  }

  /** False at the end of the segment, and at a fault. */
  #readRecord(): boolean {
    const segment = this.#segment;
    this.#assembled.clear();
    let compression: number | undefined;
    for (;;) {
      if (this.#at >= segment.length) {
        return compression === undefined ? false : this.#failed("the segment ends within a record");
      }
      const fragment = this.#fragmentAt(this.#at);
      if (typeof fragment === "string") return this.#failed(fragment);
      const { type, from, to } = fragment;
      if (type !== fragmentPadding) {
        const begins = type === fragmentFull || type === fragmentFirst;
        if (begins === (compression !== undefined)) {
          // One of the two headers is damaged, and nobody knows which: the fragment is no record to trust.
          this.#at = to;
          return this.#failed(begins ? "a record has no end" : "a record has no beginning");
        }
        if (!begins && fragment.compression !== compression) return this.#failed("a record is compressed in part");
        ({ compression } = fragment);
      }
      this.#at = to;
      if (type === fragmentFull) return this.#take(segment, from, to, fragment.compression);
      if (type !== fragmentPadding) this.#assembled.raw(segment, from, to);
      if (type === fragmentLast) {
        return this.#take(this.#assembled.bytes, 0, this.#assembled.length, fragment.compression);
      }
    }
  }

  #take(bytes: Uint8Array, from: number, to: number, compression: number): boolean {
    this.record = bytes;
    this.from = from;
    this.to = to;
    if (compression === 0) return true;
    const decoded =
      compression === flagSnappy ? decodeSnappy(bytes, from, to, recordBytesMax) : decodeZstd(bytes, from, to);
    // The flag lies outside the checksum: one that was flipped in a plain record ends here.
    if (!decoded.ok) return this.#failed(decoded.failure);
    this.record = decoded.value;
    this.from = 0;
    this.to = decoded.value.length;
    return true;
  }

  /** The fragment at a place, or what is wrong there. */
  #fragmentAt(at: number): Fragment | string {
    const segment = this.#segment;
    const pageEnd = pageEndOf(segment, at);
    const header = segment[at] ?? 0;
    const type = header & 0x07;
    const compression = header & (flagSnappy | flagZstd);
    if (type === fragmentPadding) {
      if (header !== 0 || !isZero(segment, at, pageEnd)) return "bytes after the end of a page";
      return { type, compression: 0, from: pageEnd, to: pageEnd };
    }
    if ((header & ~0x1f) !== 0 || type > fragmentLast || compression === (flagSnappy | flagZstd)) {
      return `a fragment of unknown type ${header}`;
    }
    if (at + headerBytes > pageEnd) return "a fragment header is cut short";
    const from = at + headerBytes;
    const to = from + lengthAt(segment, at);
    if (to > pageEnd) return "a fragment is cut short";
    const sum =
      (((segment[at + 3] ?? 0) << 24) |
        ((segment[at + 4] ?? 0) << 16) |
        ((segment[at + 5] ?? 0) << 8) |
        (segment[at + 6] ?? 0)) >>>
      0;
    if (crc32c(segment, from, to) !== sum) return "a fragment's checksum does not fit";
    return { type, compression, from, to };
  }

  /** Where the first record at or behind a place begins; what is damaged is stepped over, by a page at the most. */
  #nextRecordFrom(start: number): number | undefined {
    const segment = this.#segment;
    let at = start;
    while (at < segment.length) {
      const fragment = this.#fragmentAt(at);
      if (typeof fragment === "string") {
        at = this.#soundAfter(at);
        continue;
      }
      const begins = fragment.type === fragmentFull || fragment.type === fragmentFirst;
      if (begins && fragment.to > fragment.from) return at;
      at = fragment.to;
    }
    return undefined;
  }

  /** Where a sound fragment follows a damaged one: by the length that this tells, by search, or on the next page. */
  #soundAfter(damagedAt: number): number {
    const segment = this.#segment;
    const pageEnd = pageEndOf(segment, damagedAt);
    const toldEnd = damagedAt + headerBytes + lengthAt(segment, damagedAt);
    if (toldEnd < pageEnd && this.#isSound(toldEnd)) return toldEnd;
    if (this.#searchesLeft-- > 0) {
      for (let at = damagedAt + 1; at < pageEnd; at++) if (this.#isSound(at)) return at;
    }
    return pageEnd;
  }

  /** Whether a fragment with data lies at a place, and an end or another fragment behind it. */
  #isSound(at: number): boolean {
    const fragment = this.#fragmentAt(at);
    // An empty one has the checksum 0: seven bytes of damage may look like it.
    if (typeof fragment === "string" || fragment.type === fragmentPadding || fragment.to === fragment.from)
      return false;
    return fragment.to === this.#segment.length || typeof this.#fragmentAt(fragment.to) !== "string";
  }

  #failed(reason: string): false {
    this.#fault = reason;
    return false;
  }
}

function pageEndOf(segment: Uint8Array, at: number): number {
  return Math.min(segment.length, at - (at % pageBytes) + pageBytes);
}

function lengthAt(segment: Uint8Array, at: number): number {
  return ((segment[at + 1] ?? 0) << 8) | (segment[at + 2] ?? 0);
}

function decodeZstd(bytes: Uint8Array, from: number, to: number): Result<Uint8Array, string> {
  try {
    const { buffer, byteOffset, length } = zstdDecompressSync(bytes.subarray(from, to), {
      maxOutputLength: recordBytesMax,
    });
    return ok(new Uint8Array(buffer, byteOffset, length));
  } catch (error) {
    return fail(`zstd: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}
