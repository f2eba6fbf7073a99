/**
 * Reading Gorilla XOR chunks of float samples. Byte layout: docs/format/xor-chunk.md.
 *
 * Values travel as two 32-bit halves, so that the bits of a NaN stay as they are and no BigInt is made.
 */
import type { ChunkFailure } from "./chunk-failure.ts";
import { reserveSamples, type SampleColumns } from "./sample-columns.ts";

/** Timestamps stay whole numbers of a double, within what a Date can say. */
export const timestampMsMax = 8.64e15;

/** One sample takes at most 145 bits; a window of 32 bits at any bit position looks five bytes ahead. */
const overreadBytes = 32;

// The chunk is copied here before it is read: the loop may then look past the end and check once a sample.
let input = new Uint8Array(4096);
let inputView = new DataView(input.buffer);

/** Appends the samples of an XOR chunk to `out`; on a failure `out` keeps its count. */
export function decodeXor(data: Uint8Array, out: SampleColumns): ChunkFailure | undefined {
  if (data.length < 2) return { kind: "truncated", bytes: data.length, sampleCount: 0 };
  const sampleCount = (data[0] << 8) | data[1];
  if (sampleCount === 0) return undefined;
  const truncated = { kind: "truncated", bytes: data.length, sampleCount } as const;
  const endBit = data.length * 8;
  // Two bits a sample at the least: a count from damaged bytes reserves no memory that the chunk could not fill.
  if (endBit < fewestBits(sampleCount)) return truncated;
  reserveSamples(out, sampleCount);

  if (input.length < data.length + overreadBytes) {
    input = new Uint8Array(2 * data.length + overreadBytes);
    inputView = new DataView(input.buffer);
  }
  input.set(data);
  input.fill(0, data.length, data.length + overreadBytes);
  const bytes = input;
  const view = inputView;
  const { timestampsMs, valueWords } = out;
  let at = out.count;
  const end = at + sampleCount;

  // Sample 0: zigzag varint, then the value whole. Both, and the varint of sample 1, lie on byte boundaries.
  let byteAt = 2;
  let byte = bytes[byteAt++];
  const negative = (byte & 1) === 1;
  let timestampMs = (byte & 0x7e) / 2;
  for (let scale = 64; byte >= 0x80; scale *= 128) {
    if (byteAt > 11) return { kind: "corrupt", reason: "the first timestamp is longer than ten bytes" };
    byte = bytes[byteAt++];
    timestampMs += (byte & 0x7f) * scale;
  }
  if (negative) timestampMs = -timestampMs - 1;
  let high = view.getInt32(byteAt);
  let low = view.getInt32(byteAt + 4);
  byteAt += 8;
  if (byteAt * 8 > endBit) return truncated;
  if (Math.abs(timestampMs) > timestampMsMax) return outOfRange(0);
  timestampsMs[at] = timestampMs;
  valueWords[2 * at] = low;
  valueWords[2 * at + 1] = high;
  at++;

  let deltaMs = 0;
  let isSecond = true;
  let bit = byteAt * 8;
  // Until a window is announced all 64 bits count: an appender re-opened on such a chunk relies on it.
  let significantBits = 64;
  let trailing = 0;

  while (at < end) {
    let window;
    let used;
    if (isSecond) {
      isSecond = false;
      const firstByteAt = byteAt;
      let scale = 1;
      do {
        if (byteAt >= firstByteAt + 10)
          return { kind: "corrupt", reason: "the second timestamp is longer than ten bytes" };
        byte = bytes[byteAt++];
        deltaMs += (byte & 0x7f) * scale;
        scale *= 128;
      } while (byte >= 0x80);
      bit = byteAt * 8;
      window = windowAt(view, bytes, bit);
      used = 0;
    } else {
      window = windowAt(view, bytes, bit);
      if (window >= 0) {
        used = 1;
        window <<= 1;
      } else {
        // The n-bit ranges are -(2^(n-1)-1) … 2^(n-1): the pattern 2^(n-1) alone is positive.
        let change;
        if ((window & 0x40000000) === 0) {
          change = (window << 2) >>> 18;
          if (change > 0x2000) change -= 0x4000;
          deltaMs += change;
          used = 16;
          window <<= 16;
        } else if ((window & 0x20000000) === 0) {
          change = (window << 3) >>> 15;
          if (change > 0x10000) change -= 0x20000;
          deltaMs += change;
          bit += 20;
          used = 0;
          window = windowAt(view, bytes, bit);
        } else if ((window & 0x10000000) === 0) {
          change = (window << 4) >>> 12;
          if (change > 0x80000) change -= 0x100000;
          deltaMs += change;
          bit += 24;
          used = 0;
          window = windowAt(view, bytes, bit);
        } else {
          deltaMs += windowAt(view, bytes, bit + 4) * 0x100000000 + (windowAt(view, bytes, bit + 36) >>> 0);
          bit += 68;
          used = 0;
          window = windowAt(view, bytes, bit);
        }
      }
    }
    timestampMs += deltaMs;

    // At least 16 bits of the window are left: the longest value code takes 13.
    if (window >= 0) {
      bit += used + 1;
    } else {
      if ((window & 0x40000000) === 0) {
        bit += used + 2;
      } else {
        const leading = (window << 2) >>> 27;
        significantBits = (window << 7) >>> 26;
        if (significantBits === 0) significantBits = 64;
        trailing = 64 - leading - significantBits;
        if (trailing < 0) {
          if (bit + used + 13 > endBit) return truncated;
          return { kind: "corrupt", reason: `sample ${at - out.count} has a value of more than 64 bits` };
        }
        bit += used + 13;
      }
      if (significantBits <= 32) {
        const bits = windowAt(view, bytes, bit) >>> (32 - significantBits);
        if (trailing >= 32) {
          high ^= bits << (trailing - 32);
        } else {
          low ^= bits << trailing;
          // Two shifts: a shift by 32 is a shift by 0.
          high ^= (bits >>> 1) >>> (31 - trailing);
        }
      } else {
        const upper = windowAt(view, bytes, bit) >>> (64 - significantBits);
        const lower = windowAt(view, bytes, bit + significantBits - 32);
        low ^= lower << trailing;
        high ^= (upper << trailing) | ((lower >>> 1) >>> (31 - trailing));
      }
      bit += significantBits;
    }

    if (bit > endBit) return truncated;
    if (timestampMs > timestampMsMax || timestampMs < -timestampMsMax) return outOfRange(at - out.count);
    timestampsMs[at] = timestampMs;
    valueWords[2 * at] = low;
    valueWords[2 * at + 1] = high;
    at++;
  }
  out.count = end;
  return undefined;
}

/** The 32 bits from a bit position on. */
function windowAt(view: DataView, bytes: Uint8Array, bit: number): number {
  const byteAt = bit >>> 3;
  const shift = bit & 7;
  return (view.getInt32(byteAt) << shift) | (bytes[byteAt + 4] >>> (8 - shift));
}

function fewestBits(sampleCount: number): number {
  const first = 16 + 8 + 64;
  if (sampleCount === 1) return first;
  return first + 8 + 1 + 2 * (sampleCount - 2);
}

function outOfRange(sample: number): ChunkFailure {
  return { kind: "corrupt", reason: `the timestamp of sample ${sample} is out of range` };
}
