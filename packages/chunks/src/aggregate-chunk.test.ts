import type { Aggregate, EncodedChunk } from "@pleiad/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aggregates, encodeAggregateChunk, parseAggregateChunk } from "./aggregate-chunk.ts";

const chunk = (encoding: 1 | 3, ...bytes: number[]): EncodedChunk => ({ encoding, data: Uint8Array.from(bytes) });
const parsed = (data: Uint8Array) => {
  const result = parseAggregateChunk(data);
  return result.ok ? [...result.value] : result.failure.kind;
};

describe("aggregate chunks", () => {
  it("store count, sum, min, max and counter in this order, length, encoding and bytes of each", () => {
    const of = new Map<Aggregate, EncodedChunk>([
      ["counter", chunk(1, 9)],
      ["min", chunk(1, 7, 8)],
      ["count", chunk(1, 1, 2, 3)],
      ["max", chunk(1, 5)],
      ["sum", chunk(3, 4, 4)],
    ]);
    const data = encodeAggregateChunk(of);
    expect([...data]).toEqual([3, 1, 1, 2, 3, 2, 3, 4, 4, 2, 1, 7, 8, 1, 1, 5, 1, 1, 9]);
    expect(parsed(data)).toEqual(aggregates.map((aggregate) => [aggregate, of.get(aggregate)]));
  });

  it("store a 0 for an aggregate that is not there, and nothing else of it", () => {
    const data = encodeAggregateChunk(new Map([["sum", chunk(3, 4)]]));
    expect([...data]).toEqual([0, 1, 3, 4, 0, 0, 0]);
    expect(parsed(data)).toEqual([["sum", chunk(3, 4)]]);
  });

  it.each([
    ["nothing", [], "truncated"],
    ["the end within an aggregate", [3, 1, 1, 2], "truncated"],
    ["the end within a length", [0, 0x80], "truncated"],
    ["a missing aggregate", [0, 0, 0, 0], "truncated"],
    ["a length beyond 32 bits", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "corrupt"],
    ["a length beyond the chunk", [0xff, 0xff, 0xff, 0xff, 0x0f, 1, 1], "truncated"],
    ["bytes after the last aggregate", [0, 0, 0, 0, 0, 1], "corrupt"],
    ["an encoding that does not exist", [1, 7, 1, 0, 0, 0, 0], "unsupported-encoding"],
  ])("are refused: %s", (_, bytes, kind) => {
    expect(parsed(Uint8Array.from(bytes))).toBe(kind);
  });

  it("come back as they went in, and end on any bytes", () => {
    const chunks = fc.record({
      encoding: fc.constantFrom<1 | 2 | 3>(1, 2, 3),
      data: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    });
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(fc.constantFrom(...aggregates), chunks), { selector: ([a]) => a }), (of) => {
        const data = encodeAggregateChunk(new Map(of));
        const wanted = of.sort(([a], [b]) => aggregates.indexOf(a) - aggregates.indexOf(b));
        expect(parsed(data)).toEqual(wanted);
        for (let end = 0; end < data.length; end += 7) expect(typeof parsed(data.subarray(0, end))).toBe("string");
      }),
      { numRuns: 100 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (data) => {
        parsed(data);
      }),
      { numRuns: 300 },
    );
  });
});
