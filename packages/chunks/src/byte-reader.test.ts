import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "vitest";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";

const written = (write: (writer: ByteWriter) => void): Uint8Array => {
  const writer = new ByteWriter(1);
  write(writer);
  return writer.view().slice();
};
const readerOf = (bytes: Uint8Array) => new ByteReader(bytes, 0, bytes.length);

describe("numbers and texts as Prometheus writes them", () => {
  for (const [what, write, bytes] of [
    ["32 bits are big-endian", (to) => to.u32(0x01020384), [1, 2, 3, 0x84]],
    ["64 bits are two's complement", (to) => to.i64(-2), [255, 255, 255, 255, 255, 255, 255, 254]],
    ["uvarints have 7 bits a byte, the lowest first", (to) => to.uvarint(300), [0xac, 0x02]],
    ["varints are zigzag", (to) => to.varint(-3), [0x05]],
    ["texts have their length in bytes before them", (to) => to.text("é"), [2, 0xc3, 0xa9]],
  ] as const satisfies readonly (readonly [string, (to: ByteWriter) => void, readonly number[]])[]) {
    it(what, () => assert.deepEqual([...written(write)], bytes));
  }

  type Item =
    | { readonly kind: "u8" | "u32" | "i64" | "uvarint" | "varint"; readonly value: number }
    | { readonly kind: "text"; readonly value: string };
  const numbers = (kind: "u8" | "u32" | "i64" | "uvarint" | "varint", min: number, max: number) =>
    // Short and long ones alike: each length of a varint has a way of its own through the reader.
    fc
      .tuple(fc.maxSafeInteger(), fc.nat(52))
      .map(([value, bits]): Item => ({ kind, value: Math.min(max, Math.max(min, Math.trunc(value / 2 ** bits))) }));
  const items = fc.array(
    fc.oneof(
      numbers("u8", 0, 255),
      numbers("u32", 0, 0xffff_ffff),
      numbers("i64", Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
      numbers("uvarint", 0, Number.MAX_SAFE_INTEGER),
      numbers("varint", Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
      fc.string({ unit: "grapheme", maxLength: 60 }).map((value): Item => ({ kind: "text", value })),
    ),
  );
  const write = (list: readonly Item[]) =>
    written((to) => {
      for (const item of list) {
        if (item.kind === "text") to.text(item.value);
        else to[item.kind](item.value);
      }
    });

  it("everything that was written is read again", () => {
    fc.assert(
      fc.property(items, (list) => {
        const from = readerOf(write(list));
        for (const { kind, value } of list) assert.equal(from[kind](), value === 0 ? 0 : value);
        assert.ok(from.done && !from.failed);
      }),
    );
  });

  it("what is cut short fails, and gives nothing more", () => {
    fc.assert(
      fc.property(items, fc.nat(), (list, cut) => {
        const bytes = write(list);
        fc.pre(bytes.length > 0);
        const end = cut % bytes.length;
        // What lies behind the end belongs to someone else.
        const from = new ByteReader(bytes, 0, end);
        for (const { kind } of list) from[kind]();
        assert.ok(from.failed && from.done);
        assert.equal(from.uvarint(), 0);
        assert.equal(from.text(), "");
      }),
    );
  });
});

describe("bytes that nobody wrote so", () => {
  for (const [what, bytes, read] of [
    ["a uvarint that has no end", Array.from({ length: 12 }, () => 0xff), (from) => from.uvarint()],
    ["a number that no double holds", [0x7f, 255, 255, 255, 255, 255, 255, 255], (from) => from.i64()],
    ["a varint that no double holds", [255, 255, 255, 255, 255, 255, 255, 255, 0x7f], (from) => from.varint()],
    ["a text that is no UTF-8", [2, 0xc3, 0x28], (from) => from.text()],
    ["a text longer than there are bytes", [5, 0x61], (from) => from.text()],
  ] as const satisfies readonly (readonly [string, readonly number[], (from: ByteReader) => unknown])[]) {
    it(`${what} fails`, () => {
      const from = readerOf(Uint8Array.from(bytes));
      read(from);
      assert.ok(from.failed);
    });
  }
});
