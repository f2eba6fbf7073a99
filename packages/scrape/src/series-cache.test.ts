import { seededRandom } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { benchPageReading, pageReadingKinds } from "./page-reading.bench.ts";
import { createSeriesCache, type SeriesCache } from "./series-cache.ts";

/** Reads a page of texts, one a line, as the parser would; says of each how it was found. */
function readPage(cache: SeriesCache<string>, lines: readonly string[], outcome: "commit" | "rollback" = "commit") {
  const page = new TextEncoder().encode(`${lines.join("\n")}\n`);
  const found: string[] = [];
  let start = 0;
  cache.begin();
  for (const line of lines) {
    const end = start + new TextEncoder().encode(line).length;
    const recognised = cache.recognise(page, start);
    let entry = cache.find(page, start, end);
    let how = recognised === end ? "at its place" : "by its hash";
    if (entry < 0) {
      entry = cache.add(page, start, end, `ref of ${line}`);
      how = "new";
    }
    expect(cache.refOf(entry)).toBe(`ref of ${line}`);
    found.push(cache.see(entry) ? how : `${how}, again`);
    start = end + 1;
  }
  cache[outcome]();
  return found;
}

describe("a series cache", () => {
  it("knows the lines of the last page at their places", () => {
    const cache = createSeriesCache<string>();
    expect(readPage(cache, ["a", "b", "c"])).toEqual(["new", "new", "new"]);
    expect(readPage(cache, ["a", "b", "c"])).toEqual(["at its place", "at its place", "at its place"]);
  });

  for (const [rule, next, found] of [
    ["a line that is new", ["a", "x", "b", "c"], ["at its place", "new", "at its place", "at its place"]],
    ["a line that is gone", ["a", "c", "d"], ["at its place", "by its hash", "at its place"]],
    ["lines that changed places", ["c", "d", "a", "b"], ["by its hash", "at its place", "by its hash", "at its place"]],
    ["a line that stands twice", ["a", "a", "b"], ["at its place", "by its hash, again", "at its place"]],
  ] as const) {
    it(`finds its way again after ${rule}`, () => {
      const cache = createSeriesCache<string>();
      readPage(cache, ["a", "b", "c", "d"]);
      expect(readPage(cache, next)).toEqual(found);
    });
  }

  it("forgets a page that was thrown away", () => {
    const cache = createSeriesCache<string>();
    readPage(cache, ["a", "b"]);
    expect(readPage(cache, ["a", "x", "y"], "rollback")).toEqual(["at its place", "new", "new"]);
    expect(cache.size).toBe(2);
    expect(readPage(cache, ["a", "b", "x"])).toEqual(["at its place", "at its place", "new"]);
  });

  it("drops texts that have long been gone, and keeps those that are there", () => {
    const cache = createSeriesCache<string>();
    const stable = Array.from({ length: 50 }, (_, i) => `stable{i="${i}"}`);
    for (let round = 0; round < 100; round++) {
      const passing = Array.from({ length: 40 }, (_, i) => `passing{round="${round}",i="${i}"}`);
      const found = readPage(cache, [...passing, ...stable]);
      if (round > 0) expect(found.slice(40)).not.toContain("new");
      expect(cache.size).toBeLessThan(400);
    }
  });

  it("agrees with a Map over random pages", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = seededRandom(seed);
      const cache = createSeriesCache<string>();
      for (let round = 0; round < 20; round++) {
        const lines = Array.from({ length: random.int(200) }, () => `m{l="${random.int(300)}"}`);
        const seen = new Set<string>();
        readPage(cache, lines, random.int(5) === 0 ? "rollback" : "commit").forEach((how, i) => {
          const line = lines[i] ?? "";
          expect(how.endsWith(", again"), `seed ${seed}`).toBe(seen.has(line));
          seen.add(line);
        });
      }
    }
  });

  it("runs its benchmark, with the same sum for every way of reading", () => {
    let tick = 0;
    const sums = pageReadingKinds.map((kind) => benchPageReading(kind, 40, 3, () => tick++).checksum);
    expect(new Set(sums).size).toBe(1);
  });
});
