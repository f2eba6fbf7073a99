import { seededRandom } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { LabelTally } from "./label-tally.ts";

type Triple = readonly [ref: number, name: number, value: number];

/** The lists of postings of these triples, in any order of labels. */
function listed(triples: readonly Triple[], refs: readonly number[]): LabelTally {
  const lists = new Map<string, number[]>([["-1 -1", [...refs]]]);
  for (const [ref, name, value] of triples) {
    const key = `${name} ${value}`;
    const list = lists.get(key);
    if (list === undefined) lists.set(key, [ref]);
    else list.push(ref);
  }
  const tally = new LabelTally();
  for (const [key, list] of [...lists].reverse()) {
    const [name = 0, value = 0] = key.split(" ").map(Number);
    expect(tally.addPostings(contentOf(list), name, value)).toBe(true);
  }
  return tally;
}

function contentOf(refs: readonly number[], count = refs.length): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 + 4 * refs.length));
  view.setUint32(0, count);
  for (const [i, ref] of refs.entries()) view.setUint32(4 + 4 * i, ref);
  return new Uint8Array(view.buffer);
}

describe("a tally of labels", () => {
  it("is the same by series and by label, and another where one triple is another", () => {
    for (let seed = 0; seed < 100; seed++) {
      const random = seededRandom(seed);
      const refs = Array.from({ length: 1 + random.int(30) }, (_, i) => 100 + 3 * i);
      const triples: Triple[] = [];
      const bySeries = new LabelTally();
      for (const ref of refs) {
        const symbols = Array.from({ length: random.int(6) }, (_, i) => [10 * i, 1000 + random.int(5)]);
        bySeries.addSeries(ref, symbols.flat());
        for (const [name = 0, value = 0] of symbols) triples.push([ref, name, value]);
      }
      expect(bySeries.equals(listed(triples, refs)), `seed ${seed}`).toBe(true);
      const at = random.int(triples.length);
      const [ref = 0, name = 0, value = 0] = triples[at] ?? [];
      if (triples.length === 0) continue;
      for (const changed of [
        [ref, name, value + 7],
        [ref, name + 1, value],
        [ref + 1, name, value],
      ] as const) {
        expect(bySeries.equals(listed(triples.with(at, changed), refs)), `seed ${seed}`).toBe(false);
      }
      expect(bySeries.equals(listed(triples.toSpliced(at, 1), refs)), `seed ${seed}`).toBe(false);
    }
  });

  it.each([
    ["that do not ascend", contentOf([5, 5])],
    ["that descend", contentOf([5, 4])],
    ["fewer than they say", contentOf([5, 6], 3)],
    ["more than they say", contentOf([5, 6], 1)],
    ["without their number", new Uint8Array(3)],
  ])("takes no postings %s", (_rule, content) => {
    expect(new LabelTally().addPostings(content, 1, 2)).toBe(false);
  });
});
