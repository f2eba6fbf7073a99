import { describe, expect, it } from "vitest";
import { findExpired, planDownsampling, retentionFault, type Retention } from "./block-lifetime.ts";
import { hourMs, metaOf } from "./compaction.fixtures.ts";

const fiveMinutes = 300_000;
const oneHour = 3_600_000;
const none: ReadonlySet<string> = new Set();
const raw = (ulid: string, from: number, to: number, sources: readonly string[] = [ulid]) =>
  metaOf(ulid, from, to, { sources });
const coarse = (ulid: string, from: number, to: number, resolutionMs: number, sources: readonly string[]) =>
  metaOf(ulid, from, to, { sources, resolutionMs });

describe("planDownsampling", () => {
  const planned = (blocks: Parameters<typeof planDownsampling>[0], marks = none) =>
    planDownsampling(blocks, marks).map(({ meta, toMs }) => `${meta.ulid} to ${toMs / 60_000}m`);

  for (const [rule, blocks, expected] of [
    ["a raw block of 40 h is downsampled", [raw("A", 0, 40)], ["A to 5m"]],
    ["a shorter one is not", [raw("A", 0, 39)], []],
    ["a block of 5 m windows over ten days is", [coarse("A", 0, 240, fiveMinutes, ["x"])], ["A to 60m"]],
    ["a shorter one is not", [coarse("A", 0, 239, fiveMinutes, ["x"])], []],
    ["one of 1 h is the coarsest", [coarse("A", 0, 336, oneHour, ["x"])], []],
    [
      "what has its coarser form is done",
      [raw("A", 0, 48, ["x", "y"]), coarse("B", 0, 48, fiveMinutes, ["y", "x"])],
      [],
    ],
    [
      "also if that is several blocks, or a longer one",
      [
        raw("A", 0, 96, ["x", "y"]),
        coarse("B", 0, 48, fiveMinutes, ["x"]),
        coarse("C", 48, 96, fiveMinutes, ["y"]),
        raw("D", 96, 144, ["z"]),
        coarse("E", 96, 192, fiveMinutes, ["z", "w"]),
      ],
      [],
    ],
    ["but a part is not enough", [raw("A", 0, 96, ["x", "y"]), coarse("B", 0, 48, fiveMinutes, ["x"])], ["A to 5m"]],
    ["the oldest first", [raw("B", 48, 96), raw("A", 0, 48)], ["A to 5m", "B to 5m"]],
  ] as const) {
    it(rule, () => expect(planned(blocks)).toEqual(expected));
  }

  it("leaves out what is marked", () => expect(planned([raw("A", 0, 48)], new Set(["A"]))).toEqual([]));
});

describe("findExpired", () => {
  const days = (n: number) => n * 24 * hourMs;
  const retention: Retention = { rawMs: days(10), fiveMinutesMs: days(20), oneHourMs: 0 };
  const expired = (
    blocks: Parameters<typeof findExpired>[0],
    nowMs: number,
    isDownsampling: boolean,
    unmerged = none,
  ) => {
    const newest = raw("newest", nowMs / hourMs - 2, nowMs / hourMs);
    const downsampling = isDownsampling ? { noDownsample: none, unmerged } : undefined;
    return findExpired([...blocks, newest], nowMs, retention, downsampling).map(({ meta }) => meta.ulid);
  };

  it("goes by the end of a block and the retention of its resolution", () => {
    const blocks = [raw("A", 0, 2), coarse("B", 0, 2, fiveMinutes, ["x"]), coarse("C", 0, 2, oneHour, ["x"])];
    const end = 2 * hourMs;
    expect(expired(blocks, end + days(10), false)).toEqual([]);
    expect(expired(blocks, end + days(10) + 1, false)).toEqual(["A"]);
    expect(expired(blocks, end + days(20) + 1, false)).toEqual(["A", "B"]);
    expect(expired(blocks, end + days(9999), false)).toEqual(["A", "B"]);
  });

  it("waits until a block that can be downsampled has been", () => {
    const block = raw("A", 0, 48, ["x"]);
    const nowMs = block.maxTimeMs + days(11);
    expect(expired([block], nowMs, true)).toEqual([]);
    expect(expired([block, coarse("B", 0, 48, fiveMinutes, ["x"])], nowMs, true)).toEqual(["A"]);
  });

  it("does not wait for what will never be, or would be expired as well", () => {
    const short = raw("A", 0, 2);
    expect(expired([short], short.maxTimeMs + days(11), true)).toEqual(["A"]);
    const block = raw("A", 0, 48);
    expect(expired([block], block.maxTimeMs + days(21), true)).toEqual(["A"]);
  });

  it("waits for a short block that is still to be merged, unless it has a coarser form", () => {
    const block = raw("A", 0, 8, ["x"]);
    const nowMs = block.maxTimeMs + days(11);
    const unmerged = new Set(["A"]);
    expect(expired([block], nowMs, true, unmerged)).toEqual([]);
    expect(expired([block], nowMs, false, unmerged)).toEqual(["A"]);
    expect(expired([block], nowMs + days(10), true, unmerged)).toEqual(["A"]);
    expect(expired([block, coarse("B", 0, 48, fiveMinutes, ["x", "y"])], nowMs, true, unmerged)).toEqual(["A"]);
  });

  it("counts from a day behind the newest block where that is earlier than now", () => {
    const [old, newest] = [raw("old", 0, 2), raw("newest", 8 * 24, 9 * 24 + 2)];
    const expiredAt = (nowMs: number, blocks: readonly (typeof old)[]) =>
      findExpired(blocks, nowMs, retention, undefined).map(({ meta }) => meta.ulid);
    expect(expiredAt(days(9999), [old, newest])).toEqual([]);
    expect(expiredAt(days(9999), [old, raw("newest", 8 * 24, 9 * 24 + 3)])).toEqual(["old"]);
    expect(expiredAt(days(9999), [newest])).toEqual([]);
    expect(expiredAt(days(9999), [])).toEqual([]);
  });

  it("never expires a resolution that nobody knows", () => {
    expect(expired([coarse("A", 0, 2, 7, ["x"])], days(9999), false)).toEqual([]);
  });
});

describe("retentionFault", () => {
  const forever: Retention = { rawMs: 0, fiveMinutesMs: 0, oneHourMs: 0 };
  for (const [rule, retention, isDownsampling, isFine] of [
    ["for ever is fine", forever, true, true],
    ["raw for 40 h is enough to be downsampled", { ...forever, rawMs: 40 * hourMs }, true, true],
    ["raw for less is not", { ...forever, rawMs: 40 * hourMs - 1 }, true, false],
    ["without downsampling it is", { ...forever, rawMs: 1 }, false, true],
    ["5 m for less than ten days is not enough", { ...forever, fiveMinutesMs: 239 * hourMs }, true, false],
    ["a negative time is none", { ...forever, oneHourMs: -1 }, false, false],
    ["nor is NaN", { ...forever, oneHourMs: NaN }, false, false],
  ] as const) {
    it(rule, () => expect(retentionFault(retention, isDownsampling) === undefined).toBe(isFine));
  }
});
