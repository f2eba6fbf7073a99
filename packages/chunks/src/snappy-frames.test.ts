import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeSnappyFrames, encodeSnappyFrames } from "./snappy-frames.ts";

const identifier = "ff060000734e61507059";
/** `abc` as golang/snappy frames it. */
const abc = "010700006e57f121616263";

const bytesOf = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const page = new TextEncoder().encode(
  [
    'node_cpu_seconds_total{cpu="0",mode="idle"} 1\n',
    'node_cpu_seconds_total{cpu="0",mode="user"} 2\n',
    'node_cpu_seconds_total{cpu="1",mode="idle"} 3\n',
  ].join(""),
);
const abcBytes = new TextEncoder().encode("abc");

describe("a stream of snappy frames", () => {
  it("is what golang/snappy writes and reads", () => {
    expect(encodeSnappyFrames(abcBytes)).toEqual(bytesOf(identifier + abc));
    const framed =
      "/wYAAHNOYVBwWQBOAACguUdTigG4bm9kZV9jcHVfc2Vjb25kc190b3RhbHtjcHU9IjAiLG1vZGU9ImlkbGUifSAxCm6OLgAcdXNlciJ9IDJyLgAEMSI2XAAEMwo=";
    expect(decodeSnappyFrames(new Uint8Array(Buffer.from(framed, "base64")), 1000)).toEqual({ ok: true, value: page });
  });

  for (const [rule, hex, content] of [
    ["of nothing", "", ""],
    ["of an identifier alone", identifier, ""],
    ["of a frame as it is", identifier + abc, "abc"],
    ["of two frames", identifier + abc + abc, "abcabc"],
    ["with padding and what is reserved to be passed over", `${identifier}fe0200000000${abc}80010000aa`, "abc"],
    ["that begins anew", identifier + abc + identifier + abc, "abcabc"],
  ] as const) {
    it(`${rule} is read`, () => {
      const value = new TextEncoder().encode(content);
      expect(decodeSnappyFrames(bytesOf(hex), 100)).toEqual({ ok: true, value });
    });
  }

  for (const [reason, hex] of [
    ["the stream does not begin with its identifier", abc],
    ["the frame at byte 0 is not the identifier that it says", "ff060000734e61507058"],
    ["the frame at byte 10 is cut short", identifier + abc.slice(0, -2)],
    ["the frame at byte 10 is cut short", `${identifier}01`],
    ["type 2, in the frame at byte 10", `${identifier}02010000aa`],
    ["no checksum, in the frame at byte 10", `${identifier}01030000aaaaaa`],
    ["the checksum does not fit, in the frame at byte 10", identifier + abc.replace("616263", "616264")],
    ["65537 bytes, a frame has at most 65536, in the frame at byte 10", `${identifier}000800000000000081800400`],
  ] as const) {
    it(`is refused as damage: ${reason}`, () => {
      const failure = { kind: "corrupt", reason: `snappy: ${reason}` };
      expect(decodeSnappyFrames(bytesOf(hex), 5)).toEqual({ ok: false, failure });
    });
  }

  for (const [reason, hex] of [
    ["3 bytes, the limit is 2, in the frame at byte 21", identifier + abc + abc],
    ["60000 bytes, the limit is 5, in the frame at byte 10", `${identifier}0008000000000000e0d40300`],
  ] as const) {
    it(`is refused as too long: ${reason}`, () => {
      const failure = { kind: "too-long", reason: `snappy: ${reason}` };
      expect(decodeSnappyFrames(bytesOf(hex), 5)).toEqual({ ok: false, failure });
    });
  }

  it("gives back what went in, over many frames too", () => {
    const content = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(2000)).map(([part, count]) => {
      const bytes = new Uint8Array(part.length * count);
      for (let i = 0; i < bytes.length; i++) bytes[i] = part[i % part.length] ?? 0;
      return bytes;
    });
    fc.assert(
      fc.property(content, (bytes) => {
        const decoded = decodeSnappyFrames(encodeSnappyFrames(bytes), bytes.length);
        // Large arrays are compared by their bytes: an assertion library walks them one by one.
        expect(decoded.ok && Buffer.compare(decoded.value, bytes)).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  it("of any bytes gives a content or a reason", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (noise) => {
        const stream = Uint8Array.of(...bytesOf(identifier), ...noise);
        const decoded = decodeSnappyFrames(stream, 1000);
        expect(decoded.ok ? "snappy: read" : decoded.failure.reason).toMatch(/^snappy: /);
      }),
      { numRuns: 1000 },
    );
  });
});
