import type { BlockSeries } from "@pleiad/blocks";
import { compareLabels, compareText, formatLabels, labelsFromRecord } from "@pleiad/model";
import { seededRandom } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { isAscending, mergeSeries, mergeSymbols } from "./series-merge.ts";

async function* streamOf<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

const series = (name: string): BlockSeries => ({ ref: 0, labels: labelsFromRecord({ __name__: name }), chunks: [] });

describe("mergeSeries", () => {
  it("gives each label set once, with the inputs that have it", async () => {
    const inputs = [["a", "c", "d"], [], ["b", "c"], ["c", "e"]].map((names) => streamOf(names.map(series)));
    const merged = await collect(mergeSeries(inputs));
    expect(merged.map(({ labels, inputs }) => `${formatLabels(labels)} ${inputs.join(",")}`)).toEqual([
      "a 0",
      "b 2",
      "c 0,2,3",
      "d 0",
      "e 3",
    ]);
  });

  it("is sorted, for any inputs", async () => {
    for (let seed = 0; seed < 50; seed++) {
      const random = seededRandom(seed);
      const inputs = Array.from({ length: random.int(30) }, () => {
        const names = new Set(
          Array.from({ length: random.int(40) }, () => String.fromCodePoint(33 + random.int(60_000))),
        );
        return [...names].filter((name) => name.isWellFormed()).map(series);
      }).map((list) => list.sort((a, b) => compareLabels(a.labels, b.labels)));
      const merged = await collect(mergeSeries(inputs.map(streamOf)));
      expect(
        merged.reduce((sum, { parts }) => sum + parts.length, 0),
        `seed ${seed}`,
      ).toBe(inputs.flat().length);
      merged.forEach(({ labels }, i) => expect(isAscending(merged[i - 1]?.labels, labels), `seed ${seed}`).toBe(true));
    }
  });

  it("ends its inputs when it is left, or when one breaks", async () => {
    let ended = 0;
    async function* endless(breaksAt: number): AsyncGenerator<BlockSeries> {
      try {
        for (let i = 1000; ; i++) {
          if (i === breaksAt) throw new Error("the input broke");
          yield series(`s${i}`);
        }
      } finally {
        ended++;
      }
    }
    for await (const { labels } of mergeSeries([endless(0), endless(0)])) if (formatLabels(labels) === "s1005") break;
    expect(ended).toBe(2);
    await expect(collect(mergeSeries([endless(0), endless(1010)]))).rejects.toThrow("the input broke");
    expect(ended).toBe(4);
  });
});

describe("mergeSymbols", () => {
  it("gives each text once, by its UTF-8 bytes", async () => {
    const inputs = [
      ["", "a", "\uFF5E", "\u{1F600}"],
      ["a", "b", "\u{1F600}"],
    ].map((texts) => texts.sort(compareText));
    expect(await collect(mergeSymbols(inputs.map(streamOf)))).toEqual(["", "a", "b", "\uFF5E", "\u{1F600}"]);
  });
});
