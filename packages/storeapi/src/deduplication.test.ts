import { createSampleColumns, decodeChunk, encodeFloatHistograms, encodeXor } from "@pleiad/chunks";
import {
  collectSeries,
  cursorOf,
  isEvaluatingSource,
  labelsFromRecord,
  plainSelect,
  uniteChunks,
  type EvaluatingSource,
  type FloatHistogram,
  type SelectRequest,
  type SeriesSource,
  type SourceChunk,
  type SourceSeries,
} from "@pleiad/model";
import { seededRandom } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { deduplicate, type DeduplicationFunction } from "./deduplication.ts";
import { fold, oracle, randomReplicas, read, samplesIn, type Sample } from "./deduplication.testing.ts";
import { memorySource, seriesOf } from "./testing.ts";

const labels = labelsFromRecord({ __name__: "x_total", cluster: "c" });
const signal = new AbortController().signal;

/** What a store client and the fan-out make of replicas whose labels are gone: one series with the chunks of all. */
function united(replicas: readonly (readonly SourceChunk[])[]): SourceSeries {
  return { labels, chunks: replicas.reduce(uniteChunks, []) };
}

const chunksOf = (samples: readonly Sample[]) => seriesOf(labels, samples).chunks;

function sourceOf(series: SourceSeries): SeriesSource {
  return { ...memorySource([]), select: () => cursorOf([series]) };
}

async function select(
  by: DeduplicationFunction,
  series: SourceSeries,
  request: Partial<SelectRequest> = {},
): Promise<readonly SourceChunk[]> {
  const asked = { ...plainSelect, withoutLabels: ["replica"], ...request };
  const answer = await collectSeries(deduplicate(sourceOf(series), by).select(asked, signal));
  expect(answer.series.map((one) => one.labels)).toEqual([labels]);
  return answer.series[0]?.chunks ?? [];
}

async function merged(
  by: DeduplicationFunction,
  replicas: readonly (readonly Sample[])[],
  request: Partial<SelectRequest> = {},
): Promise<readonly Sample[]> {
  return read(await select(by, united(replicas.map(chunksOf)), request));
}

describe("penalty", () => {
  for (const hint of ["", "rate"]) {
    it(`is what is described, whatever the replicas, ${hint === "" ? "of any function" : "of a counter"}`, async () => {
      let chosen = 0;
      for (let seed = 1; seed <= 300; seed++) {
        const random = seededRandom(seed);
        const replicas = randomReplicas(random);
        const series = united(replicas.map(chunksOf));
        const range =
          random.int(2) === 0 ? { minTimeMs: -8e15, maxTimeMs: 8e15 } : { minTimeMs: 900_000, maxTimeMs: 2_500_000 };
        const expected = oracle(series.chunks, { isCounter: hint === "rate", ...range });
        const chunks = await select("penalty", series, { ...range, hints: hint === "" ? {} : { function: hint } });
        expect(read(chunks), `seed ${seed}`).toEqual(expected);
        chosen += expected.length;
      }
      expect(chosen).toBeGreaterThan(10_000);
    });
  }

  it("gives chunks in order that do not overlap, none longer than Prometheus's", async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const chunks = await select("penalty", united(randomReplicas(seededRandom(seed)).map(chunksOf)));
      for (const [i, { minTimeMs, maxTimeMs }] of chunks.entries()) {
        expect(minTimeMs, `seed ${seed}`).toBeGreaterThan(chunks[i - 1]?.maxTimeMs ?? -Infinity);
        expect(maxTimeMs).toBeGreaterThanOrEqual(minTimeMs);
      }
    }
  });
});

/** `a` every 15 s from its phase on: the samples at these numbers. */
const every15 = (phaseMs: number, numbers: readonly number[], valueAt = (i: number) => i): readonly Sample[] =>
  numbers.map((i) => [i * 15_000 + phaseMs, valueAt(i)]);
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);
const without = (count: number, from: number, to: number) => upTo(count).filter((i) => i < from || i > to);
const seconds = (samples: readonly Sample[]) => samples.map(([timeMs]) => timeMs / 1000);
const secondsOf = (phase: number, numbers: readonly number[]) => numbers.map((i) => i * 15 + phase);

describe("replicas that scraped on their own", () => {
  for (const by of ["auto", "penalty"] as const) {
    describe(by, () => {
      it("a late replica adds nothing while the first one goes on", async () => {
        expect(seconds(await merged(by, [every15(0, upTo(8)), every15(4000, [5, 6, 7])]))).toEqual(
          secondsOf(0, upTo(8)),
        );
      });

      it("of two that begin and end together the fuller one is read first, whoever comes first", async () => {
        const fuller = [...every15(0, without(30, 12, 15))];
        const gaps = [...every15(4000, [1, 2, 20, 21, 22])];
        const [start, end] = [every15(-15_000, [0]), every15(600_000, [0])];
        const replicas = [fuller, gaps].map((samples) => [...start, ...samples, ...end]);
        const answer = await merged(by, replicas);
        expect(await merged(by, replicas.toReversed())).toEqual(answer);
        expect(seconds(answer)).toEqual([-15, ...secondsOf(0, without(30, 12, 15)), 600]);
      });

      it("a missed scrape is left open: the other replica has no sample far enough from both of its neighbours", async () => {
        const replicas = [every15(0, without(8, 3, 3)), every15(4000, upTo(8))];
        expect(seconds(await merged(by, replicas))).toEqual(secondsOf(0, without(8, 3, 3)));
      });

      it("a longer gap is filled by the other replica, which stays", async () => {
        const replicas = [every15(0, without(12, 3, 7)), every15(4000, upTo(12))];
        // The last of the first is at 30 s, and twice its step later the other one may come: at 64 s.
        expect(seconds(await merged(by, replicas))).toEqual([0, 15, 30, 64, 79, 94, 109, 124, 139, 154, 169]);
      });

      for (const skewMs of [1000, 2000, 3000, 4000]) {
        it(`clocks that are ${skewMs / 1000} s apart do not double the samples`, async () => {
          const replicas = [every15(skewMs, upTo(20)), every15(0, upTo(20))];
          expect(await merged(by, replicas)).toEqual(every15(0, upTo(20)));
        });
      }

      it("of three, the third fills what the first two lack", async () => {
        const replicas = [every15(0, without(20, 4, 15)), every15(2000, without(20, 6, 15)), every15(4000, upTo(20))];
        const times = seconds(await merged(by, replicas));
        expect(times.slice(0, 4)).toEqual([0, 15, 30, 45]);
        expect(times.filter((time) => time % 15 === 4).length).toBeGreaterThan(6);
        for (let i = 1; i < times.length; i++) expect((times[i] ?? 0) - (times[i - 1] ?? 0)).toBeLessThan(78);
      });

      it("a counter that one replica saw restart goes on rising where the other one takes over", async () => {
        // The first dies before the restart of the target that the second one sees, which had been behind.
        const first = every15(0, upTo(6), (i) => 100 + 10 * i);
        const second = every15(4000, upTo(14), (i) => (i < 8 ? 60 + 10 * i : 10 * (i - 8)));
        const values = (await merged(by, [first, second], { hints: { function: "rate" } })).map(([, value]) => value);
        for (let i = 1; i < values.length; i++) expect(values[i]).toBeGreaterThanOrEqual(values[i - 1] ?? 0);
        expect(values.slice(0, 6)).toEqual([100, 110, 120, 130, 140, 150]);
        // 130 of the second at the time, lifted to where the first one ended; then what it counted itself.
        expect(values.slice(6)).toEqual([150, 150, 160, 170, 180, 190, 200]);
      });

      it("a restart that both saw is one", async () => {
        const valueAt = (i: number) => (i < 6 ? 50 + 5 * i : i - 5);
        const replicas = [every15(0, upTo(12), valueAt), every15(4000, upTo(12), valueAt)];
        const values = (await merged(by, replicas, { hints: { function: "increase" } })).map(([, value]) => value);
        expect(values).toEqual([50, 55, 60, 65, 70, 75, 76, 77, 78, 79, 80, 81]);
      });

      it("for resets, values stay what they were", async () => {
        const valueAt = (i: number) => (i < 6 ? 50 + 5 * i : i - 5);
        const replicas = [every15(0, upTo(12), valueAt), every15(4000, upTo(12), valueAt)];
        expect(await merged(by, replicas, { hints: { function: "resets" } })).toEqual(every15(0, upTo(12), valueAt));
      });
    });
  }
});

describe("copies of one replica's samples", () => {
  it("auto unites: what one copy lacks the other one has, and nothing is written anew", async () => {
    const series = united([chunksOf(every15(0, without(40, 3, 9))), chunksOf(every15(0, without(40, 20, 21)))]);
    const chunks = await select("auto", series);
    expect(chunks).toBe(series.chunks);
    expect(read(chunks)).toEqual(every15(0, upTo(40)));
  });

  it("chain unites whatever there is", async () => {
    const series = united([chunksOf(every15(0, upTo(5))), chunksOf(every15(4000, upTo(5)))]);
    expect(await select("chain", series)).toBe(series.chunks);
    expect(seconds(read(await select("chain", series)))).toEqual([0, 4, 15, 19, 30, 34, 45, 49, 60, 64]);
  });

  it("penalty loses what is at most two steps long, as Thanos does", async () => {
    const replicas = [every15(0, without(12, 5, 5)), every15(0, upTo(13))];
    expect(await merged("penalty", replicas)).toEqual(every15(0, without(12, 5, 5)));
  });

  it("of two replicas with two copies each, auto chooses between replicas and unites copies, whatever is cut where", async () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = seededRandom(seed);
      const copies = [0, 4000].map((phaseMs) => {
        const cuts = [0, 1].map(() => random.int(60));
        return cuts.map((cut) => chunksOf(every15(phaseMs, without(200, cut, cut + random.int(9)))));
      });
      const [first = [], second = []] = copies;
      // What both copies of a replica together have is all of it, unless their gaps meet.
      const whole = [first, second].map((own) => read(own.flat()));
      const expected = fold(whole, false);
      expect(read(await select("auto", united([...first, ...second]))), `seed ${seed}`).toEqual(expected);
    }
  });
});

describe("what is not raw floats", () => {
  const histogram = (count: number): FloatHistogram => ({
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count,
    sum: count * 2,
    positiveSpans: [{ offset: 0, length: 1 }],
    positiveBuckets: Float64Array.of(count),
    negativeSpans: [],
    negativeBuckets: new Float64Array(0),
    customBounds: new Float64Array(0),
    counterReset: "unknown",
  });
  const histogramChunks = (samples: readonly Sample[]): readonly SourceChunk[] =>
    encodeFloatHistograms(
      Float64Array.from(samples, ([timeMs]) => timeMs),
      samples.map(([, value]) => histogram(value)),
    ).map(({ minTimeMs, maxTimeMs, data }) => ({ minTimeMs, maxTimeMs, content: { kind: "raw", encoding: 3, data } }));
  const counts = (chunks: readonly SourceChunk[]) => chunks.flatMap(samplesIn);

  for (const hint of ["", "rate"]) {
    it(`histograms are chosen by the same rule, restarts included${hint === "" ? "" : `, for ${hint} too`}`, async () => {
      const valueAt = (i: number) => (i < 20 ? 10 + i : i - 19);
      const replicas = [every15(0, without(40, 10, 25), valueAt), every15(4000, upTo(40), valueAt)];
      const series = united(replicas.map(histogramChunks));
      const expected = oracle(series.chunks, {
        isCounter: false,
        minTimeMs: -Infinity,
        maxTimeMs: Infinity,
      });
      const chunks = await select("penalty", series, { hints: { function: hint } });
      expect(counts(chunks)).toEqual(expected);
    });
  }

  it("floats that become histograms stay in order", async () => {
    const mixed = (phaseMs: number) => [
      ...chunksOf(every15(phaseMs, upTo(10))),
      ...histogramChunks(every15(phaseMs, upTo(20).slice(10))),
    ];
    expect(counts(await select("penalty", united([mixed(0), mixed(4000)])))).toEqual(every15(0, upTo(20)));
  });

  const windows = (samples: readonly Sample[]): SourceChunk => {
    const times = Float64Array.from(samples, ([timeMs]) => timeMs);
    const chunk = (valueOf: (value: number) => number) => ({
      encoding: 1 as const,
      data: encodeXor(
        times,
        Float64Array.from(samples, ([, value]) => valueOf(value)),
        0,
        samples.length,
      ),
    });
    return {
      minTimeMs: times[0] ?? 0,
      maxTimeMs: times.at(-1) ?? 0,
      content: {
        kind: "aggregates",
        of: new Map([
          ["count", chunk(() => 20)],
          ["sum", chunk((value) => value * 20)],
          ["counter", chunk((value) => value)],
        ]),
      },
    };
  };
  const five = (from: number, to: number, phaseMs: number): readonly Sample[] =>
    Array.from({ length: to - from }, (_, i) => [(from + i) * 300_000 + phaseMs, from + i]);

  it("windows keep their aggregates, and go beside what is raw", async () => {
    const series = united([
      [windows(five(0, 10, 0)), ...chunksOf(every15(3_000_000, upTo(20)))],
      [windows(five(0, 6, 4000)), windows(five(8, 9, 4000))],
    ]);
    const chunks = await select("penalty", series);
    expect(chunks.map(({ content }) => content.kind)).toEqual(["aggregates", "raw"]);
    const [first] = chunks;
    if (first?.content.kind !== "aggregates") throw new Error("no windows");
    expect([...first.content.of.keys()]).toEqual(["count", "sum"]);
    const sums = read([
      {
        ...first,
        content: { kind: "raw", ...(first.content.of.get("sum") ?? { encoding: 1, data: new Uint8Array() }) },
      },
    ]);
    expect(sums).toEqual(five(0, 10, 0).map(([timeMs, value]) => [timeMs, value * 20]));
  });

  it("of windows, rate reads counters, which go on where raw ones begin", async () => {
    const raw = Array.from({ length: 20 }, (_, i): Sample => [3_000_000 + i * 15_000, 10 + i]);
    const series = united([[windows(five(0, 10, 0)), ...chunksOf(raw)], [windows(five(0, 10, 4000))]]);
    const values = read(await select("penalty", series, { hints: { function: "rate" } })).map(([, value]) => value);
    expect(values).toEqual([...five(0, 10, 0), ...raw].map(([, value]) => value));
  });

  it("a staleness marker keeps its bits", async () => {
    const stale = new Float64Array(Uint32Array.of(0x00000002, 0x7ff00000).buffer);
    const values = Float64Array.of(1, 0, 3);
    new Uint32Array(values.buffer).set(new Uint32Array(stale.buffer), 2);
    const chunk = (phaseMs: number): SourceChunk => ({
      minTimeMs: phaseMs,
      maxTimeMs: 30_000 + phaseMs,
      content: {
        kind: "raw",
        encoding: 1,
        data: encodeXor(Float64Array.of(phaseMs, 15_000 + phaseMs, 30_000 + phaseMs), values, 0, 3),
      },
    });
    const [merged] = await select("penalty", united([[chunk(0)], [chunk(4000)]]));
    const columns = createSampleColumns(0);
    if (merged?.content.kind !== "raw") throw new Error("no chunk");
    decodeChunk(merged.content.encoding, merged.content.data, columns);
    expect([...columns.valueWords.subarray(2, 4)]).toEqual([0x00000002, 0x7ff00000]);
  });
});

describe("what is left as it is", () => {
  const replicas = united([chunksOf(every15(0, upTo(8))), chunksOf(every15(4000, upTo(8)))]);
  for (const [rule, series, request] of [
    ["a series whose chunks share no time", united([chunksOf(every15(0, upTo(300)))]), {}],
    ["where no replica label is named: dedup=false", replicas, { withoutLabels: [] }],
    ["where no chunks are asked for", replicas, { skipChunks: true }],
    [
      "a damaged chunk, of which its reader tells",
      united([
        chunksOf(every15(0, upTo(8))),
        [{ minTimeMs: 4000, maxTimeMs: 9000, content: { kind: "raw", encoding: 1, data: Uint8Array.of(9) } }],
      ]),
      {},
    ],
  ] as const) {
    it(rule, async () => {
      for (const by of ["auto", "penalty", "chain"] as const)
        expect(await select(by, series, request)).toBe(series.chunks);
    });
  }

  it("what a source says of failures and warnings", async () => {
    const failure = { kind: "unavailable", source: "s", reason: "gone" } as const;
    const source = { ...memorySource([]), select: () => cursorOf([replicas], { failure, warnings: ["half"] }) };
    const cursor = deduplicate(source, "penalty").select({ ...plainSelect, withoutLabels: ["r"] }, signal);
    expect(await collectSeries(cursor)).toMatchObject({ failure, warnings: ["half"] });
  });

  it("who evaluates: what is read in its place, and what nobody evaluates, is deduplicated", async () => {
    const source: EvaluatingSource = {
      ...sourceOf(replicas),
      partition: () => ({
        evaluators: [
          {
            name: "a1",
            labelSets: [],
            source: sourceOf(replicas),
            evaluate: () => Promise.reject(new Error("not asked")),
          },
        ],
        rest: { source: sourceOf(replicas), labelSets: [] },
        missing: () => ["c"],
      }),
    };
    const outer = deduplicate(source, "penalty");
    const parts = outer.partition({ minTimeMs: 0, maxTimeMs: 1, selections: [], withoutLabels: ["replica"] });
    expect(parts.missing()).toEqual(["c"]);
    for (const part of [outer, parts.evaluators[0]?.source, parts.rest?.source]) {
      if (part === undefined) throw new Error("a part is missing");
      const asked = { ...plainSelect, withoutLabels: ["replica"] };
      const { series } = await collectSeries(part.select(asked, signal));
      expect(read(series[0]?.chunks ?? [])).toEqual(every15(0, upTo(8)));
    }
    expect(isEvaluatingSource(deduplicate(sourceOf(replicas), "auto"))).toBe(false);
  });
});
