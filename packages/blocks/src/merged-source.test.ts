import {
  areSortedChunks,
  collectSeries,
  compareChunks,
  cursorOf,
  labelsEqual,
  labelsFromRecord,
  plainSelect,
  type SeriesSource,
  type SourceChunk,
  type SourceSeries,
} from "@pleiad/model";
import { runSeriesSourceAcceptance } from "@pleiad/model/acceptance";
import { memoryFiles } from "@pleiad/ports/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  blockOf,
  decode,
  dump,
  fileOf,
  linesOf,
  openTestBlock,
  startMs,
  testUlid,
  writeBlock,
  type TestSeries,
} from "./block.fixtures.ts";
import { mergeSources } from "./merged-source.ts";

const whole = { minTimeMs: 0, maxTimeMs: 9_000_001 };
const { signal } = new AbortController();

runSeriesSourceAcceptance("blocks that each have some of the series", async (series) => {
  const blocks = await Promise.all(
    [0, 1, 2].map((part) =>
      blockOf(
        series.filter((_, i) => i % 3 === part),
        whole,
      ),
    ),
  );
  return { source: mergeSources(blocks), decode };
});

runSeriesSourceAcceptance("blocks that each have some of the time", async (series) => {
  const cuts = [0, 60_001, 3_000_000, 9_000_001];
  const blocks = await Promise.all(
    cuts.slice(1).map((maxTimeMs, i) => {
      const minTimeMs = cuts[i] ?? 0;
      const part = series
        .map(({ labels, samples }) => ({ labels, samples: samples.filter(([t]) => t >= minTimeMs && t < maxTimeMs) }))
        .filter(({ samples }) => samples.length > 0);
      return blockOf(part, { minTimeMs, maxTimeMs });
    }),
  );
  return { source: mergeSources(blocks), decode };
});

const at = (...values: readonly number[]): TestSeries["samples"] =>
  values.map((value, i) => [startMs + i * 30_000, value] as const);
const named = (name: string) => labelsFromRecord({ __name__: name });

describe("merged sources", () => {
  it("give what one source with everything would", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uniqueArray(fc.nat(1500), { minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 6 }),
        async (lists) => {
          const blocks = await Promise.all(
            lists.map((list, hour) =>
              blockOf(list.map((i) => ({ labels: named(`m${i}`), samples: [[startMs + hour, i]] as const }))),
            ),
          );
          const byName = new Map<number, TestSeries["samples"][number][]>();
          lists.forEach((list, hour) => {
            for (const i of list) byName.set(i, [...(byName.get(i) ?? []), [startMs + hour, i]]);
          });
          const series = [...byName].map(([i, samples]) => ({ labels: named(`m${i}`), samples }));
          expect(await dump(mergeSources(blocks))).toEqual(linesOf(series));
        },
      ),
      { numRuns: 25 },
    );
  });

  it.each([2, 3, 16, 17, 40])("give what one source with everything would, as %i sources", async (count) => {
    // Chunks of time that many sources share, some byte for byte, some only by their times.
    const chunkOf = ([hour, byte]: readonly [number, number]): SourceChunk => ({
      minTimeMs: hour * 1000,
      maxTimeMs: hour * 1000 + 999,
      content: { kind: "raw", encoding: 1, data: Uint8Array.of(hour, byte) },
    });
    const sortedOnce = (chunks: readonly SourceChunk[]) =>
      [...new Map(chunks.map((chunk) => [textOf(chunk), chunk])).values()].map(textOf).sort();
    const textOf = ({ minTimeMs, content }: SourceChunk) =>
      `${String(minTimeMs).padStart(6, "0")} ${content.kind === "raw" ? content.data.join() : "?"}`;
    const chunksOfSeries = fc.uniqueArray(fc.tuple(fc.nat(9), fc.nat(2)), {
      ...{ minLength: 1, maxLength: 4, selector: (chunk) => chunk.join() },
    });
    const sources = fc.array(fc.dictionary(fc.constantFrom("a", "b", "c", "d"), chunksOfSeries, { maxKeys: 4 }), {
      minLength: count,
      maxLength: count,
    });
    await fc.assert(
      fc.asyncProperty(sources, async (contents) => {
        const lists = contents.map((content) =>
          Object.entries(content)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([name, chunks]) => ({ labels: named(name), chunks: chunks.map(chunkOf).sort(compareChunks) })),
        );
        const of = (list: readonly SourceSeries[]): SeriesSource => ({
          select: () => cursorOf(list),
          labelNames: () => Promise.reject(new Error("not asked")),
          labelValues: () => Promise.reject(new Error("not asked")),
        });
        const merged = await collectSeries(mergeSources(lists.map(of)).select(plainSelect, signal));
        const all = lists.flat();
        const names = [...new Set(all.map(({ labels }) => labels[1] ?? ""))].sort();
        expect(merged.series.map(({ labels }) => labels)).toEqual(names.map(named));
        for (const { labels, chunks } of merged.series) {
          expect(areSortedChunks(chunks)).toBe(true);
          const expected = all.filter((one) => labelsEqual(one.labels, labels)).flatMap((one) => one.chunks);
          expect(chunks.map(textOf).sort()).toEqual(sortedOnce(expected));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("give a chunk once that several have", async () => {
    const blocks = await Promise.all([1, 2, 3].map(() => blockOf([{ labels: named("a"), samples: at(1, 2) }])));
    expect(await dump(mergeSources(blocks))).toEqual(linesOf([{ labels: named("a"), samples: at(1, 2) }]));
  });

  it("that are closed give no more of what they hold", async () => {
    const many = (name: string) => Array.from({ length: 600 }, (_, i) => ({ labels: named(name + i), samples: at(i) }));
    const source = mergeSources(await Promise.all(["a", "b"].map((name) => blockOf(many(name)))));
    const cursor = source.select(plainSelect, signal);
    expect(await cursor.next()).toHaveLength(512);
    cursor.close();
    expect(await cursor.next()).toBeUndefined();
    expect(cursor.failure).toBeUndefined();
  });

  it("of no sources have nothing", async () => {
    expect(await dump(mergeSources([]))).toEqual([]);
  });

  describe("of which one is damaged", () => {
    const damaged = async (): Promise<SeriesSource> => {
      const files = memoryFiles();
      await writeBlock(files, [{ labels: named("a"), samples: at(1) }]);
      const chunks = fileOf(files, "chunks/000001");
      chunks[12] = (chunks[12] ?? 0) ^ 1;
      return mergeSources([await openTestBlock(files), await blockOf([{ labels: named("b"), samples: at(2) }])]);
    };
    const select = async (onFailure: "warn" | "abort") =>
      collectSeries((await damaged()).select({ ...plainSelect, onFailure }, signal));

    it("give the rest with a warning that names it", async () => {
      const { series, failure, warnings } = await select("warn");
      expect(failure).toBeUndefined();
      expect(series.map((one) => one.labels)).toEqual([named("b")]);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toContain(testUlid);
      expect(warnings[0]).toContain("checksum");
    });

    it("fail where the whole answer is wanted", async () => {
      expect((await select("abort")).failure?.kind).toBe("corrupt");
    });
  });
});
