import type { WireFailure } from "./wire-failure.ts";

/** Wire types of protobuf that a message of ours can hold; 3 and 4 (groups) are only ever skipped. */
const varintType = 0;
const fixed64Type = 1;
const lengthType = 2;
const groupStartType = 3;
const groupEndType = 4;
const fixed32Type = 5;

/** Groups inside groups, in fields that are unknown here and skipped. Known messages nest as deep as their schema. */
const groupDepthMax = 32;

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const nothing = new Uint8Array(0);

/**
 * Reads protobuf fields one after another. The first failure stays in `failure` and ends every loop: values read after
 * it are empty, so a decoder reads on and looks at `failure` once, at its end.
 *
 *     for (const outer = reader.enter(); reader.nextField() || reader.leave(outer); ) switch (reader.field) { … }
 *
 * Every read is checked against the message that it is in. Nothing is copied: `bytes()` gives views.
 */
export class ProtobufReader {
  /** Number of the field that `nextField` found. */
  field = 0;
  failure: WireFailure | undefined = undefined;
  private source: Uint8Array = nothing;
  private at = 0;
  private end = 0;
  private wireType = varintType;

  constructor(source?: Uint8Array) {
    if (source !== undefined) this.reset(source);
  }

  /** Starts over with another message. */
  reset(source: Uint8Array): void {
    this.source = source;
    this.at = 0;
    this.end = source.length;
    this.failure = undefined;
  }

  /** What is read: for bits that a number does not keep. */
  get message(): Uint8Array {
    return this.source;
  }

  /** Where the next read starts: an offset in the source. */
  get offset(): number {
    return this.at;
  }

  /** Moves to the next field of the message that the reader is in; false at its end and after a failure. */
  nextField(): boolean {
    if (this.at >= this.end) return false;
    const tag = this.varint32();
    this.field = tag >>> 3;
    this.wireType = tag & 7;
    if (this.field === 0) this.fail("field number 0");
    return this.failure === undefined;
  }

  /** Goes into the message that the current field holds. Gives the mark that `leave` takes. */
  enter(): number {
    const length = this.expectLength();
    const outerEnd = this.end;
    this.end = this.at + length;
    return outerEnd;
  }

  /** Goes back to the message around; false, so that a loop condition can end with it. */
  leave(outerEnd: number): false {
    if (this.failure === undefined) {
      this.at = this.end;
      this.end = outerEnd;
    }
    return false;
  }

  /** A 64-bit integer as a number; beyond ±(2^53 - 1) it is that bound. */
  int64(): number {
    return this.expect(varintType) ? this.varint64() : 0;
  }

  /** An enumeration: the low 32 bits, signed. */
  int32(): number {
    return this.expect(varintType) ? this.varint64() | 0 : 0;
  }

  /** A zigzag integer (`sint32`, `sint64`). */
  sint64(): number {
    return this.expect(varintType) ? unzigzag(this.varint64()) : 0;
  }

  /** A `double`. As a number, a signalling NaN such as the staleness marker may turn into a quiet one. */
  double(): number {
    if (!this.expect(fixed64Type)) return 0;
    if (this.end - this.at < 8) {
      this.fail("message ends inside a field");
      return 0;
    }
    const { source } = this;
    for (let i = 0; i < 8; i++) doubleBytes[i] = source[this.at + i] as number;
    this.at += 8;
    return doubleView.getFloat64(0, true);
  }

  bool(): boolean {
    return this.expect(varintType) ? this.varint64() !== 0 : false;
  }

  /** Text, which must be UTF-8. */
  text(): string {
    const bytes = this.bytes();
    const text = decodeUtf8(bytes, 0, bytes.length);
    if (text !== undefined) return text;
    this.fail("text is not UTF-8");
    return "";
  }

  /** A view of the bytes of the current field. */
  bytes(): Uint8Array {
    const length = this.expectLength();
    const from = this.at;
    this.at += length;
    // Not `subarray`: on a Buffer that makes another Buffer, which costs more and is not asked for.
    return new Uint8Array(this.source.buffer, this.source.byteOffset + from, length);
  }

  /** Passes over the bytes of the current field; the source holds them at [offset - length, offset). */
  passBytes(): number {
    const length = this.expectLength();
    this.at += length;
    return length;
  }

  /** Adds the elements of a repeated integer field, packed or not, to `into`. */
  int32s(into: number[]): void {
    if (this.wireType !== lengthType) {
      into.push(this.int32());
      return;
    }
    const outer = this.enter();
    while (this.at < this.end) into.push(this.varint64() | 0);
    this.leave(outer);
  }

  /** Adds the elements of a repeated zigzag field, packed or not, to `into`. */
  sint64s(into: number[]): void {
    if (this.wireType !== lengthType) {
      into.push(this.sint64());
      return;
    }
    const outer = this.enter();
    while (this.at < this.end) into.push(unzigzag(this.varint64()));
    this.leave(outer);
  }

  /** Adds the elements of a repeated `double` field, packed or not, to `into`. */
  doubles(into: number[]): void {
    if (this.wireType !== lengthType) {
      into.push(this.double());
      return;
    }
    const outer = this.enter();
    this.wireType = fixed64Type;
    while (this.at < this.end) into.push(this.double());
    this.leave(outer);
  }

  /** Passes over the current field. */
  skip(): void {
    this.skipValue(this.wireType);
    let depth = this.wireType === groupStartType ? 1 : 0;
    while (depth > 0 && this.failure === undefined) {
      if (this.at >= this.end) return this.fail("group without end");
      const wireType = this.varint32() & 7;
      if (wireType === groupEndType) depth--;
      else if (wireType === groupStartType) depth++;
      else this.skipValue(wireType);
      if (depth > groupDepthMax) this.fail(`groups nested more than ${groupDepthMax} deep`);
    }
  }

  /** Records a failure of the content at the current offset; the first one stays. */
  fail(reason: string): void {
    this.failure ??= { kind: "malformed", offset: this.at, reason };
    this.at = this.end;
  }

  private skipValue(wireType: number): void {
    switch (wireType) {
      case varintType:
        this.varint64();
        return;
      case fixed64Type:
        this.pass(8);
        return;
      case lengthType:
        this.pass(this.varint32());
        return;
      case groupStartType:
        return;
      case fixed32Type:
        this.pass(4);
        return;
      default:
        this.fail(`wire type ${wireType}`);
    }
  }

  private pass(length: number): void {
    if (length > this.end - this.at) this.fail("message ends inside a field");
    else this.at += length;
  }

  private expect(wireType: number): boolean {
    if (this.wireType === wireType) return this.failure === undefined;
    this.fail(`field ${this.field} has wire type ${this.wireType} instead of ${wireType}`);
    return false;
  }

  private expectLength(): number {
    if (!this.expect(lengthType)) return 0;
    const length = this.varint32();
    if (length <= this.end - this.at) return length;
    this.fail("message ends inside a field");
    return 0;
  }

  /** A tag or a length. What takes more than 32 bits is 2^32 - 1, so that no huge length wraps into a small one. */
  private varint32(): number {
    const { source, end } = this;
    let value = 0;
    for (let shift = 0; this.at < end; shift += 7) {
      const byte = source[this.at++] as number;
      const bits = byte & 0x7f;
      if (shift < 28) value |= bits << shift;
      else if (shift === 28 && bits <= 0x0f) value = (value | (bits << 28)) >>> 0;
      else if (bits !== 0) value = 0xffff_ffff;
      if (byte < 0x80) return value;
      if (shift >= 63) break;
    }
    this.fail(this.at < end ? "varint longer than 10 bytes" : "message ends inside a number");
    return 0;
  }

  private varint64(): number {
    const { source, end } = this;
    // Three parts of 28, 28 and 8 bits: none of them loses a bit, whatever the number.
    let low = 0;
    let middle = 0;
    let high = 0;
    for (let i = 0; this.at < end; i++) {
      const byte = source[this.at++] as number;
      const bits = byte & 0x7f;
      if (i < 4) low |= bits << (7 * i);
      else if (i < 8) middle |= bits << (7 * (i - 4));
      else high |= bits << (7 * (i - 8));
      if (byte < 0x80) return joinInt64(low, middle, high & 0xff);
      if (i >= 9) break;
    }
    this.fail(this.at < end ? "varint longer than 10 bytes" : "message ends inside a number");
    return 0;
  }
}

const doubleBytes = new Uint8Array(8);
const doubleView = new DataView(doubleBytes.buffer);

/** 0, -1, 1, -2 … of 0, 1, 2, 3 …; numbers beyond int64's positive half come as negative ones and are not told apart. */
function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** The text of `bytes[from, to)`; undefined where that is not UTF-8. */
export function decodeUtf8(bytes: Uint8Array, from: number, to: number): string | undefined {
  try {
    return strictUtf8.decode(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
  } catch {
    return undefined;
  }
}

function joinInt64(low: number, middle: number, high: number): number {
  if (high < 0x80) {
    return Math.min(high * 0x100_0000_0000_0000 + middle * 0x1000_0000 + low, Number.MAX_SAFE_INTEGER);
  }
  const below = (~high & 0xff) * 0x100_0000_0000_0000 + (~middle & 0xfff_ffff) * 0x1000_0000 + (~low & 0xfff_ffff);
  return -Math.min(below + 1, Number.MAX_SAFE_INTEGER);
}
