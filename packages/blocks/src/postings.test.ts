import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { intersectPostings, subtractPostings, unitePostings } from "./postings.ts";

const postings = (most: number) =>
  fc.uniqueArray(fc.nat(most), { maxLength: 200 }).map((list) => Uint32Array.from(list).sort());
// Close together and far apart, short and long: bits and sorting, walking and searching.
const any = fc.oneof(postings(5), postings(300), postings(0xffff_ffff));
const sorted = (refs: Iterable<number>) => [...refs].sort((a, b) => a - b);

describe("postings combine as sets do", () => {
  it("intersection", () => {
    fc.assert(
      fc.property(any, any, (a, b) => {
        const inB = new Set(b);
        expect([...intersectPostings(a, b)]).toEqual([...a].filter((ref) => inB.has(ref)));
      }),
    );
  });

  it("difference", () => {
    fc.assert(
      fc.property(any, any, (a, b) => {
        const inB = new Set(b);
        expect([...subtractPostings(a, b)]).toEqual([...a].filter((ref) => !inB.has(ref)));
      }),
    );
  });

  it("union", () => {
    fc.assert(
      fc.property(fc.array(any, { maxLength: 6 }), (lists) => {
        expect([...unitePostings(lists)]).toEqual(sorted(new Set(lists.flatMap((list) => [...list]))));
      }),
    );
  });

  it("a short list with a long one, by search", () => {
    const long = Uint32Array.from({ length: 100_000 }, (_, i) => 3 * i);
    const short = Uint32Array.of(0, 1, 3, 299_997, 299_998);
    expect([...intersectPostings(short, long)]).toEqual([0, 3, 299_997]);
    expect([...subtractPostings(short, long)]).toEqual([1, 299_998]);
  });
});
