/** DER, as far as certificates need it: values as tag, length and content. The standard is ITU-T X.690. */

export function derValue(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const head = [tag, ...lengthBytes(length)];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

/** Below 128 one byte; else the count of bytes that follow, and these. */
function lengthBytes(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const bytes = bigEndian(length, 256);
  return [0x80 | bytes.length, ...bytes];
}

export const derSequence = (...parts: readonly Uint8Array[]) => derValue(0x30, ...parts);
export const derSet = (...parts: readonly Uint8Array[]) => derValue(0x31, ...parts);
export const derOctetString = (bytes: Uint8Array) => derValue(0x04, bytes);
export const derTrue = derValue(0x01, Uint8Array.of(0xff));
/** A whole number of bytes. */
export const derBitString = (bytes: Uint8Array) => derValue(0x03, Uint8Array.of(0), bytes);
export const derUtf8String = (text: string) => derValue(0x0c, new TextEncoder().encode(text));

/** Flags from the first bit on; trailing bits that are not set are left out, as DER demands of named bits. */
export function derNamedBits(bits: readonly number[]): Uint8Array {
  const last = Math.max(...bits);
  const bytes = new Uint8Array((last >> 3) + 1);
  for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return derValue(0x03, Uint8Array.of(7 - (last & 7)), bytes);
}

/** A number that is not negative, from its bytes, the highest first. */
export function derInteger(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => byte !== 0);
  const digits = start < 0 ? Uint8Array.of(0) : bytes.subarray(start);
  // A first bit that is set would make it negative.
  return derValue(0x02, ...((digits[0] ?? 0) >= 0x80 ? [Uint8Array.of(0)] : []), digits);
}

/** `2.5.29.17` */
export function derObjectId(text: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const numbers = [first * 40 + second, ...rest];
  const bytes = numbers.flatMap((number) => {
    const digits = bigEndian(number, 128);
    return digits.map((digit, i) => (i < digits.length - 1 ? digit | 0x80 : digit));
  });
  return derValue(0x06, Uint8Array.from(bytes));
}

/** To the second. Certificates write years before 2050 with two digits. */
export function derTime(timeMs: number): Uint8Array {
  const text = new Date(timeMs).toISOString().replace(/[-:T]|\.\d+/g, "");
  const isShort = Number(text.slice(0, 4)) < 2050;
  return derValue(isShort ? 0x17 : 0x18, new TextEncoder().encode(isShort ? text.slice(2) : text));
}

function bigEndian(number: number, base: number): readonly number[] {
  const digits: number[] = [];
  for (let rest = number; rest > 0 || digits.length === 0; rest = Math.floor(rest / base)) digits.unshift(rest % base);
  return digits;
}
