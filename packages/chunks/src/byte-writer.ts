/** Bytes of Prometheus's files, written: big-endian numbers, LEB128, texts with their length. Grows as needed. */

const utf8 = new TextEncoder();

const keptBytesMax = 64 * 1024;

export class ByteWriter {
  /** The first `length` bytes are written; the array is replaced when it grows. */
  bytes: Uint8Array;
  length = 0;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Starts anew; gives memory back where one large use has left more than a usual one needs. */
  clear(): void {
    this.length = 0;
    if (this.bytes.length > keptBytesMax) this.bytes = new Uint8Array(keptBytesMax);
  }

  /** Makes room for `more` bytes after those that are written. */
  reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.length + more, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u16(value: number): void {
    this.reserve(2);
    this.bytes[this.length++] = value >>> 8;
    this.bytes[this.length++] = value;
  }

  u32(value: number): void {
    this.reserve(4);
    const { bytes, length } = this;
    bytes[length] = value >>> 24;
    bytes[length + 1] = value >>> 16;
    bytes[length + 2] = value >>> 8;
    bytes[length + 3] = value;
    this.length = length + 4;
  }

  /** A whole number of 53 bits, as 64 bits of two's complement. */
  i64(value: number): void {
    const high = Math.floor(value / 0x1_0000_0000);
    this.u32(high);
    this.u32(value - high * 0x1_0000_0000);
  }

  /** A whole number that is not negative. */
  uvarint(value: number): void {
    this.reserve(10);
    const { bytes } = this;
    let { length } = this;
    let rest = value;
    // Beyond 31 bits there are no shifts; nearly no number gets there.
    for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 0x80)) bytes[length++] = (rest % 0x80) | 0x80;
    for (; rest >= 0x80; rest >>>= 7) bytes[length++] = rest | 0x80;
    bytes[length++] = rest;
    this.length = length;
  }

  /** A whole number, zigzag. */
  varint(value: number): void {
    // In two steps, since twice a timestamp may not be a whole number of a double.
    const magnitude = value < 0 ? -value - 1 : value;
    const sign = value < 0 ? 1 : 0;
    if (magnitude < 64) {
      this.u8((magnitude << 1) | sign);
      return;
    }
    this.u8(((magnitude % 64) << 1) | sign | 0x80);
    this.uvarint(Math.floor(magnitude / 64));
  }

  /** The length in bytes, then UTF-8. */
  text(text: string): void {
    this.reserve(10 + 3 * text.length);
    const start = this.length;
    this.uvarint(text.length);
    const { bytes } = this;
    let at = this.length;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) {
        const encoded = utf8.encode(text);
        this.length = start;
        this.uvarint(encoded.length);
        this.raw(encoded, 0, encoded.length);
        return;
      }
      bytes[at++] = unit;
    }
    this.length = at;
  }

  raw(source: Uint8Array, from: number, to: number): void {
    this.reserve(to - from);
    // A view costs more than the bytes of a chunk do.
    const isWhole = from === 0 && to === source.length;
    this.bytes.set(isWhole ? source : source.subarray(from, to), this.length);
    this.length += to - from;
  }

  zeros(count: number): void {
    this.reserve(count);
    this.bytes.fill(0, this.length, this.length + count);
    this.length += count;
  }

  /** What is written, as a view that is valid until the next write. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}
