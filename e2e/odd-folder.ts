/** A data folder of blocks that overlap with a head behind them, and in it what is hard on readers of several. */
import { createBlockWriter, newUlid, type BlockChunk } from "@pleiad/blocks";
import { encodeXor } from "@pleiad/chunks";
import { compareLabels, compareText, labelsFromRecord, setStale, xorEncoding, type Labels } from "@pleiad/model";
import { seededRandom } from "@pleiad/ports";
import { changeHead, portsOfTest } from "./prometheus-peer.ts";
import type { Vocabulary } from "@pleiad/promql-syntax/testing";

/** A value, a staleness marker, or nothing at this step. */
type OddValue = number | "stale" | undefined;

const hourMs = 3_600_000;
export const folderStartMs = Math.floor(1_700_000_000_000 / (2 * hourMs)) * 2 * hourMs;
export const folderEndMs = folderStartMs + 5 * hourMs;
/** No sample lies at a whole second, where steps of subqueries are, nor a millisecond behind, where those of queries are. */
const phaseMs = 337;

/** `across` lies over the half of `early` and of `late`. */
const blockHours = { early: [0, 2], across: [1, 3], late: [2, 4], head: [4, 5] } as const;
type Part = keyof typeof blockHours;
const parts = Object.keys(blockHours) as readonly Part[];

/** Which parts have the sample i of a series, where their time is that of the sample. */
const spreads = {
  once: (part) => part !== "across",
  twice: () => true,
  split: (part, i, isAcross) => !isAcross || (part === "across") === (i % 2 === 1),
  across: (part) => part === "across",
  early: (part) => part === "early",
  late: (part) => part === "late",
  head: (part) => part === "head",
} satisfies Record<string, (part: Part, i: number, isAcross: boolean) => boolean>;
type Spread = keyof typeof spreads;

interface FolderSeries {
  readonly labels: Labels;
  readonly spread: Spread;
  readonly periodMs: number;
  readonly samplesPerChunk: number;
  readonly at: (i: number) => OddValue;
}

function seriesOf(
  record: Readonly<Record<string, string>>,
  spread: Spread,
  at: FolderSeries["at"],
  { periodMs = 15_000, samplesPerChunk = 120 } = {},
): FolderSeries {
  return { labels: labelsFromRecord(record), spread, periodMs, samplesPerChunk, at };
}

const shapes: Readonly<Record<string, FolderSeries["at"]>> = {
  nan: (i) => (i % 7 === 0 ? NaN : i),
  infinite: (i) => (i % 50 === 0 ? Infinity : i % 50 === 25 ? -Infinity : i),
  zero: (i) => (i % 2 === 0 ? 0 : -0),
  // Three of them never add up to nothing: what else is in the sum, 2.42 would have lost by then.
  huge: (i) => (i % 2 === 0 ? 1e150 : -3e150),
  tiny: (i) => i * 1e-290,
  wave: (i) => Math.round(1000 * Math.sin(i / 9)) / 8,
  negative: (i) => -1 - (i % 13),
  stale: (i) => (i % 40 < 30 ? i : i % 40 === 30 ? "stale" : undefined),
  gap: (i) => (i % 200 < 100 ? i : undefined),
  sparse: (i) => (i % 55 === 0 ? i : undefined),
  resets: (i) => 3 * (i % 61),
  // Where chunks and blocks begin.
  borders: (i) => 5 * (i % 120) + 1,
  flat: () => 17,
  ending: (i) => (i % 90 < 80 ? 1000 + 2 * i : i % 90 === 80 ? "stale" : undefined),
  fast: (i) => 1e9 + 12_345.678 * i,
  single: (i) => (i % 100 === 50 ? 7 : undefined),
};
const counterShapes = ["resets", "borders", "flat", "ending", "fast", "single"];
const ownSpreads: readonly Spread[] = ["once", "twice", "split"];
const boundsOfRequests = ["0.1", "0.5", "1", "2.5", "+Inf"];
/** So many in so small chunks that several threads have work with them. */
const wideCount = 1000;
const wideChunkSamples = 2;

const series: readonly FolderSeries[] = [
  ...Object.entries(shapes).flatMap(([shape, at], s) =>
    ownSpreads.map((spread, where) => {
      const __name__ = counterShapes.includes(shape) ? "odd_total" : "odd_gauge";
      const samplesPerChunk = [120, 7, 240][(s + where) % 3] as number;
      return seriesOf({ __name__, shape, spread }, spread, (i) => at(i + 3 * where), { samplesPerChunk });
    }),
  ),
  ...(["across", "early", "late", "head"] as const).flatMap((spread) => [
    seriesOf({ __name__: "odd_part", part: spread, id: "1" }, spread, (i) => i),
    seriesOf({ __name__: "odd_part_total", part: spread, id: "1" }, spread, (i) => 4 * i),
  ]),
  ...["a", "b"].flatMap((pod, p) =>
    boundsOfRequests.map((le, b) => {
      const labels = { __name__: "requests_seconds_bucket", handler: "/", pod, le };
      return seriesOf(labels, ownSpreads[p] as Spread, (i) => (b + 1) * (i % (300 + 100 * p)));
    }),
  ),
  ...(["0.1", "1", "1.0", "1e1", "+Inf"] as const).map((le, b) =>
    seriesOf({ __name__: "odd_seconds_bucket", histogram: "double", le }, "split", (i) => (b + 1) * i),
  ),
  ...(["0.1", "1", "10"] as const).map((le, b) =>
    seriesOf({ __name__: "odd_seconds_bucket", histogram: "endless", le }, "twice", (i) => (b + 1) * i),
  ),
  ...(["1", "2", "3"] as const).map((id, n) =>
    seriesOf(
      { __name__: "odd_left", id, zone: n % 2 ? "x" : "y" },
      ownSpreads[n] as Spread,
      (i) => 86_400 * 17 * i + n,
    ),
  ),
  ...(["1", "2", "4"] as const).map((id, n) =>
    seriesOf({ __name__: "odd_right", id, owner: `o${id}` }, ownSpreads[n] as Spread, (i) => 2 * i - n),
  ),
  ...(["1a", "1b", "2a"] as const).map(([id, part], n) =>
    seriesOf({ __name__: "odd_many", id: id as string, part: part as string }, "split", (i) => i + n, {
      periodMs: 45_000,
    }),
  ),
  ...(["a", "b"] as const).map((replica, n) =>
    seriesOf({ __name__: "odd_replica", id: "1", replica }, ownSpreads[n] as Spread, (i) =>
      i % 30 < 3 ? undefined : i,
    ),
  ),
  ...Array.from({ length: wideCount }, (_, n) =>
    seriesOf(
      { __name__: "wide_total", id: String(n), zone: n % 3 ? "x" : "y" },
      "late",
      // The last hour of the block. Values at one time differ in their last three digits.
      (i) => (i < 3 * 120 ? undefined : 1000 * ((n % 7) + 1) * (i % (200 + (n % 50))) + n),
      { periodMs: 30_000, samplesPerChunk: wideChunkSamples },
    ),
  ),
];

export const folderVocabulary: Vocabulary = {
  gauges: [
    "odd_gauge",
    'odd_gauge{spread="split"}',
    'odd_gauge{shape="wave"}',
    'odd_gauge{shape=~"nan|stale|gap"}',
    'odd_gauge{shape!~"huge|infinite|tiny|nan", spread=~"split|twice"}',
    'odd_gauge{shape=~"sparse|gap|stale"}',
    "odd_left",
    "odd_right",
    "odd_many",
    "odd_part",
    "odd_replica",
    '{__name__=~"odd_(left|right)"}',
    '{id="1", part!=""}',
    "nosuch",
  ],
  counters: [
    "odd_total",
    'odd_total{shape=~"resets|borders"}',
    'odd_total{spread="split"}',
    "odd_part_total",
    "requests_seconds_bucket",
    'requests_seconds_bucket{le="+Inf"}',
    "wide_total",
    'wide_total{zone="y", id=~".*7"}',
  ],
  untied: ["wide_total", "odd_left", 'odd_gauge{shape=~"wave|negative|huge", spread="once"}'],
  moments: ["odd_left", "timestamp(odd_gauge)", "odd_right * 86400"],
  labelNames: ["shape", "spread", "part", "id", "zone", "owner", "replica", "le", "pod", "__name__", "nosuch"],
  joined: ["max by (id) (odd_left)", "odd_many"],
  buckets: "requests_seconds_bucket",
};

/** Writes the blocks and the head into a folder that is there. */
export async function writeOddFolder(directory: string): Promise<void> {
  const sorted = [...series].sort((a, b) => compareLabels(a.labels, b.labels));
  for (const [n, part] of parts.entries()) {
    if (part === "head") await writeHead(directory, sorted);
    else await writeBlock(directory, part, n, sorted);
  }
}

interface TimedSamples {
  readonly timesMs: Float64Array;
  readonly values: Float64Array;
  readonly areStale: readonly boolean[];
}

function samplesIn(part: Part, { spread, periodMs, at }: FolderSeries): TimedSamples {
  const has: (part: Part, i: number, isAcross: boolean) => boolean = spreads[spread];
  const [fromMs, toMs] = spanOf(part);
  const [acrossFromMs, acrossToMs] = spanOf("across");
  const samples: { readonly timeMs: number; readonly value: number | "stale" }[] = [];
  for (let i = 0; folderStartMs + i * periodMs < folderEndMs; i++) {
    const timeMs = folderStartMs + i * periodMs + phaseMs;
    const value = at(i);
    if (timeMs < fromMs || timeMs >= toMs || value === undefined) continue;
    if (has(part, i, timeMs >= acrossFromMs && timeMs < acrossToMs)) samples.push({ timeMs, value });
  }
  const values = Float64Array.from(samples, ({ value }) => (value === "stale" ? 0 : value));
  const areStale = samples.map(({ value }) => value === "stale");
  areStale.forEach((isStale, i) => {
    if (isStale) setStale(values, i);
  });
  return { timesMs: Float64Array.from(samples, ({ timeMs }) => timeMs), values, areStale };
}

function spanOf(part: Part): readonly [fromMs: number, toMs: number] {
  const [from, to] = blockHours[part];
  return [folderStartMs + from * hourMs, folderStartMs + to * hourMs];
}

async function writeBlock(directory: string, part: Part, n: number, sorted: readonly FolderSeries[]): Promise<void> {
  const [minTimeMs, maxTimeMs] = spanOf(part);
  const ulid = newUlid(minTimeMs, seededRandom(n + 1));
  const symbols = [...new Set(sorted.flatMap(({ labels }) => [...labels]))].sort(compareText);
  const writer = await createBlockWriter(portsOfTest().files, symbols, {
    directory,
    ulid,
    minTimeMs,
    maxTimeMs,
    compaction: { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] },
    thanos: undefined,
    chunkFileBytesMax: 1 << 29,
  });
  if (!writer.ok) throw new Error(`the block ${part} is not begun: ${writer.failure.kind}`);
  for (const one of sorted) {
    const chunks = chunksOf(samplesIn(part, one), one.samplesPerChunk);
    if (chunks.length === 0) continue;
    const added = await writer.value.add(one.labels, chunks);
    if (!added.ok) throw new Error(`${one.labels.join(" ")} is not added: ${added.failure.kind}`);
  }
  const finished = await writer.value.finish();
  if (!finished.ok) throw new Error(`the block ${part} is not written: ${finished.failure.kind}`);
}

function chunksOf({ timesMs, values }: TimedSamples, samplesPerChunk: number): readonly BlockChunk[] {
  const chunks: BlockChunk[] = [];
  for (let from = 0; from < timesMs.length; from += samplesPerChunk) {
    const to = Math.min(timesMs.length, from + samplesPerChunk);
    chunks.push({
      minTimeMs: timesMs[from] as number,
      maxTimeMs: timesMs[to - 1] as number,
      sampleCount: to - from,
      encoding: xorEncoding,
      data: encodeXor(timesMs, values, from, to),
    });
  }
  return chunks;
}

async function writeHead(directory: string, sorted: readonly FolderSeries[]): Promise<void> {
  await changeHead(directory, async (head) => {
    const appender = head.appender();
    for (const one of sorted) {
      const { timesMs, values, areStale } = samplesIn("head", one);
      if (timesMs.length === 0) continue;
      const ref = appender.series(one.labels);
      if (typeof ref !== "number") throw new Error(`${one.labels.join(" ")} is refused: ${ref.kind}`);
      timesMs.forEach((timeMs, i) => {
        const outcome =
          areStale[i] === true ? appender.appendStale(ref, timeMs) : appender.append(ref, timeMs, values[i] as number);
        if (outcome !== "appended") throw new Error(`${one.labels.join(" ")} at ${timeMs} is ${outcome}`);
      });
    }
    const committed = await appender.commit();
    if (!committed.ok) throw new Error(`the samples of the head are not committed: ${committed.failure.kind}`);
  });
}
