/** Writing bits from the most significant on, as every chunk of Prometheus is written. */

const firstCapacity = 128;

/** The widths of the varbit classes between that of 0 and that of 56 bits. */
const varbitWidths = Uint8Array.of(3, 6, 9, 12, 18, 25);

/** Grows as needed. Whole numbers are exact within ±2^53 and throw a RangeError beyond. */
export class BitWriter {
  #buffer = new Uint8Array(firstCapacity);
  #at = 0;
  /** Bits not yet written, at the low end; fewer than eight. */
  #pending = 0;
  #pendingBits = 0;

  get byteLength(): number {
    return this.#at + (this.#pendingBits > 0 ? 1 : 0);
  }

  /** Empties the writer; keeps the memory. */
  reset(): void {
    this.#at = 0;
    this.#pending = 0;
    this.#pendingBits = 0;
  }

  /** What was written, the last byte filled with zeros: a copy that belongs to the caller. */
  bytes(): Uint8Array {
    this.#buffer[this.#at] = this.#pending << (8 - this.#pendingBits);
    return this.#buffer.slice(0, this.byteLength);
  }

  /** Writes the low `bitCount` bits, 1 to 32, of `bits`; what is above them is ignored. */
  write(bits: number, bitCount: number): void {
    if (this.#at + 8 > this.#buffer.length) this.#grow();
    const buffer = this.#buffer;
    let left = bitCount;
    const room = 8 - this.#pendingBits;
    if (left < room) {
      this.#pending = (this.#pending << left) | (bits & ((1 << left) - 1));
      this.#pendingBits += left;
      return;
    }
    left -= room;
    buffer[this.#at++] = (this.#pending << room) | ((bits >>> left) & ((1 << room) - 1));
    while (left >= 8) {
      left -= 8;
      buffer[this.#at++] = bits >>> left;
    }
    this.#pending = bits & ((1 << left) - 1);
    this.#pendingBits = left;
  }

  /** Unsigned LEB128. */
  writeUvarint(value: number): void {
    checkWhole(value);
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.write((rest % 0x80) | 0x80, 8);
    this.write(rest, 8);
  }

  /** Zigzag, then LEB128. */
  writeVarint(value: number): void {
    checkWhole(value);
    // Zigzag in two steps, since twice a timestamp may not be a whole number of a double.
    const magnitude = value < 0 ? -value - 1 : value;
    const first = ((magnitude % 64) << 1) | (value < 0 ? 1 : 0);
    if (magnitude < 64) this.write(first, 8);
    else {
      this.write(first | 0x80, 8);
      this.writeUvarint(Math.floor(magnitude / 64));
    }
  }

  /** Of n bits, the pattern 2^(n-1) is positive and only larger ones are negative. */
  writeVarbitInt(value: number): void {
    if (value === 0) return this.write(0, 1);
    checkWhole(value);
    // The bits that the magnitude needs, of a positive number one less: its largest power of two has room as well.
    this.#writeVarbit(value, value > 0 ? value - 1 : -value, 1);
  }

  writeVarbitUint(value: number): void {
    if (value === 0) return this.write(0, 1);
    checkWhole(value);
    if (value < 0) throw new RangeError(`a count must not be negative: ${value}`);
    this.#writeVarbit(value, value, 0);
  }

  /** Writes a number into the least class that has room for the bits of `magnitude` and for a sign, where there is one. */
  #writeVarbit(value: number, magnitude: number, signBits: number): void {
    if (magnitude < 0x2000000) {
      const bitCount = 32 - Math.clz32(magnitude) + signBits;
      for (let size = 0; size < varbitWidths.length; size++) {
        const width = varbitWidths[size];
        if (bitCount > width) continue;
        // As many ones as the class has, and a zero.
        this.write((2 << (size + 1)) - 2, size + 2);
        this.write(value, width);
        return;
      }
    }
    // 56 bits hold every whole number of a double: the class of 64 is never needed.
    const high = Math.floor(value / 0x100000000);
    this.write(0b11111110, 8);
    this.write(high, 24);
    this.write(value - high * 0x100000000, 32);
  }

  #grow(): void {
    const grown = new Uint8Array(this.#buffer.length * 2);
    grown.set(this.#buffer);
    this.#buffer = grown;
  }
}

function checkWhole(value: number): void {
  if (!Number.isSafeInteger(value)) throw new RangeError(`not a whole number within ±2^53: ${value}`);
}
