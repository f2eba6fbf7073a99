import { describe, expect, it } from "vitest";
import { KeptLabelValues } from "./kept-label-values.ts";
import type { LocalBlock } from "./local-blocks.ts";

/** Blocks of [0, 10), [10, 20), [20, 30); only their times are looked at. */
const blocks = [0, 10, 20].map((minTimeMs) => ({ meta: { minTimeMs, maxTimeMs: minTimeMs + 10 } })) as LocalBlock[];
const times = (minTimeMs: number, maxTimeMs: number) => ({ minTimeMs, maxTimeMs });
const asked = ({ minTimeMs, maxTimeMs }: ReturnType<typeof times>) =>
  blocks
    .filter(({ meta }) => meta.minTimeMs <= maxTimeMs && meta.maxTimeMs > minTimeMs)
    .map(({ meta }) => meta.minTimeMs);

describe("values of a label that were kept", () => {
  it("are those of every other question to the same blocks, and of no question to others", () => {
    const wrong: string[] = [];
    const spans = Array.from({ length: 36 }, (_, i) => i - 3).flatMap((start) =>
      Array.from({ length: 33 - start }, (_, length) => times(start, start + length)),
    );
    const chosen = new Map(spans.map((span) => [span, asked(span).join()]));
    for (const span of spans) {
      const kept = new KeptLabelValues();
      kept.keep("pod", span, blocks, ["a"]);
      for (const other of spans) {
        const isKept = kept.of("pod", other, blocks) !== undefined;
        const isSame = chosen.get(span) === chosen.get(other);
        // Times without blocks are told apart, those before them from those behind, which does no harm.
        const isHarmless = isSame && !isKept && chosen.get(span) === "";
        if (isKept !== isSame && !isHarmless) wrong.push(JSON.stringify([span, other]));
      }
    }
    expect(wrong).toEqual([]);
  });

  it("are gone when the folder has other blocks, and for another label", () => {
    const kept = new KeptLabelValues();
    kept.keep("pod", times(0, 5), blocks, ["a"]);
    expect(kept.of("pod", times(0, 5), blocks)).toEqual(["a"]);
    expect(kept.of("job", times(0, 5), blocks)).toBeUndefined();
    expect(kept.of("pod", times(0, 5), [...blocks])).toBeUndefined();
    const fewer = blocks.slice(1);
    kept.keep("job", times(0, 15), fewer, ["b"]);
    expect(kept.of("pod", times(0, 5), blocks)).toBeUndefined();
    expect(kept.of("job", times(0, 15), fewer)).toEqual(["b"]);
  });

  it("are of so many labels at most, the oldest go first", () => {
    const kept = new KeptLabelValues();
    for (let i = 0; i < 65; i++) kept.keep(`label${i}`, times(0, 5), blocks, []);
    expect(kept.of("label0", times(0, 5), blocks)).toBeUndefined();
    expect(kept.of("label1", times(0, 5), blocks)).toEqual([]);
  });
});
