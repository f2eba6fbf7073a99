/**
 * Float fields of a sample, each coded as XOR against its own last value and with a window of its own. The codes are those
 * of XOR chunks: docs/format/xor-chunk.md.
 */
import type { BitReader } from "./bit-reader.ts";
import type { BitWriter } from "./bit-writer.ts";

/** No window was announced: a writer must, a reader takes all 64 bits. */
const noWindow = 0xff;

export class XorFields {
  /** The last value of each field, and its bits as little-endian halves. */
  readonly values: Float64Array;
  readonly words: Uint32Array;
  readonly #leading: Uint8Array;
  readonly #trailing: Uint8Array;

  constructor(fieldCount: number) {
    this.values = new Float64Array(fieldCount);
    this.words = new Uint32Array(this.values.buffer);
    this.#leading = new Uint8Array(fieldCount).fill(noWindow);
    this.#trailing = new Uint8Array(fieldCount);
  }

  readWhole(reader: BitReader, field: number): void {
    this.words[2 * field + 1] = reader.read(32);
    this.words[2 * field] = reader.read(32);
  }

  /** Reads a whole code: unchanged, in the last window, in a new one. False where its window has more than 64 bits. */
  readChange(reader: BitReader, field: number): boolean {
    switch (reader.readOnes(2)) {
      case 0:
        return true;
      case 1:
        this.readInWindow(reader, field);
        return true;
      default:
        return this.readInNewWindow(reader, field);
    }
  }

  readInNewWindow(reader: BitReader, field: number): boolean {
    const leading = reader.read(5);
    const trailing = 64 - leading - (reader.read(6) || 64);
    if (trailing < 0) return false;
    this.#leading[field] = leading;
    this.#trailing[field] = trailing;
    this.readInWindow(reader, field);
    return true;
  }

  readInWindow(reader: BitReader, field: number): void {
    const leading = this.#leading[field] === noWindow ? 0 : this.#leading[field];
    const trailing = this.#trailing[field];
    const significantBits = 64 - leading - trailing;
    const upper = significantBits > 32 ? reader.read(significantBits - 32) : 0;
    const lower = reader.read(Math.min(significantBits, 32));
    const { words } = this;
    if (trailing >= 32) {
      words[2 * field + 1] ^= lower << (trailing - 32);
      return;
    }
    words[2 * field] ^= lower << trailing;
    // Two shifts: a shift by 32 is a shift by 0.
    words[2 * field + 1] ^= (upper << trailing) | ((lower >>> 1) >>> (31 - trailing));
  }

  writeWhole(writer: BitWriter, field: number, high: number, low: number): void {
    writer.write(high, 32);
    writer.write(low, 32);
    this.words[2 * field + 1] = high;
    this.words[2 * field] = low;
  }

  /** Writes a whole code: unchanged, in the last window, in a new one. */
  writeChange(writer: BitWriter, field: number, high: number, low: number): void {
    const highChange = high ^ this.words[2 * field + 1];
    const lowChange = low ^ this.words[2 * field];
    if ((highChange | lowChange) === 0) writer.write(0, 1);
    else {
      const fits = this.fitsWindow(field, high, low);
      writer.write(fits ? 0b10 : 0b11, 2);
      this.writeBits(writer, field, high, low);
    }
  }

  /** Whether the change to a value lies within the last window. It must not be unchanged. */
  fitsWindow(field: number, high: number, low: number): boolean {
    const highChange = high ^ this.words[2 * field + 1];
    const lowChange = low ^ this.words[2 * field];
    return (
      this.#leading[field] !== noWindow &&
      leadingZeros(highChange) >= this.#leading[field] &&
      trailingZeros(highChange, lowChange) >= this.#trailing[field]
    );
  }

  /** Writes the change to a value in the last window where it fits, otherwise a new window and then the change. */
  writeBits(writer: BitWriter, field: number, high: number, low: number): void {
    const highChange = high ^ this.words[2 * field + 1];
    const lowChange = low ^ this.words[2 * field];
    if (!this.fitsWindow(field, high, low)) {
      const leading = leadingZeros(highChange);
      const trailing = trailingZeros(highChange, lowChange);
      this.#leading[field] = leading;
      this.#trailing[field] = trailing;
      // 64 significant bits are stored as 0.
      writer.write((leading << 6) | ((64 - leading - trailing) & 63), 11);
    }
    const shift = this.#trailing[field];
    const significantBits = 64 - this.#leading[field] - shift;
    if (shift >= 32) writer.write(highChange >>> (shift - 32), significantBits);
    else {
      const lower = (lowChange >>> shift) | ((highChange << 1) << (31 - shift));
      if (significantBits > 32) writer.write(highChange >>> shift, significantBits - 32);
      writer.write(lower, Math.min(significantBits, 32));
    }
    this.words[2 * field + 1] = high;
    this.words[2 * field] = low;
  }
}

/** Up to 31: the count has five bits. */
function leadingZeros(high: number): number {
  return high === 0 ? 31 : Math.clz32(high);
}

function trailingZeros(high: number, low: number): number {
  return low === 0 ? 63 - Math.clz32(high & -high) : 31 - Math.clz32(low & -low);
}
