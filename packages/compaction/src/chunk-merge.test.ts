import type { BlockChunk } from "@pleiad/blocks";
import {
  createHistogramAppender,
  createHistogramColumns,
  createSampleColumns,
  decodeChunk,
  decodeHistogramChunk,
  encodeIntegerHistograms,
  encodeXor,
  encodeXor2,
} from "@pleiad/chunks";
import { setStale, type FloatHistogram } from "@pleiad/model";
import { seededRandom, type Random } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { mergeChunks, type OverlapMerge } from "./chunk-merge.ts";

type Sample = readonly [timestampMs: number, bits: bigint];

function chunkOf(samples: readonly Sample[]): BlockChunk {
  const times = Float64Array.from(samples, ([time]) => time);
  const values = new Float64Array(samples.length);
  const bits = new BigUint64Array(values.buffer);
  samples.forEach(([, value], i) => (bits[i] = value));
  return {
    minTimeMs: times[0]!,
    maxTimeMs: times.at(-1)!,
    sampleCount: samples.length,
    encoding: 1,
    data: encodeXor(times, values, 0, samples.length),
  };
}

const bitsOf = (value: number) => new BigUint64Array(Float64Array.of(value).buffer)[0]!;
const plain = (times: readonly number[], value = 1): Sample[] => times.map((time) => [time, bitsOf(value)]);

function samplesOf(chunks: readonly BlockChunk[]): Sample[] {
  const columns = createSampleColumns(1);
  for (const chunk of chunks) {
    expect(chunk.encoding).toBe(1);
    expect(decodeChunk(1, chunk.data, columns)).toBeUndefined();
  }
  const bits = new BigUint64Array(columns.values.buffer);
  return Array.from({ length: columns.count }, (_, i) => [columns.timestampsMs[i]!, bits[i]!]);
}

function merged(inputs: readonly (readonly BlockChunk[])[], merge: OverlapMerge): readonly BlockChunk[] {
  const result = mergeChunks(inputs, merge);
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value;
}

describe("chunks that share no time", () => {
  const [a, b, c, d] = [
    [1, 2],
    [3, 4],
    [5, 6],
    [7, 8],
  ].map((times) => chunkOf(plain(times)));

  it("are passed on as they are, one block behind the other", () => {
    expect(
      merged(
        [
          [a!, b!],
          [c!, d!],
        ],
        "identical",
      ),
    ).toEqual([a, b, c, d]);
    expect(merged([[a!, b!], [c!]], "identical")[0]).toBe(a);
  });

  it("come in the order of time, also where blocks alternate", () => {
    expect(
      merged(
        [
          [b!, d!],
          [a!, c!],
        ],
        "identical",
      ),
    ).toEqual([a, b, c, d]);
  });

  it("and those that do are merged without touching the others", () => {
    const other = chunkOf(plain([4, 5]));
    const result = merged([[a!, b!, c!, d!], [other]], "one-to-one");
    expect(result.map(({ minTimeMs }) => minTimeMs)).toEqual([1, 3, 7]);
    expect(result[0]).toBe(a);
    expect(result[2]).toBe(d);
    expect(samplesOf(result.slice(1, 2)).map(([time]) => time)).toEqual([3, 4, 5, 6]);
  });
});

describe("chunks that share time", () => {
  it("and bytes are there once, as they are, however they are merged", () => {
    const make = () => [chunkOf(plain([1, 2, 3])), chunkOf(plain([4, 5]))];
    const first = make();
    for (const merge of ["identical", "one-to-one", "penalty"] as const) {
      const result = merged([first, make(), make()], merge);
      expect(result).toEqual(first);
      expect(result[0]).toBe(first[0]);
    }
  });

  it("become chunks of 120 samples", () => {
    const times = Array.from({ length: 250 }, (_, i) => i);
    const result = merged([[chunkOf(plain(times))], [chunkOf(plain(times.slice(0, 100)))]], "identical");
    expect(result.map(({ sampleCount }) => sampleCount)).toEqual([120, 120, 10]);
    expect(result.map(({ minTimeMs, maxTimeMs }) => [minTimeMs, maxTimeMs])).toEqual([
      [0, 119],
      [120, 239],
      [240, 249],
    ]);
  });

  it("and disagree are a failure that names time and inputs, where they should be identical", () => {
    const inputs = [
      [chunkOf(plain([1, 2]))],
      [chunkOf(plain([3, 4, 5]))],
      [chunkOf(plain([5, 6, 7]))],
      [chunkOf([...plain([3], 1), ...plain([4], 2)])],
    ];
    expect(mergeChunks(inputs, "identical")).toEqual({
      ok: false,
      failure: { kind: "conflict", inputs: [1, 3], timestampMs: 4 },
    });
    expect(samplesOf(merged(inputs, "one-to-one")).map(([time]) => time)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it("and have samples at other times disagree too: two producers of one name", () => {
    const inputs = [[chunkOf(plain([10, 20, 30]))], [chunkOf(plain([15, 25, 35]))]];
    expect(mergeChunks(inputs, "identical")).toMatchObject({ failure: { kind: "conflict", timestampMs: 15 } });
  });

  it("and agree where both have chunks are identical, though one has more before, behind or between", () => {
    const inputs = [
      [chunkOf(plain([10, 20, 30])), chunkOf(plain([60, 70]))],
      [chunkOf(plain([20, 30, 40])), chunkOf(plain([50])), chunkOf(plain([55, 60, 70, 80]))],
    ];
    const times = samplesOf(merged(inputs, "identical")).map(([time]) => time);
    expect(times).toEqual([10, 20, 30, 40, 50, 55, 60, 70, 80]);
  });

  it("and differ in the bits of a NaN disagree", () => {
    const stale = new Float64Array(1);
    setStale(stale, 0);
    const marker: Sample = [2, new BigUint64Array(stale.buffer)[0]!];
    const inputs = [[chunkOf([...plain([1]), marker])], [chunkOf([...plain([1], 1), [2, bitsOf(NaN)]])]];
    expect(mergeChunks(inputs, "identical").ok).toBe(false);
    expect(samplesOf(merged(inputs, "one-to-one"))[1]).toEqual(marker);
  });

  it("are not merged where they are downsampled", () => {
    const aggregates = (times: readonly number[]): BlockChunk => ({ ...chunkOf(plain(times)), encoding: 255 });
    expect(mergeChunks([[aggregates([1, 2, 3])], [aggregates([2, 4])]], "penalty")).toMatchObject({
      ok: false,
      failure: { kind: "unmergeable" },
    });
  });

  it("and are damaged are told with their input", () => {
    const whole = chunkOf(plain([1, 2, 3]));
    const cut = { ...chunkOf(plain([2, 3, 4])), data: whole.data.subarray(0, 9) };
    expect(mergeChunks([[whole], [cut]], "penalty")).toMatchObject({
      ok: false,
      failure: { kind: "corrupt-chunk", input: 1 },
    });
  });
});

describe("native histograms", () => {
  const histogram = (count: number): FloatHistogram => ({
    schema: 1,
    zeroThreshold: 0,
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
  const histogramChunk = (samples: readonly (readonly [number, number])[]): BlockChunk => {
    const times = Float64Array.from(samples, ([time]) => time);
    const [chunk] = encodeIntegerHistograms(
      times,
      samples.map(([, count]) => histogram(count)),
    );
    return { ...chunk!, encoding: 2 };
  };
  const read = (chunks: readonly BlockChunk[]) =>
    chunks.flatMap(({ encoding, data }) => {
      if (encoding === 1) return samplesOf([{ ...chunkOf(plain([0])), data }]).map(([time]) => `${time} float`);
      const columns = createHistogramColumns();
      expect(decodeHistogramChunk(encoding as 2, data, columns)).toBeUndefined();
      return Array.from(
        { length: columns.count },
        (_, i) => `${columns.timestampsMs[i]} ${columns.histograms[i]!.count}`,
      );
    });

  it("are merged as floats are", () => {
    const inputs = [
      [
        histogramChunk([
          [1, 10],
          [2, 20],
          [4, 40],
        ]),
      ],
      [
        histogramChunk([
          [2, 20],
          [3, 30],
        ]),
      ],
    ];
    expect(read(merged(inputs, "one-to-one"))).toEqual(["1 10", "2 20", "3 30", "4 40"]);
  });

  it("and disagree where their buckets do", () => {
    const inputs = [
      [
        histogramChunk([
          [1, 10],
          [2, 20],
        ]),
      ],
      [
        histogramChunk([
          [2, 21],
          [3, 30],
        ]),
      ],
    ];
    expect(mergeChunks(inputs, "identical")).toMatchObject({
      ok: false,
      failure: { kind: "conflict", timestampMs: 2 },
    });
  });

  it("stand in one series beside floats", () => {
    const inputs = [
      [
        histogramChunk([
          [1, 10],
          [3, 30],
        ]),
      ],
      [chunkOf(plain([2, 4]))],
    ];
    expect(read(merged(inputs, "one-to-one"))).toEqual(["1 10", "2 float", "3 30", "4 float"]);
  });
});

describe("samples with start timestamps", () => {
  type Started = readonly [timestampMs: number, value: number, startMs: number];

  const started = (samples: readonly Started[]): BlockChunk => {
    const columns = createSampleColumns(samples.length, { startTimestamps: true });
    for (const [timestampMs, value, startMs] of samples) {
      columns.timestampsMs[columns.count] = timestampMs;
      columns.values[columns.count] = value;
      columns.startTimestampsMs![columns.count++] = startMs;
    }
    const { minTimeMs, maxTimeMs, sampleCount } = chunkOf(plain(samples.map(([timestampMs]) => timestampMs)));
    return { minTimeMs, maxTimeMs, sampleCount, encoding: 4, data: encodeXor2(columns, 0, columns.count) };
  };
  const read = (chunks: readonly BlockChunk[]): readonly Started[] =>
    chunks.flatMap(({ encoding, data }) => {
      const columns = createSampleColumns(0, { startTimestamps: true });
      expect(encoding).toBe(4);
      expect(decodeChunk(4, data, columns)).toBeUndefined();
      return Array.from(
        { length: columns.count },
        (_, i) => [columns.timestampsMs[i]!, columns.values[i]!, columns.startTimestampsMs![i]!] as const,
      );
    });

  it("keep them when they are merged, also with samples that have none", () => {
    const inputs = [
      [
        started([
          [10, 1, 5],
          [20, 2, 5],
          [40, 1, 35],
        ]),
      ],
      [chunkOf([...plain([20], 2), ...plain([30], 3)])],
    ];
    for (const merge of ["one-to-one", "penalty"] as const) expect(read(merged(inputs, merge))[0]).toEqual([10, 1, 5]);
    expect(read(merged(inputs, "one-to-one"))).toEqual([
      [10, 1, 5],
      [20, 2, 5],
      [30, 3, 0],
      [40, 1, 35],
    ]);
  });

  it("disagree where their values do, or the starts that both know", () => {
    const one = [
      started([
        [10, 1, 5],
        [20, 2, 5],
      ]),
    ];
    const other = (value: number, startMs: number) => [
      started([
        [20, value, startMs],
        [30, 9, startMs],
      ]),
    ];
    const conflict = { ok: false, failure: { kind: "conflict", timestampMs: 20 } };
    expect(mergeChunks([one, other(3, 5)], "identical")).toMatchObject(conflict);
    expect(mergeChunks([one, other(2, 15)], "identical")).toMatchObject(conflict);
    expect(read(merged([one, other(2, 0)], "identical")).map(([, , startMs]) => startMs)).toEqual([5, 5, 0]);
  });

  it("keep every sample and start of every block, in chunks of 120", () => {
    for (let seed = 0; seed < 50; seed++) {
      const random = seededRandom(seed);
      let startMs = 0;
      const all = Array.from({ length: 2 + random.int(400) }, (_, i): Started => {
        if (random.float() < 0.05) startMs = (i + 1) * 1000 - 1 - random.int(900);
        return [(i + 1) * 1000, random.int(50), startMs];
      });
      const cut = 1 + random.int(all.length - 1);
      const chunksOf = (samples: readonly Started[]) =>
        Array.from({ length: Math.ceil(samples.length / 50) }, (_, i) => started(samples.slice(50 * i, 50 * (i + 1))));
      // The second begins anywhere before the first ends.
      const inputs = [chunksOf(all.slice(0, cut)), chunksOf(all.slice(random.int(cut)))];
      const result = merged(inputs, "identical");
      expect(read(result), `seed ${seed}`).toEqual(all);
      for (const { sampleCount } of result) expect(sampleCount, `seed ${seed}`).toBeLessThanOrEqual(120);
    }
  });

  it("are kept for native histograms as well, of whole and of float counts", () => {
    const histogram = (count: number): FloatHistogram => ({
      schema: 0,
      zeroThreshold: 0,
      zeroCount: count,
      count,
      sum: count,
      positiveSpans: [],
      positiveBuckets: new Float64Array(0),
      negativeSpans: [],
      negativeBuckets: new Float64Array(0),
      customBounds: new Float64Array(0),
      counterReset: "unknown",
    });
    for (const encoding of [5, 6] as const) {
      const chunk = (times: readonly number[], startMs: number): BlockChunk => {
        const appender = createHistogramAppender(encoding);
        for (const time of times) appender.append(time, histogram(time), startMs);
        const { minTimeMs, maxTimeMs, count: sampleCount } = appender;
        return { minTimeMs, maxTimeMs, sampleCount, encoding, data: appender.bytes() };
      };
      const columns = createHistogramColumns(0, { startTimestamps: true });
      for (const { encoding: written, data } of merged([[chunk([10, 30], 5)], [chunk([20, 40], 7)]], "one-to-one")) {
        expect(written).toBe(encoding);
        expect(decodeHistogramChunk(encoding, data, columns)).toBeUndefined();
      }
      expect([...columns.timestampsMs.subarray(0, columns.count)]).toEqual([10, 20, 30, 40]);
      expect([...columns.startTimestampsMs!.subarray(0, columns.count)]).toEqual([5, 7, 5, 7]);
      expect(columns.histograms.slice(0, columns.count).map(({ count }) => count)).toEqual([10, 20, 30, 40]);
    }
  });
});

describe("any chunks", () => {
  /** Some of the samples of a series, cut into chunks, as one block of several has them. */
  function pieceOf(all: readonly Sample[], lossRatio: number, random: Random): BlockChunk[] {
    const from = random.int(all.length);
    const kept = all.slice(from, from + 1 + random.int(all.length)).filter(() => random.float() >= lossRatio);
    const chunks: BlockChunk[] = [];
    for (let at = 0; at < kept.length;) {
      const length = 1 + random.int(60);
      chunks.push(chunkOf(kept.slice(at, at + length)));
      at += length;
    }
    return chunks;
  }

  it("keep every sample of every block, in order, none twice", () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = seededRandom(seed);
      let time = 0;
      const all: Sample[] = Array.from({ length: 1 + random.int(300) }, () => {
        time += 1 + random.int(5) * random.int(1000);
        return [time, random.float() < 0.05 ? 0x7ff0000000000002n : bitsOf(random.int(100))];
      });
      const merge = random.float() < 0.5 ? "identical" : "one-to-one";
      const lossRatio = merge === "identical" ? 0 : 0.1;
      const inputs = Array.from({ length: 1 + random.int(4) }, () => pieceOf(all, lossRatio, random));
      const expected = new Map(inputs.flatMap(samplesOf));
      const result = merged(inputs, merge);
      expect(samplesOf(result), `seed ${seed}`).toEqual([...expected].sort(([a], [b]) => a - b));
      let lastMs = -Infinity;
      for (const { minTimeMs, maxTimeMs } of result) {
        expect(minTimeMs, `seed ${seed}`).toBeGreaterThan(lastMs);
        lastMs = maxTimeMs;
      }
    }
  });
});
