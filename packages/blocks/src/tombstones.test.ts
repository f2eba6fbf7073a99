import { seededRandom } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { BlockReadError } from "./block-failure.ts";
import { formatTombstones, noTombstones, parseTombstones, type Tombstones } from "./tombstones.ts";

const some: Tombstones = new Map([
  [
    7,
    [
      { minTimeMs: -5, maxTimeMs: 10 },
      { minTimeMs: 20, maxTimeMs: 1_700_000_000_000 },
    ],
  ],
  [1, [{ minTimeMs: 3, maxTimeMs: 3 }]],
]);

describe("tombstones", () => {
  it("are read as they were written, in any order of series", () => {
    expect(parseTombstones(formatTombstones(some), "b")).toEqual(some);
    expect(parseTombstones(formatTombstones(noTombstones), "b")).toEqual(noTombstones);
  });

  it("that overlap or touch are one", () => {
    const spans = [
      { minTimeMs: 10, maxTimeMs: 20 },
      { minTimeMs: 0, maxTimeMs: 5 },
      { minTimeMs: 6, maxTimeMs: 12 },
      { minTimeMs: 30, maxTimeMs: 40 },
    ];
    expect(parseTombstones(formatTombstones(new Map([[1, spans]])), "b").get(1)).toEqual([
      { minTimeMs: 0, maxTimeMs: 20 },
      { minTimeMs: 30, maxTimeMs: 40 },
    ]);
  });

  it("that end before they begin are corrupt", () => {
    const reversed = formatTombstones(new Map([[1, [{ minTimeMs: 2, maxTimeMs: 1 }]]]));
    expect(() => parseTombstones(reversed, "b")).toThrow(BlockReadError);
  });

  it("damaged anywhere are refused", () => {
    const random = seededRandom(3);
    const whole = formatTombstones(some);
    for (let length = 0; length < whole.length; length++) {
      expect(() => parseTombstones(whole.subarray(0, length), "b")).toThrow(BlockReadError);
    }
    for (let at = 0; at < whole.length; at++) {
      const damaged = whole.slice();
      damaged[at] = (damaged[at] ?? 0) ^ (1 << random.int(8));
      expect(() => parseTombstones(damaged, "b"), `byte ${at}`).toThrow(BlockReadError);
    }
  });
});
