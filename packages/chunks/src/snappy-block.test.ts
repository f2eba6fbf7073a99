import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeSnappyBlock, encodeSnappyBlock, snappyBlockLength } from "./snappy-block.ts";

const utf8 = new TextEncoder();
const page = utf8.encode(
  ["idle", "user"]
    .map((mode) => `node_cpu_seconds_total{cpu="0",mode="${mode}"} 1\n`)
    .join("")
    .repeat(3),
);
/** Text of few letters, so that much repeats, at every distance and length. */
const repetitive = fc
  .array(fc.tuple(fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 90 }), fc.nat(40)), { maxLength: 30 })
  .map((parts) => utf8.encode(parts.map(([text, count]) => text.repeat(count)).join("")));

describe("a snappy block", () => {
  for (const [rule, bytes, block] of [
    ["of nothing is a length", "", [0]],
    ["of what does not repeat is a literal", "abc", [3, 2 << 2, 0x61, 0x62, 0x63]],
    [
      "has a copy in its short form for 4 to 11 bytes",
      "abcdefabcdefABCDEFGHIJKLMNOP",
      [28, 5 << 2, ...utf8.encode("abcdef"), (2 << 2) | 1, 6, 15 << 2, ...utf8.encode("ABCDEFGHIJKLMNOP")],
    ],
    [
      "has one copy for up to 64 bytes",
      `${"-".repeat(65)}ABCDEFGHIJKLMNOP`,
      [81, 0, 0x2d, (63 << 2) | 2, 1, 0, 15 << 2, ...utf8.encode("ABCDEFGHIJKLMNOP")],
    ],
  ] as const) {
    it(rule, () => expect([...encodeSnappyBlock(utf8.encode(bytes))]).toEqual(block));
  }

  it("gives back what went in", () => {
    fc.assert(
      fc.property(fc.oneof(repetitive, fc.uint8Array({ maxLength: 2000 })), (bytes) => {
        expect(decodeSnappyBlock(encodeSnappyBlock(bytes), bytes.length)).toEqual({ ok: true, value: bytes });
      }),
      { numRuns: 300 },
    );
  });

  for (const bytes of [65_535, 65_536, 65_537, 200_000]) {
    it(`gives back ${bytes} bytes, though copies end with their piece`, () => {
      const content = new Uint8Array(bytes);
      for (let i = 0; i < bytes; i++) content[i] = page[i % page.length] ?? 0;
      const block = encodeSnappyBlock(content);
      expect(block.length).toBeLessThan(bytes / 10);
      expect(decodeSnappyBlock(block, bytes)).toEqual({ ok: true, value: content });
    });
  }

  it("of what never repeats is hardly longer than that", () => {
    let state = 1;
    const noise = Uint8Array.from({ length: 100_000 }, () => (state = Math.imul(state, 48_271) % 0x7fffffff));
    expect(encodeSnappyBlock(noise).length).toBeLessThan(noise.length + 64);
  });

  it("tells its length before it is read", () => {
    for (const bytes of [0, 127, 128, 100_000]) {
      expect(snappyBlockLength(encodeSnappyBlock(new Uint8Array(bytes)))).toBe(bytes);
    }
    expect(snappyBlockLength(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f))).toBe(2 ** 32 - 1);
    for (const nothing of [[], [0x80], [0xff, 0xff, 0xff, 0xff, 0xff, 0]]) {
      expect(snappyBlockLength(Uint8Array.from(nothing))).toBeUndefined();
    }
  });

  it("that says more than is allowed is refused before memory is taken for it", () => {
    const bomb = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0);
    const failure = "snappy: a block of 4294967295 bytes, the limit is 1000000";
    expect(decodeSnappyBlock(bomb, 1_000_000)).toEqual({ ok: false, failure });
    expect(decodeSnappyBlock(bomb, 2 ** 33)).toMatchObject({ ok: false });
  });
});
