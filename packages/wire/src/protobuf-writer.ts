const utf8 = new TextEncoder();

/** Texts up to this length are copied by unit; a call into the encoder costs more than that. */
const shortTextLength = 64;

/**
 * Writes protobuf fields into a buffer that grows. As proto3 has it, scalars of zero, false and "" are left out; the
 * `…Item` forms write them, as elements of repeated fields need.
 */
export class ProtobufWriter {
  /** Bytes written so far. */
  length = 0;
  private buffer: Uint8Array;

  constructor(capacityBytes = 256) {
    this.buffer = new Uint8Array(capacityBytes);
  }

  /** A view of what was written. It stays as it is once its messages are closed: the writer writes only behind them. */
  view(from = 0, to = this.length): Uint8Array {
    return new Uint8Array(this.buffer.buffer, from, to - from);
  }

  /** Starts a message in field `field`. `lengthBytes` is a guess at the size of its length, 1 below 128 bytes. */
  open(field: number, lengthBytes = 1): number {
    this.reserve(10);
    this.tag(field, 2);
    this.length += lengthBytes;
    return this.length * 8 + lengthBytes;
  }

  /** Ends the message that gave `mark`. */
  close(mark: number): void {
    const from = Math.floor(mark / 8);
    const guess = mark % 8;
    const bytes = this.length - from;
    const needed = varintLength(bytes);
    if (needed !== guess) {
      this.reserve(needed);
      this.buffer.copyWithin(from - guess + needed, from, this.length);
      this.length += needed - guess;
    }
    const end = this.length;
    this.length = from - guess;
    this.varint(bytes);
    this.length = end;
  }

  bool(field: number, value: boolean): void {
    if (value) this.integerItem(field, 1);
  }

  /** A whole number; ±(2^53 - 1) and beyond stand for the ends of int64, as the reader has them. */
  int64(field: number, value: number): void {
    if (value !== 0) this.integerItem(field, value);
  }

  /** A zigzag integer (`sint32`, `sint64`). */
  sint64(field: number, value: number): void {
    if (value !== 0) this.integerItem(field, zigzag(value));
  }

  /** A `double`; left out where it is +0. A signalling NaN, such as the staleness marker, may turn into a quiet one. */
  double(field: number, value: number): void {
    if (!Object.is(value, 0)) this.doubleItem(field, value);
  }

  doubleItem(field: number, value: number): void {
    this.reserve(18);
    this.tag(field, 1);
    this.fixed64(value);
  }

  /** A packed repeated `double` field; nothing where there are none. */
  packedDoubles(field: number, values: Iterable<number> & { readonly length: number }): void {
    if (values.length === 0) return;
    this.reserve(20 + 8 * values.length);
    this.tag(field, 2);
    this.varint(8 * values.length);
    for (const value of values) this.fixed64(value);
  }

  integerItem(field: number, value: number): void {
    this.reserve(20);
    this.tag(field, 0);
    this.varint(value);
  }

  /** A packed repeated field of small non-negative numbers; nothing where there are none. */
  packed(field: number, values: readonly number[]): void {
    if (values.length === 0) return;
    const mark = this.open(field);
    for (const value of values) {
      this.reserve(10);
      this.varint(value);
    }
    this.close(mark);
  }

  text(field: number, value: string): void {
    if (value !== "") this.textItem(field, value);
  }

  textItem(field: number, value: string): void {
    const length = value.length;
    this.reserve(20 + 3 * length);
    this.tag(field, 2);
    if (length <= shortTextLength) {
      const { buffer } = this;
      const from = this.length;
      // The length takes one byte: ASCII of at most 64 units.
      let at = from + 1;
      let i = 0;
      for (; i < length; i++) {
        const unit = value.charCodeAt(i);
        if (unit >= 0x80) break;
        buffer[at++] = unit;
      }
      if (i === length) {
        buffer[from] = length;
        this.length = at;
        return;
      }
    }
    const guess = varintLength(length);
    const from = this.length + guess;
    const { written } = utf8.encodeInto(value, this.buffer.subarray(from));
    const needed = varintLength(written);
    if (needed !== guess) this.buffer.copyWithin(from - guess + needed, from, from + written);
    this.length = from - guess;
    this.varint(written);
    this.length += written;
  }

  bytes(field: number, value: Uint8Array): void {
    if (value.length === 0) return;
    this.reserve(20 + value.length);
    this.tag(field, 2);
    this.varint(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
  }

  /** Appends bytes that are encoded fields already. */
  raw(value: Uint8Array): void {
    this.reserve(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
  }

  /** Repeats what was written at [from, to). */
  repeat(from: number, to: number): void {
    this.reserve(to - from);
    this.buffer.copyWithin(this.length, from, to);
    this.length += to - from;
  }

  private fixed64(value: number): void {
    doubleView.setFloat64(0, value, true);
    this.buffer.set(doubleBytes, this.length);
    this.length += 8;
  }

  private tag(field: number, wireType: number): void {
    const tag = field * 8 + wireType;
    if (tag < 0x80) this.buffer[this.length++] = tag;
    else this.varint(tag);
  }

  private varint(value: number): void {
    const { buffer } = this;
    let at = this.length;
    if (value >= 0 && value < 0x1000_0000) {
      let rest = value;
      while (rest >= 0x80) {
        buffer[at++] = (rest & 0x7f) | 0x80;
        rest >>>= 7;
      }
      buffer[at++] = rest;
      this.length = at;
      return;
    }
    if (value >= 0 && value < Number.MAX_SAFE_INTEGER) {
      // Below 2^53 division keeps every bit, and no BigInt is made for a timestamp.
      let high = Math.floor(value / 0x1000_0000);
      let low = value - high * 0x1000_0000;
      for (let i = 0; i < 4; i++) {
        buffer[at++] = (low & 0x7f) | 0x80;
        low >>>= 7;
      }
      while (high >= 0x80) {
        buffer[at++] = (high % 0x80) | 0x80;
        high = Math.floor(high / 0x80);
      }
      buffer[at++] = high;
      this.length = at;
      return;
    }
    let rest = int64Bits(value);
    while (rest >= 0x80n) {
      buffer[at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    buffer[at++] = Number(rest);
    this.length = at;
  }

  private reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.buffer.length));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
  }
}

const doubleBytes = new Uint8Array(8);
const doubleView = new DataView(doubleBytes.buffer);

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function varintLength(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
}

function int64Bits(value: number): bigint {
  if (value >= Number.MAX_SAFE_INTEGER) return 0x7fff_ffff_ffff_ffffn;
  if (value <= -Number.MAX_SAFE_INTEGER) return 0x8000_0000_0000_0000n;
  return BigInt.asUintN(64, BigInt(value));
}
