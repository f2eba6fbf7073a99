import { encodeAggregateChunk, encodeXor } from "@pleiad/chunks";
import {
  collectSeries,
  compareLabels,
  emptyLabels,
  formatLabels,
  labelsFromRecord,
  plainSelect,
  withoutLabels,
  type Labels,
  type LabelsRequest,
  type Matcher,
  type SourceFailure,
} from "@pleiad/model";
import { runSeriesSourceAcceptance } from "@pleiad/model/acceptance";
import type { FileSystem } from "@pleiad/ports";
import { memoryBucket, memoryFiles } from "@pleiad/ports/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  blockOf,
  decode,
  dump,
  fileOf,
  linesOf,
  openOptions,
  openTestBlock,
  startMs,
  testUlid,
  writeBlock,
  writeChunked,
  type TestSeries,
} from "./block.fixtures.ts";
import { bucketBlockBytes, directoryBlockBytes, type BlockBytes } from "./block-bytes.ts";
import { formatBlockMeta, parseBlockMeta } from "./block-meta.ts";
import { openBlock, type Block } from "./block.ts";
import { formatTombstones } from "./tombstones.ts";

const { signal } = new AbortController();
const whole = { minTimeMs: 0, maxTimeMs: 9_000_001 };

const underTest = (source: Block) => ({ source, decode, close: () => source.close() });

runSeriesSourceAcceptance("a block in a folder", async (series) => underTest(await blockOf(series, whole)));

runSeriesSourceAcceptance("a block with chunks of seven samples and no room to keep any", async (series) =>
  underTest(await blockOf(series, { ...whole, samplesPerChunk: 7, cacheBytesMax: 0 })),
);

runSeriesSourceAcceptance("a block in a bucket, its chunks in several files", async (series) => {
  const files = memoryFiles();
  await writeBlock(files, series, { ...whole, samplesPerChunk: 20, chunkFileBytesMax: 300 });
  const bucket = memoryBucket();
  for (const [path, bytes] of files.contents) await bucket.put(path.slice("/data/".length), bytes);
  const opened = await openBlock(bucketBlockBytes(bucket, testUlid), openOptions);
  if (!opened.ok) throw new Error(opened.failure.kind);
  return underTest(opened.value);
});

runSeriesSourceAcceptance("a block whose replica is an external label", async (series) => {
  const stored = series.map((one) => ({ ...one, labels: withoutLabels(one.labels, new Set(["replica"])) }));
  return underTest(await blockOf(stored, { ...whole, externalLabels: labelsFromRecord({ replica: "0" }) }));
});

const named = (name: string, more: Readonly<Record<string, string>> = {}) =>
  labelsFromRecord({ __name__: name, ...more });
const at = (...values: readonly number[]): TestSeries["samples"] =>
  values.map((value, i) => [startMs + i * 30_000, value] as const);

const labelsRequest: LabelsRequest = {
  minTimeMs: plainSelect.minTimeMs,
  maxTimeMs: plainSelect.maxTimeMs,
  matchers: [],
  withoutLabels: [],
  onFailure: "warn",
  limit: 0,
};

async function seriesOf(block: Block, matchers: readonly Matcher[]): Promise<string[]> {
  const { series, failure } = await collectSeries(block.select({ ...plainSelect, matchers, skipChunks: true }, signal));
  if (failure !== undefined) throw new Error(failure.kind);
  return series.map((one) => formatLabels(one.labels));
}

describe("external labels", () => {
  const external = labelsFromRecord({ cluster: "c1", zone: "z" });

  it("are attached to every series, and win over labels of its own", async () => {
    const block = await blockOf([{ labels: named("up", { cluster: "own", job: "a" }), samples: at(1) }], {
      externalLabels: external,
    });
    expect(await seriesOf(block, [])).toEqual(['up{cluster="c1", job="a", zone="z"}']);
  });

  it("answer matchers themselves: no series has another value", async () => {
    const block = await blockOf([{ labels: named("up", { cluster: "own" }), samples: at(1) }], {
      externalLabels: external,
    });
    expect(await seriesOf(block, [{ type: "=", name: "cluster", value: "own" }])).toEqual([]);
    expect(await seriesOf(block, [{ type: "=~", name: "cluster", value: "c." }])).toHaveLength(1);
    expect(await seriesOf(block, [{ type: "!=", name: "zone", value: "z" }])).toEqual([]);
  });

  it("keep the order of labels where a label set is the beginning of another", async () => {
    const block = await blockOf(
      [
        { labels: named("up", { a: "1" }), samples: at(1) },
        { labels: named("up", { a: "1", b: "2" }), samples: at(2) },
      ],
      { externalLabels: external },
    );
    expect(await seriesOf(block, [])).toEqual([
      'up{a="1", b="2", cluster="c1", zone="z"}',
      'up{a="1", cluster="c1", zone="z"}',
    ]);
  });

  it("make series one that differed in them alone, with all their samples", async () => {
    const early = { labels: named("up", { cluster: "x" }), samples: at(1, 2) };
    const late = { labels: named("up", { cluster: "y" }), samples: [[startMs + 90_000, 3]] as const };
    const block = await blockOf([late, early], { externalLabels: external });
    const united = { labels: named("up", { cluster: "c1", zone: "z" }), samples: [...early.samples, ...late.samples] };
    expect(await dump(block)).toEqual(linesOf([united]));
  });

  it("are among the names and values", async () => {
    const block = await blockOf([{ labels: named("up", { cluster: "own" }), samples: at(1) }], {
      externalLabels: external,
    });
    const names = await block.labelNames(labelsRequest, signal);
    expect(names.ok && names.value.values).toEqual(["__name__", "cluster", "zone"]);
    const values = await block.labelValues("cluster", labelsRequest, signal);
    expect(values.ok && values.value.values).toEqual(["c1"]);
  });
});

describe("tombstones", () => {
  const series = [
    { labels: named("a"), samples: at(0, 1, 2, 3, 4, 5, 6, 7, 8, 9) },
    { labels: named("b"), samples: at(0, 1, 2, 3) },
  ];

  /** A block in which samples `from` to `to` of series a are deleted. */
  async function deleted(from: number, to: number, samplesPerChunk: number): Promise<Block> {
    const files = memoryFiles();
    await writeBlock(files, series, { samplesPerChunk });
    const block = await openTestBlock(files);
    for await (const { ref, labels } of block.everySeries(signal)) {
      if (formatLabels(labels) !== "a") continue;
      const span = { minTimeMs: startMs + from * 30_000, maxTimeMs: startMs + to * 30_000 };
      files.contents.set(`/data/${testUlid}/tombstones`, formatTombstones(new Map([[ref, [span]]])));
    }
    return openTestBlock(files);
  }

  for (const [rule, from, to, left] of [
    ["a part of a chunk", 1, 2, [0, 3, 4, 5, 6, 7, 8, 9]],
    ["a whole chunk", 0, 3, [4, 5, 6, 7, 8, 9]],
    ["parts of several", 2, 8, [0, 1, 9]],
    ["all of a series", 0, 9, []],
    ["no sample, between two", 1.2, 1.8, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ] as const) {
    it(`hide ${rule}, and nothing of other series`, async () => {
      const wanted = [
        ...left.map((value) => `a ${startMs + value * 30_000} ${value}`),
        ...linesOf(series.filter((one) => formatLabels(one.labels) === "b")),
      ];
      const block = await deleted(from, to, 4);
      expect(await dump(block)).toEqual(wanted);
      // Again, from what was kept.
      expect(await dump(block)).toEqual(wanted);
      const names = left.length === 0 ? ["b"] : ["a", "b"];
      expect(await seriesOf(block, [])).toEqual(names);
    });
  }

  it("are told to those who rewrite the block, whose samples are still there", async () => {
    const block = await deleted(0, 9, 4);
    let count = 0;
    for await (const { chunks } of block.everySeries(signal)) count += chunks.length;
    expect(count).toBe(4);
    expect([...block.tombstones.values()]).toEqual([[{ minTimeMs: startMs, maxTimeMs: startMs + 270_000 }]]);
  });
});

describe("a downsampled block", () => {
  const times = Float64Array.of(startMs + 299_999, startMs + 599_999);
  const inner = (...values: readonly number[]) =>
    ({ encoding: 1, data: encodeXor(times, Float64Array.from(values), 0, 2) }) as const;
  const of = new Map([
    ["count", inner(10, 10)],
    ["sum", inner(3, 4)],
  ] as const);
  const chunk = {
    minTimeMs: times[0] ?? 0,
    maxTimeMs: times[1] ?? 0,
    sampleCount: 2,
    encoding: 255,
    data: encodeAggregateChunk(of),
  } as const;
  const thanos = {
    labels: {},
    resolutionMs: 300_000,
    source: "compactor",
    files: [],
    indexStats: undefined,
    uploadTimeMs: undefined,
  };

  it("gives its aggregates to those who take its resolution, and nothing to others", async () => {
    const files = memoryFiles();
    const meta = await writeChunked(files, [{ labels: named("a"), chunks: [chunk] }], { thanos });
    expect(meta.stats.numSamples).toBe(2);
    const block = await openTestBlock(files);
    const select = (maxResolutionMs: number) =>
      collectSeries(block.select({ ...plainSelect, maxResolutionMs }, signal));
    const { series } = await select(300_000);
    expect(series[0]?.chunks[0]?.content).toEqual({ kind: "aggregates", of });
    expect((await select(0)).series).toEqual([]);
  });
});

describe("an open block", () => {
  it("gives the same answer however little it may keep", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(fc.nat(5), fc.nat(5), fc.nat(30)), { minLength: 1, maxLength: 40, selector: String }),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(0, 3_000, 30_000, 16_000_000),
        fc.integer({ min: 0, max: 60 }),
        async (keys, samplesPerChunk, cacheBytesMax, fromSample) => {
          const series = keys.map(([a, b, count], i) => ({
            labels: labelsFromRecord({ __name__: `m${a}`, b: `v${b}`, c: String(i) }),
            samples: at(...Array.from({ length: count + 1 }, (_, k) => k * i)),
          }));
          const block = await blockOf(series, { samplesPerChunk, cacheBytesMax });
          const minTimeMs = startMs + fromSample * 15_000;
          const wanted = linesOf(series).filter((line) => Number(line.split(" ").at(-2)) >= minTimeMs);
          expect(await dump(block, { minTimeMs })).toEqual(wanted);
          const matchers: Matcher[] = [{ type: "=~", name: "b", value: "v[0-2]" }];
          const some = series.filter(({ labels }) => /^v[0-2]$/.test(labels[3] ?? ""));
          expect(await dump(block, { matchers })).toEqual(linesOf(some));
          expect(await dump(block, { matchers })).toEqual(linesOf(some));
        },
      ),
      { numRuns: 40 },
    );
  });

  it("answers matchers as a test of every label set would", async () => {
    const value = fc.constantFrom("", "a", "b", "ab", "c");
    const matcher = fc.record({
      type: fc.constantFrom("=", "!=", "=~", "!~"),
      name: fc.constantFrom("x", "y", "z"),
      value: fc.constantFrom("", "a", "b", "a|b", "|a", ".*", ".+", "a.*", "[ab]", "c?"),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(value, value, value), { maxLength: 30, selector: String }),
        fc.array(fc.array(matcher, { maxLength: 3 }), { minLength: 1, maxLength: 10 }),
        async (sets, questions) => {
          const series = [
            { labels: named("m"), samples: at(1) },
            ...sets
              .filter((set) => set.some((text) => text !== ""))
              .map(([x, y, z]) => ({ labels: named("m", { x, y, z }), samples: at(1) })),
          ];
          const block = await blockOf(series);
          for (const matchers of questions) {
            const holds = (labels: Labels) =>
              matchers.every(({ type, name, value }) => {
                const place = labels.indexOf(name);
                const own = place < 0 ? "" : (labels[place + 1] ?? "");
                const isEqual = type.endsWith("~") ? new RegExp(`^(?:${value})$`).test(own) : own === value;
                return type.startsWith("!") ? !isEqual : isEqual;
              });
            const wanted = series
              .filter(({ labels }) => holds(labels))
              .sort((a, b) => compareLabels(a.labels, b.labels));
            expect(await seriesOf(block, matchers)).toEqual(wanted.map(({ labels }) => formatLabels(labels)));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("keeps no more than it may, and forgets what is closed", { timeout: 30_000 }, async () => {
    const series = Array.from({ length: 2_000 }, (_, i) => ({
      labels: named("m", { i: String(i) }),
      samples: at(...Array.from({ length: 100 }, (_, k) => Math.sqrt(i * k))),
    }));
    const cacheBytesMax = 1_000_000;
    const block = await blockOf(series, { cacheBytesMax });
    for (let round = 0; round < 3; round++) {
      expect(await dump(block)).toHaveLength(200_000);
      expect(block.heldBytes()).toBeLessThan(1.2 * cacheBytesMax);
    }
  });

  it("gives many readers at once what each asked for, though they take the room of one another", async () => {
    const series = Array.from({ length: 300 }, (_, i) => ({
      labels: named(`m${i % 5}`, { i: `value ${i}` }),
      samples: at(i, i + 1),
    }));
    for (const cacheBytesMax of [0, 10_000, 100_000]) {
      const block = await blockOf(series, { cacheBytesMax, samplesPerChunk: 1 });
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          dump(block, { matchers: [{ type: "=", name: "__name__", value: `m${i % 5}` }] }),
        ),
      );
      answers.forEach((lines, i) => {
        expect(lines).toEqual(linesOf(series.filter(({ labels }) => labels[1] === `m${i % 5}`)));
      });
    }
  });

  it("that is closed answers no more, and opens no file again", async () => {
    const files = memoryFiles();
    await writeBlock(files, [{ labels: named("a"), samples: at(1) }]);
    let openCount = 0;
    const counted: FileSystem = {
      ...files,
      open: async (path, mode) => {
        const file = await files.open(path, mode);
        openCount++;
        return { ...file, close: () => (openCount--, file.close()) };
      },
    };
    const opened = await openBlock(directoryBlockBytes(counted, `/data/${testUlid}`), openOptions);
    if (!opened.ok) throw new Error(opened.failure.kind);
    const cursor = opened.value.select(plainSelect, signal);
    await opened.value.close();
    const { series, failure } = await collectSeries(cursor);
    expect(series).toEqual([]);
    expect(failure).toMatchObject({ kind: "unavailable", reason: "the block is closed" });
    expect(openCount).toBe(0);
  });

  it("tells of files that are missing by their names", async () => {
    for (const file of ["index", "meta.json", "chunks/000001"]) {
      const files = memoryFiles();
      await writeBlock(files, [{ labels: named("a"), samples: at(1) }]);
      files.contents.delete(`/data/${testUlid}/${file}`);
      const opened = await openBlock(directoryBlockBytes(files, `/data/${testUlid}`), openOptions);
      if (!opened.ok) {
        expect(JSON.stringify(opened.failure) + String("cause" in opened.failure && opened.failure.cause)).toContain(
          file,
        );
        continue;
      }
      const { failure } = await collectSeries(opened.value.select(plainSelect, signal));
      expect(failure).toMatchObject({ kind: "corrupt" } satisfies Partial<SourceFailure>);
      expect(JSON.stringify(failure)).toContain(file);
    }
  });

  it("needs few requests of a bucket: the list of files in meta.json spares their sizes", async () => {
    const files = memoryFiles();
    await writeBlock(files, [{ labels: named("a"), samples: at(1) }]);
    const meta = parseBlockMeta(fileOf(files, "meta.json"));
    if (!meta.ok) throw new Error(meta.failure.kind);
    const listed = ["chunks/000001", "index"].map((path) => ({ path, sizeBytes: fileOf(files, path).length }));
    const thanos = {
      labels: {},
      resolutionMs: 0,
      source: "sidecar",
      files: listed,
      indexStats: undefined,
      uploadTimeMs: undefined,
    };
    files.contents.set(`/data/${testUlid}/meta.json`, formatBlockMeta({ ...meta.value, thanos }));
    const requests: string[] = [];
    const bytes: BlockBytes = directoryBlockBytes(files, `/data/${testUlid}`);
    const counted: BlockBytes = {
      ...bytes,
      sizeOf: (file) => (requests.push(`size ${file}`), bytes.sizeOf(file)),
      chunkFiles: () => (requests.push("list"), bytes.chunkFiles()),
      read: (file, offset, length) => (requests.push(`read ${file}`), bytes.read(file, offset, length)),
    };
    const opened = await openBlock(counted, openOptions);
    if (!opened.ok) throw new Error(opened.failure.kind);
    expect(requests).toEqual(["read meta.json", "size tombstones", "read tombstones", "read index"]);
    requests.length = 0;
    expect(await dump(opened.value)).toHaveLength(1);
    expect(await dump(opened.value)).toHaveLength(1);
    expect(requests).toEqual(["read chunks/000001"]);
  });

  it("is canceled between batches", async () => {
    const series = Array.from({ length: 600 }, (_, i) => ({ labels: named("m", { i: String(i) }), samples: at(1) }));
    const block = await blockOf(series);
    const controller = new AbortController();
    const cursor = block.select(plainSelect, controller.signal);
    expect(await cursor.next()).toHaveLength(512);
    controller.abort();
    expect(await cursor.next()).toBeUndefined();
    expect(cursor.failure?.kind).toBe("canceled");
  });

  it("has no series where it has no external labels to show", async () => {
    const block = await blockOf([{ labels: named("a"), samples: at(1) }], { externalLabels: emptyLabels });
    const beyond = { ...labelsRequest, minTimeMs: startMs + 1e9 };
    expect(await block.labelNames(beyond, signal)).toEqual({ ok: true, value: { values: [], warnings: [] } });
  });
});
