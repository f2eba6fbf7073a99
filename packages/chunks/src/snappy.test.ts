import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeSnappy } from "./snappy.ts";

const read = (bytes: readonly number[], bytesMax = 1000) =>
  decodeSnappy(Uint8Array.from(bytes), 0, bytes.length, bytesMax);
const text = (ascii: string) => [...new TextEncoder().encode(ascii)];

/** A block of literals of at most `pieceBytes`, and of copies of what stands `offset` before, where that fits. */
function blockOf(bytes: Uint8Array, pieceBytes: number): number[] {
  const block: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    block.push(rest >= 0x80 ? (rest & 0x7f) | 0x80 : rest);
    if (rest < 0x80) break;
  }
  for (let at = 0; at < bytes.length;) {
    const copy = copyAt(bytes, at);
    if (copy !== undefined) {
      block.push(((copy.count - 1) << 2) | 2, copy.offset & 0xff, copy.offset >>> 8);
      at += copy.count;
      continue;
    }
    const count = Math.min(pieceBytes, bytes.length - at);
    if (count <= 60) block.push((count - 1) << 2);
    else block.push(61 << 2, (count - 1) & 0xff, (count - 1) >>> 8);
    block.push(...bytes.subarray(at, at + count));
    at += count;
  }
  return block;
}

function copyAt(bytes: Uint8Array, at: number): { offset: number; count: number } | undefined {
  for (let offset = 1; offset <= Math.min(at, 50); offset++) {
    let count = 0;
    while (count < 64 && at + count < bytes.length && bytes[at + count] === bytes[at + count - offset]) count++;
    if (count >= 4) return { offset, count };
  }
  return undefined;
}

describe("a snappy block", () => {
  for (const [rule, block, expected] of [
    ["of nothing", [0], []],
    ["of one literal", [5, 4 << 2, ...text("hello")], text("hello")],
    ["of a literal whose length has a byte of its own", [3, 60 << 2, 2, ...text("abc")], text("abc")],
    ["with a copy of one byte's offset", [8, 3 << 2, ...text("abcd"), 0b000_000_01, 4], text("abcdabcd")],
    ["with a copy of two bytes' offset", [6, 2 << 2, ...text("abc"), (2 << 2) | 2, 3, 0], text("abcabc")],
    ["with a copy of four bytes' offset", [6, 2 << 2, ...text("abc"), (2 << 2) | 3, 3, 0, 0, 0], text("abcabc")],
    ["with a copy that reaches into what it writes", [7, 0, ...text("a"), (5 << 2) | 2, 1, 0], text("aaaaaaa")],
  ] as const) {
    it(`${rule} is read`, () => expect(read(block)).toEqual({ ok: true, value: Uint8Array.from(expected) }));
  }

  for (const [reason, block] of [
    ["the block has no length", []],
    ["the block has no length", [0x80]],
    ["the block has no length", [0xff, 0xff, 0xff, 0xff, 0xff, 0]],
    ["a block of 1001 bytes, the limit is 1000", [0xe9, 0x07, 0]],
    ["1 bytes cannot be a block of 1000", [0xe8, 0x07, 0]],
    ["the block is cut short", [5, 4 << 2, ...text("hell")]],
    ["the block is cut short", [5, 61 << 2, 4]],
    ["the block is cut short", [8, 3 << 2, ...text("abcd"), 2, 1]],
    ["the block is longer than it says", [4, 4 << 2, ...text("hello")]],
    ["the block is longer than it says", [5, 3 << 2, ...text("abcd"), 0b000_000_01, 4]],
    ["the block is shorter than it says", [6, 4 << 2, ...text("hello")]],
    ["a copy from before the block", [8, 3 << 2, ...text("abcd"), 0b000_000_01, 5]],
    ["a copy from before the block", [8, 3 << 2, ...text("abcd"), 0b000_000_01, 0]],
  ] as const) {
    it(`is refused: ${reason} (${block.join(" ")})`, () => {
      expect(read(block)).toEqual({ ok: false, failure: `snappy: ${reason}` });
    });
  }

  it("gives back what went in", () => {
    const bytes = fc
      .array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 90 })), { maxLength: 40 })
      .map((runs) => Uint8Array.from(runs.flatMap(([byte, count]) => Array<number>(count).fill(byte))));
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 300 }), (content, pieceBytes) => {
        expect(read(blockOf(content, pieceBytes), 1e6)).toEqual({ ok: true, value: content });
      }),
    );
  });

  it("of any bytes gives a block of the length told, or a reason", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const result = decodeSnappy(bytes, 0, bytes.length, 1000);
        if (result.ok) expect(result.value.length).toBe(bytes[0] < 0x80 ? bytes[0] : result.value.length);
        else expect(result.failure).toMatch(/^snappy: /);
      }),
      { numRuns: 2000 },
    );
  });
});
