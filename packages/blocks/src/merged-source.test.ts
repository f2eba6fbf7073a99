import { collectSeries, labelsFromRecord, plainSelect, type SeriesSource } from "@pleiad/model";
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
