import { isStale, setStale } from "@pleiad/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createReplicaPicks,
  mergeFloatReplicas,
  pickReplicaSamples,
  type ReplicaMerge,
  type TimedColumns,
} from "./replica-merge.ts";
import { createSampleColumns, type SampleColumns } from "./sample-columns.ts";

const timesOf = (seconds: readonly number[]): TimedColumns => ({
  timestampsMs: Float64Array.from(seconds, (s) => s * 1000),
  count: seconds.length,
});

function columnsOf(samples: readonly (readonly [seconds: number, value: number])[]): SampleColumns {
  const columns = createSampleColumns(Math.max(1, samples.length));
  for (const [seconds, value] of samples) {
    columns.timestampsMs[columns.count] = seconds * 1000;
    columns.values[columns.count++] = value;
  }
  return columns;
}

/** `a15` is the sample at 15 s of the first replica. */
function picked(merge: ReplicaMerge, replicas: readonly (readonly number[])[]): string {
  const picks = createReplicaPicks();
  pickReplicaSamples(merge, replicas.map(timesOf), picks);
  return Array.from({ length: picks.count }, (_, i) => {
    const replica = picks.replicas[i] ?? 0;
    return `${"abc"[replica]}${replicas[replica]?.[picks.samples[i] ?? 0]}`;
  }).join(" ");
}

describe("penalty", () => {
  for (const [rule, replicas, expected] of [
    ["nothing gives nothing", [], ""],
    ["one replica is itself", [[1, 2, 3]], "a1 a2 a3"],
    ["an empty replica adds nothing", [[], [1, 2]], "b1 b2"],
    [
      "replicas in step: the first",
      [
        [0, 15, 30],
        [0, 15, 30],
      ],
      "a0 a15 a30",
    ],
    [
      "replicas out of step: the one that begins, for good",
      [
        [0, 15, 30, 45],
        [4, 19, 34, 49],
      ],
      "a0 a15 a30 a45",
    ],
    [
      "a step is not known at first: what is five seconds behind counts",
      [
        [0, 15, 30],
        [6, 21, 36],
      ],
      "a0 b6 b21 b36",
    ],
    [
      "a replica that begins earlier is kept",
      [
        [20, 35],
        [0, 15, 30, 45],
      ],
      "b0 b15 b30 b45",
    ],
    [
      "a missed scrape is no reason to go over",
      [
        [0, 15, 45, 60],
        [4, 19, 34, 49],
      ],
      "a0 a15 a45 a60",
    ],
    [
      "a longer gap is, and the way back waits for a gap too",
      [
        [0, 15, 30, 105, 120, 135],
        [4, 19, 34, 49, 64, 79, 94, 109, 124, 139],
      ],
      "a0 a15 a30 b64 b79 b94 b109 b124 b139",
    ],
    [
      "the end of one is the beginning of the other",
      [
        [0, 15],
        [4, 19, 34, 49, 64],
      ],
      "a0 a15 b49 b64",
    ],
    [
      "three are folded from the left",
      [
        [0, 15],
        [0, 15, 60, 75],
        [0, 15, 60, 75, 120, 165],
      ],
      "a0 a15 b60 b75 c165",
    ],
  ] as const) {
    it(rule, () => expect(picked("penalty", replicas)).toBe(expected));
  }

  it("gives the samples of one replica alone where the other has the same timestamps, shifted by less than a step", () => {
    const gaps = fc.array(fc.integer({ min: 10, max: 20 }), { minLength: 2, maxLength: 50 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 0, max: 4 }), (steps, shift) => {
        let at = 0;
        const times = steps.map((step) => (at += step));
        const expected = times.map((time) => `a${time}`).join(" ");
        expect(picked("penalty", [times, times.map((time) => time + shift)])).toBe(expected);
      }),
    );
  });
});

describe("one-to-one", () => {
  for (const [rule, replicas, expected] of [
    ["nothing gives nothing", [], ""],
    [
      "each timestamp once, of the first that has it",
      [
        [1, 2, 4],
        [2, 3, 4, 5],
      ],
      "a1 a2 b3 a4 b5",
    ],
    ["of three", [[3], [1, 3], [2, 3, 4]], "b1 c2 a3 c4"],
  ] as const) {
    it(rule, () => expect(picked("one-to-one", replicas)).toBe(expected));
  }
});

describe.each(["penalty", "one-to-one"] as const)("any merge: %s", (merge) => {
  it("ascends in time and invents nothing", () => {
    const times = fc
      .uniqueArray(fc.integer({ min: 0, max: 300 }), { maxLength: 60 })
      .map((all) => all.sort((a, b) => a - b));
    fc.assert(
      fc.property(fc.array(times, { maxLength: 4 }), (replicas) => {
        const picks = createReplicaPicks();
        pickReplicaSamples(merge, replicas.map(timesOf), picks);
        let last = -1;
        for (let i = 0; i < picks.count; i++) {
          const time = replicas[picks.replicas[i] ?? 0]?.[picks.samples[i] ?? 0] ?? -1;
          expect(time).toBeGreaterThan(last);
          last = time;
        }
        const all = new Set(replicas.flat());
        // One-to-one loses nothing; a penalty never loses the first sample of all.
        if (merge === "one-to-one") expect(picks.count).toBe(all.size);
        else expect(picks.count > 0).toBe(all.size > 0);
      }),
    );
  });
});

describe("mergeFloatReplicas", () => {
  const merged = (isCounter: boolean, replicas: readonly SampleColumns[]) => {
    const out = createSampleColumns(1);
    mergeFloatReplicas("penalty", replicas, out, { isCounter });
    return Array.from(out.values.subarray(0, out.count));
  };
  const first = columnsOf([
    [0, 100],
    [15, 110],
  ]);
  const restarted = columnsOf([
    [4, 1],
    [19, 5],
    [34, 6],
    [49, 7],
    [64, 9],
  ]);

  it("gives a gauge as it is", () => expect(merged(false, [first, restarted])).toEqual([100, 110, 7, 9]));

  it("lifts a counter that was lower where the choice goes over to it", () => {
    expect(merged(true, [first, restarted])).toEqual([100, 110, 110, 112]);
  });

  it("keeps the bits of a staleness marker, lifted or not", () => {
    const ends = columnsOf([
      [4, 1],
      [49, 7],
      [64, NaN],
    ]);
    setStale(ends.values, 2);
    for (const isCounter of [false, true]) {
      const out = createSampleColumns(1);
      mergeFloatReplicas("penalty", [first, ends], out, { isCounter });
      expect(isStale(out.valueWords, out.count - 1)).toBe(true);
    }
  });
});
