/**
 * Writing Gorilla XOR chunks of float samples, byte for byte as Prometheus does. Byte layout: docs/format/xor-chunk.md.
 */
import { normalNaNHigh, normalNaNLow, staleHigh, staleLow } from "@pleiad/model";
import { linkAt, oneChunk, OpenChunkRoom, type BlockNumber } from "./open-chunk-room.ts";
import { timestampMsMax } from "./xor-decoder.ts";

/** The sample count of a chunk has 16 bits. */
export const chunkSamplesMax = 65_535;

/** One open chunk. Small, since there is one a series; `reset` makes it ready for the next chunk. */
export interface XorAppender {
  readonly count: number;
  /** Of the first and of the last sample; NaN while there is none. */
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly byteLength: number;
  /** The bits of the last value. */
  readonly lastHigh: number;
  readonly lastLow: number;
  /**
   * Adds a sample. The time must be whole and above the last one: the caller sorts and drops duplicates. A NaN becomes
   * Prometheus's ordinary one, whatever its bits: they are not safe in a number.
   */
  append(timestampMs: number, value: number): void;
  /** Adds a sample by the bits of its value: the only way that keeps every NaN as it is. */
  appendBits(timestampMs: number, high: number, low: number): void;
  /** Adds Prometheus's staleness marker. */
  appendStale(timestampMs: number): void;
  /** Adds a value at the time of the last sample: only the counters of downsampled chunks end like that. */
  appendAgain(value: number): void;
  /** The encoded chunk: a copy that belongs to the caller. */
  bytes(): Uint8Array;
  /** Writes the encoded chunk into `target` at `offset`; there must be `byteLength` bytes of room. */
  copyTo(target: Uint8Array, offset: number): void;
  /** Empties the chunk, and leaves its room to others: to be called before a chunk of a shared room is forgotten. */
  reset(): void;
}

/** The number of samples, before everything else. */
const countBytes = 2;

const loopBytesMax = 128;

const scratchValue = new Float64Array(1);
const scratchWords = new Uint32Array(scratchValue.buffer);

/** An empty chunk, open for samples, in a room that it shares, or in one of its own. */
export function createXorAppender(room: OpenChunkRoom = new OpenChunkRoom(oneChunk)): XorAppender {
  return new Appender(room);
}

/** Samples [from, to) as one XOR chunk; at most `chunkSamplesMax`, times ascending. Values keep their bits. */
export function encodeXor(timestampsMs: Float64Array, values: Float64Array, from: number, to: number): Uint8Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  bulk.reset();
  for (let i = from; i < to; i++) bulk.appendBits(timestampsMs[i], words[2 * i + 1], words[2 * i]);
  return bulk.bytes();
}

function setScratch(value: number): void {
  if (value === value) scratchValue[0] = value;
  else {
    scratchWords[1] = normalNaNHigh;
    scratchWords[0] = normalNaNLow;
  }
}

const noPage = new Uint8Array(countBytes);

class Appender implements XorAppender {
  count = 0;
  minTimeMs = NaN;
  lastHigh = 0;
  lastLow = 0;
  readonly #room: OpenChunkRoom;
  /** Of the chain of blocks that the chunk lies in; empty, it has none. */
  #first = 0 as BlockNumber;
  /** How many blocks of the chain are full. The next one is the last, and lies in `#page`. */
  #fullBlocks = 0;
  #page: Uint8Array = noPage;
  /** Behind the whole bytes that are written; the two of the sample count are filled in when bytes are handed out. */
  #at = countBytes;
  /** Where the data of the last block ends. */
  #end = countBytes;
  /** Bits not yet written, at the low end of `#pending`; fewer than eight. */
  #pending = 0;
  #pendingBits = 0;
  /** From the first sample to the last: kept instead of the time of the last, since it is a small number. */
  #spanMs = 0;
  #deltaMs = 0;
  #leading = -1;
  #trailing = 0;

  constructor(room: OpenChunkRoom) {
    this.#room = room;
  }

  get maxTimeMs(): number {
    return this.minTimeMs + this.#spanMs;
  }

  get byteLength(): number {
    return this.#fullBlocks * this.#room.dataBytes + this.#at - this.#start + (this.#pendingBits > 0 ? 1 : 0);
  }

  /** Where the last block begins. */
  get #start(): number {
    return this.count > 0 ? this.#end - this.#room.dataBytes : 0;
  }

  append(timestampMs: number, value: number): void {
    setScratch(value);
    this.appendBits(timestampMs, scratchWords[1], scratchWords[0]);
  }

  appendStale(timestampMs: number): void {
    this.appendBits(timestampMs, staleHigh, staleLow);
  }

  appendAgain(value: number): void {
    if (this.count === 0) throw new RangeError("there is no sample whose time a value could have");
    setScratch(value);
    this.#append(this.maxTimeMs, scratchWords[1], scratchWords[0]);
  }

  appendBits(timestampMs: number, high: number, low: number): void {
    if (Math.floor(timestampMs) !== timestampMs || Math.abs(timestampMs) > timestampMsMax) {
      throw new RangeError(`a sample's time must be whole milliseconds within ±${timestampMsMax}: ${timestampMs}`);
    }
    if (this.count > 0 && timestampMs <= this.maxTimeMs) {
      throw new RangeError(`samples must ascend in time: ${timestampMs} after ${this.maxTimeMs}`);
    }
    this.#append(timestampMs, high, low);
  }

  #append(timestampMs: number, high: number, low: number): void {
    const count = this.count;
    if (count === chunkSamplesMax) throw new RangeError(`a chunk holds at most ${chunkSamplesMax} samples`);
    if (count === 0) {
      this.#begin();
      this.minTimeMs = timestampMs;
      this.#writeVarint(timestampMs);
      this.#write(high, 32);
      this.#write(low, 32);
    } else {
      const deltaMs = timestampMs - this.maxTimeMs;
      if (count === 1) this.#writeUvarint(deltaMs);
      else this.#writeDeltaChange(deltaMs - this.#deltaMs);
      this.#deltaMs = deltaMs;
      this.#spanMs += deltaMs;
      this.#writeValue(high ^ this.lastHigh, low ^ this.lastLow);
    }
    this.lastHigh = high | 0;
    this.lastLow = low | 0;
    this.count = count + 1;
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.byteLength);
    this.copyTo(bytes, 0);
    return bytes;
  }

  copyTo(target: Uint8Array, offset: number): void {
    const room = this.#room;
    let to = offset;
    let block = this.#first;
    for (let left = this.#fullBlocks; left > 0; left--) {
      to = copyBytes(room.pageOf(block), room.startOf(block), room.dataBytes, target, to);
      block = room.after(block);
    }
    to = copyBytes(this.#page, this.#start, this.#at - this.#start, target, to);
    if (this.#pendingBits > 0) target[to] = this.#pending << (8 - this.#pendingBits);
    target[offset] = this.count >>> 8;
    target[offset + 1] = this.count;
  }

  reset(): void {
    if (this.count > 0) this.#room.leave(this.#first, this.#fullBlocks + 1);
    this.count = 0;
    this.minTimeMs = NaN;
    this.#spanMs = 0;
    this.#fullBlocks = 0;
    this.#page = noPage;
    this.#at = countBytes;
    this.#end = countBytes;
    this.#pending = 0;
    this.#pendingBits = 0;
    this.#leading = -1;
  }

  #begin(): void {
    this.#first = this.#room.take();
    this.#goTo(this.#first);
    this.#at += countBytes;
  }

  /** Goes on in another block: this one is full. */
  #advance(): void {
    const next = this.#room.take();
    linkAt(this.#page, this.#end, next);
    this.#goTo(next);
    this.#fullBlocks++;
  }

  #goTo(block: BlockNumber): void {
    const room = this.#room;
    this.#page = room.pageOf(block);
    this.#at = room.startOf(block);
    this.#end = this.#at + room.dataBytes;
  }

  #writeDeltaChange(change: number): void {
    if (change === 0) this.#write(0, 1);
    else if (change >= -0x1fff && change <= 0x2000) this.#write((0b10 << 14) | (change & 0x3fff), 16);
    else if (change >= -0xffff && change <= 0x10000) this.#write((0b110 << 17) | (change & 0x1ffff), 20);
    else if (change >= -0x7ffff && change <= 0x80000) this.#write((0b1110 << 20) | (change & 0xfffff), 24);
    else {
      const high = Math.floor(change / 0x100000000);
      this.#write(0b1111, 4);
      this.#write(high, 32);
      this.#write(change - high * 0x100000000, 32);
    }
  }

  #writeValue(high: number, low: number): void {
    if ((high | low) === 0) {
      this.#write(0, 1);
      return;
    }
    // The count of leading zeros has five bits.
    const leading = high === 0 ? 31 : Math.clz32(high);
    const trailing = low === 0 ? 63 - Math.clz32(high & -high) : 31 - Math.clz32(low & -low);
    if (this.#leading >= 0 && leading >= this.#leading && trailing >= this.#trailing) {
      this.#write(0b10, 2);
    } else {
      this.#leading = leading;
      this.#trailing = trailing;
      // 64 significant bits are stored as 0.
      this.#write((0b11 << 11) | (leading << 6) | ((64 - leading - trailing) & 63), 13);
    }
    const shift = this.#trailing;
    const significantBits = 64 - this.#leading - shift;
    if (shift >= 32) {
      this.#write(high >>> (shift - 32), significantBits);
      return;
    }
    // Two shifts: a shift by 32 is a shift by 0.
    const lower = (low >>> shift) | ((high << 1) << (31 - shift));
    if (significantBits > 32) {
      this.#write(high >>> shift, significantBits - 32);
      this.#write(lower, 32);
    } else {
      this.#write(lower, significantBits);
    }
  }

  #writeVarint(value: number): void {
    // Zigzag in two steps, since twice a timestamp may not be a whole number of a double.
    const magnitude = value < 0 ? -value - 1 : value;
    const first = ((magnitude % 64) << 1) | (value < 0 ? 1 : 0);
    if (magnitude < 64) this.#write(first, 8);
    else {
      this.#write(first | 0x80, 8);
      this.#writeUvarint(Math.floor(magnitude / 64));
    }
  }

  #writeUvarint(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#write((rest % 0x80) | 0x80, 8);
    this.#write(rest, 8);
  }

  /** Writes the low `bitCount` bits, 1 to 32, of `bits`; what is above them is ignored. */
  #write(bits: number, bitCount: number): void {
    const page = this.#page;
    let at = this.#at;
    let left = bitCount;
    const room = 8 - this.#pendingBits;
    if (left < room) {
      this.#pending = (this.#pending << left) | (bits & ((1 << left) - 1));
      this.#pendingBits += left;
      return;
    }
    left -= room;
    if (at + (left >>> 3) >= this.#end) {
      this.#writeAcross(bits, bitCount);
      return;
    }
    page[at++] = (this.#pending << room) | ((bits >>> left) & ((1 << room) - 1));
    while (left >= 8) {
      left -= 8;
      page[at++] = bits >>> left;
    }
    this.#at = at;
    this.#pending = bits & ((1 << left) - 1);
    this.#pendingBits = left;
  }

  /** As `#write`, where the block may end meanwhile. */
  #writeAcross(bits: number, bitCount: number): void {
    let left = bitCount;
    while (left > 0) {
      const taken = Math.min(left, 8 - this.#pendingBits);
      left -= taken;
      this.#pending = (this.#pending << taken) | ((bits >>> left) & ((1 << taken) - 1));
      this.#pendingBits += taken;
      if (this.#pendingBits < 8) return;
      if (this.#at === this.#end) this.#advance();
      this.#page[this.#at++] = this.#pending;
      this.#pending = 0;
      this.#pendingBits = 0;
    }
  }
}

/** Copies so many bytes; gives where they end in `target`. */
function copyBytes(source: Uint8Array, start: number, length: number, target: Uint8Array, offset: number): number {
  // A view and a call cost more than a few bytes do.
  if (length > loopBytesMax) target.set(source.subarray(start, start + length), offset);
  else for (let i = 0; i < length; i++) target[offset + i] = source[start + i];
  return offset + length;
}

const bulk = new Appender(new OpenChunkRoom({ blockBytes: 4096, pageBits: 0 }));
