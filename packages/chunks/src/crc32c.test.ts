import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "./crc32c.ts";

const text = new TextEncoder();

describe("CRC-32C", () => {
  // The last four are the examples of RFC 3720, B.4.
  it.each([
    ["no bytes", new Uint8Array(0), 0],
    ["the check value of the catalogue", text.encode("123456789"), 0xe3069283],
    ["32 bytes of zeros", new Uint8Array(32), 0x8a9136aa],
    ["32 bytes of ones", new Uint8Array(32).fill(255), 0x62a8ab43],
    ["0 to 31", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ["31 to 0", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ])("of %s", (_, bytes, sum) => {
    expect(crc32c(bytes)).toBe(sum);
  });

  it("is that of the part that is named, wherever it lies", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(20), fc.nat(20), (bytes, before, after) => {
        const padded = new Uint8Array(before + bytes.length + after).fill(7);
        padded.set(bytes, before);
        expect(crc32c(padded, before, before + bytes.length)).toBe(bitwise(bytes));
      }),
    );
  });

  it("of a run is summed piece by piece", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(60), (bytes, cut) => {
        const first = crc32c(bytes, 0, Math.min(cut, bytes.length));
        expect(crc32c(bytes, Math.min(cut, bytes.length), bytes.length, first)).toBe(crc32c(bytes));
      }),
    );
  });
});

function bitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
