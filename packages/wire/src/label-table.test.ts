import { describe, expect, it } from "vitest";
import { createLabelTable } from "./label-table.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";

function encoded(name: string, value: string): Uint8Array {
  const writer = new ProtobufWriter();
  writer.text(1, name);
  writer.text(2, value);
  return writer.view();
}

function read(table: ReturnType<typeof createLabelTable>, bytes: Uint8Array): readonly string[] | undefined {
  const flat: string[] = [];
  return table.read(bytes, 0, bytes.length, flat, 0) ? flat : undefined;
}

describe("label table", () => {
  it("gives name and value, the first time and again, whatever the text", () => {
    const table = createLabelTable();
    for (const value of ["a", "\u{1f600}\uff5e", "x".repeat(100), "y".repeat(5000), "cluster-001"]) {
      for (const name of ["cluster", "\u00e9", "n".repeat(200)]) {
        expect(read(table, encoded(name, value))).toEqual([name, value]);
        expect(read(table, encoded(name, value))).toEqual([name, value]);
      }
    }
  });

  it("reads fields in any order and passes over unknown ones", () => {
    const bytes = Uint8Array.from([0x18, 1, 0x12, 1, 0x62, 0x0a, 1, 0x61]);
    expect(read(createLabelTable(), bytes)).toEqual(["a", "b"]);
  });

  for (const [rule, bytes] of [
    ["no name", encoded("", "b")],
    ["no value", encoded("a", "")],
    ["nothing", new Uint8Array(0)],
    ["not UTF-8", Uint8Array.from([0x0a, 1, 0xff, 0x12, 1, 0x62])],
    ["cut short", encoded("cluster", "cluster-001").subarray(0, 12)],
  ] as const) {
    it(`refuses a label: ${rule}`, () => {
      expect(read(createLabelTable(), bytes)).toBeUndefined();
    });
  }

  it("starts over when it is full of labels or bytes, and stays right", () => {
    for (const limits of [
      { labelsMax: 100, bytesMax: 1 << 20 },
      { labelsMax: 1 << 20, bytesMax: 1000 },
    ]) {
      const table = createLabelTable(limits);
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < 3000; i++) {
          expect(read(table, encoded("i", String(i)))).toEqual(["i", String(i)]);
          expect(table.size).toBeLessThanOrEqual(limits.labelsMax);
          expect(table.size * 6).toBeLessThanOrEqual(limits.bytesMax);
        }
      }
    }
  });

  it("keeps long labels out, so that they crowd out no others", () => {
    const table = createLabelTable();
    read(table, encoded("a", "x".repeat(10_000)));
    expect(table.size).toBe(0);
  });
});
