/**
 * Bytes of Prometheus's files, read. A read past the end, or of a number that no double holds, sets `failed` and gives 0
 * or ""; it never throws and never reserves more than there are bytes.
 */

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const textBytesShort = 48;

export class ByteReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;
  failed = false;

  constructor(bytes: Uint8Array, from: number, end: number) {
    this.bytes = bytes;
    this.at = from;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end || this.failed;
  }

  u8(): number {
    if (this.at >= this.end) return this.fail();
    return this.bytes[this.at++] ?? 0;
  }

  i32(): number {
    const { bytes, at } = this;
    if (at + 4 > this.end) return this.fail();
    this.at = at + 4;
    // A reader is made for each chunk and each series: a view for each would cost more than its numbers.
    return ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
  }

  u32(): number {
    return this.i32() >>> 0;
  }

  /** 64 bits of two's complement, as far as a double holds them. */
  i64(): number {
    const high = this.i32();
    const value = high * 0x1_0000_0000 + this.u32();
    return Number.isSafeInteger(value) ? value : this.fail();
  }

  uvarint(): number {
    const { bytes, at } = this;
    // Up to three bytes, which is nearly every one, without a loop; none is read past the end.
    if (at + 3 <= this.end) {
      const first = bytes[at] ?? 0;
      if (first < 0x80) {
        this.at = at + 1;
        return first;
      }
      const second = bytes[at + 1] ?? 0;
      if (second < 0x80) {
        this.at = at + 2;
        return (first & 0x7f) | (second << 7);
      }
      const third = bytes[at + 2] ?? 0;
      if (third < 0x80) {
        this.at = at + 3;
        return (first & 0x7f) | ((second & 0x7f) << 7) | (third << 14);
      }
    }
    return this.#longUvarint();
  }

  #longUvarint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : this.fail();
      scale *= 0x80;
    }
    return this.fail();
  }

  varint(): number {
    const { bytes, at } = this;
    // Up to four bytes, which is all but every one, without a loop; none is read past the end.
    if (at + 4 <= this.end) {
      let byte = bytes[at] ?? 0;
      let zigzag = byte & 0x7f;
      let length = 1;
      if (byte >= 0x80) {
        byte = bytes[at + 1] ?? 0;
        zigzag |= (byte & 0x7f) << 7;
        length = 2;
        if (byte >= 0x80) {
          byte = bytes[at + 2] ?? 0;
          zigzag |= (byte & 0x7f) << 14;
          length = 3;
          if (byte >= 0x80) {
            byte = bytes[at + 3] ?? 0;
            zigzag |= (byte & 0x7f) << 21;
            length = 4;
          }
        }
      }
      if (byte < 0x80) {
        this.at = at + length;
        return (zigzag >>> 1) ^ -(zigzag & 1);
      }
    }
    return this.#longVarint();
  }

  #longVarint(): number {
    const first = this.u8();
    // In two steps, since twice a timestamp may not be a whole number of a double.
    let magnitude = (first & 0x7e) >> 1;
    if (first >= 0x80) magnitude += 64 * this.uvarint();
    if (magnitude > Number.MAX_SAFE_INTEGER) return this.fail();
    return (first & 1) === 1 ? -magnitude - 1 : magnitude;
  }

  text(): string {
    const length = this.uvarint();
    const from = this.at;
    if (this.failed || from + length > this.end) {
      this.fail();
      return "";
    }
    this.at = from + length;
    const { bytes } = this;
    // Most labels are short and ASCII, where a decoder's call costs more than its work.
    if (length <= textBytesShort) {
      let text = "";
      let i = from;
      for (; i < this.at; i++) {
        const byte = bytes[i] ?? 0;
        if (byte > 0x7f) break;
        text += String.fromCharCode(byte);
      }
      if (i === this.at) return text;
    }
    try {
      return utf8.decode(bytes.subarray(from, this.at));
    } catch {
      this.fail();
      return "";
    }
  }

  /** Makes the rest unreadable: the caller has found that it makes no sense. */
  fail(): number {
    this.failed = true;
    this.at = this.end;
    return 0;
  }
}
