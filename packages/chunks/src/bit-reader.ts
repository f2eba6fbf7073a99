/** Reading bits from the most significant on, as every chunk of Prometheus is written. */

/** What the longest single read looks at beyond its first byte. */
const overreadBytes = 8;

/** The widths of a varbit number by the ones that it starts with. */
const varbitWidths = Uint8Array.of(0, 3, 6, 9, 12, 18, 25, 56, 64);

/**
 * Reads never throw: beyond the end all bits are 0, and `isPastEnd` says so afterwards. Whoever reads many values asks once
 * in a while. Numbers of more than 53 bits set `isInexact`. One reader serves one chunk after the other.
 */
export class BitReader {
  /** Whether a varbit number was beyond what a double holds exactly. */
  isInexact = false;
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #endBit = 0;
  #bit = 0;

  /** Starts anew at a byte of `data`, which is copied. */
  open(data: Uint8Array, byteOffset: number): void {
    if (this.#bytes.length < data.length + overreadBytes) {
      this.#bytes = new Uint8Array(2 * data.length + overreadBytes);
      this.#view = new DataView(this.#bytes.buffer);
    }
    this.#bytes.set(data);
    this.#bytes.fill(0, data.length, data.length + overreadBytes);
    this.#endBit = data.length * 8;
    this.#bit = byteOffset * 8;
    this.isInexact = false;
  }

  /** Whether more bits were read than there are. */
  get isPastEnd(): boolean {
    return this.#bit > this.#endBit;
  }

  /** Bits not read yet, 0 at the least. */
  get bitsLeft(): number {
    return Math.max(0, this.#endBit - this.#bit);
  }

  /** The next 0 to 32 bits as an unsigned number. */
  read(bitCount: number): number {
    if (bitCount === 0) return 0;
    const bits = this.#peek() >>> (32 - bitCount);
    this.#bit += bitCount;
    return bits;
  }

  readBit(): number {
    const bit = this.#peek() >>> 31;
    this.#bit++;
    return bit;
  }

  /** How many ones come next, up to `onesMax` of at most 31; reads them, and the zero that ends them where there are fewer. */
  readOnes(onesMax: number): number {
    const ones = Math.min(Math.clz32(~this.#peek()), onesMax);
    this.#bit += ones === onesMax ? ones : ones + 1;
    return ones;
  }

  /** Unsigned LEB128 of up to ten bytes; an eleventh is not read. */
  readUvarint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.read(8);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return this.#checked(value);
      scale *= 128;
    }
    return this.#checked(Infinity);
  }

  /** Zigzag, then LEB128. */
  readVarint(): number {
    const first = this.read(8);
    let magnitude = (first & 0x7e) / 2;
    if (first >= 0x80) {
      let scale = 64;
      for (let i = 1; ; i++) {
        if (i === 10) return this.#checked(Infinity);
        const byte = this.read(8);
        magnitude += (byte & 0x7f) * scale;
        if (byte < 0x80) break;
        scale *= 128;
      }
    }
    this.#checked(magnitude);
    return (first & 1) === 1 ? -magnitude - 1 : magnitude;
  }

  /** Of n bits, the pattern 2^(n-1) is positive and only larger ones are negative. */
  readVarbitInt(): number {
    const bitCount = varbitWidths[this.readOnes(8)];
    if (bitCount === 0) return 0;
    if (bitCount <= 25) {
      const bits = this.read(bitCount);
      return bits > 2 ** (bitCount - 1) ? bits - 2 ** bitCount : bits;
    }
    // The halves have their signs before they meet: 2^56 less a small number is no whole number of a double.
    const high = this.read(bitCount - 32);
    const half = 2 ** (bitCount - 33);
    const low = this.read(32);
    const signedHigh = high > half || (high === half && (low > 0 || bitCount === 64)) ? high - 2 * half : high;
    return this.#checked(signedHigh * 0x100000000 + low);
  }

  readVarbitUint(): number {
    const bitCount = varbitWidths[this.readOnes(8)];
    if (bitCount <= 25) return this.read(bitCount);
    const high = this.read(bitCount - 32);
    return this.#checked(high * 0x100000000 + this.read(32));
  }

  #checked(value: number): number {
    if (!Number.isSafeInteger(value)) this.isInexact = true;
    return value;
  }

  /** The 32 bits from here on; zeros beyond the end. */
  #peek(): number {
    const byteAt = this.#bit >>> 3;
    if (this.#bit >= this.#endBit) return 0;
    const shift = this.#bit & 7;
    return (this.#view.getInt32(byteAt) << shift) | (this.#bytes[byteAt + 4] >>> (8 - shift));
  }
}
