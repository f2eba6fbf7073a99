/**
 * Speed of the merge: neighbouring blocks, whose chunks are copied, and replicas, whose chunks are decoded, merged and
 * encoded. Large by name: `node packages/compaction/src/compaction.bench.ts [blocks] [series a block]`; small in the tests.
 */
import { pathToFileURL } from "node:url";
import { createBlockWriter, directoryBlockBytes, newUlid, openBlock, type Block } from "@pleiad/blocks";
import { encodeXor } from "@pleiad/chunks";
import { compareLabels, compareText, emptyLabels, labelsFromRecord, type Labels } from "@pleiad/model";
import { seededRandom } from "@pleiad/ports";
import { memoryFiles, type MemoryFileSystem } from "@pleiad/ports/testing";
import type { OverlapMerge } from "./chunk-merge.ts";
import { compactBlocks } from "./compact-blocks.ts";
import { downsampleBlock } from "./downsample-block.ts";

export interface CompactionBench {
  readonly copyMs: number;
  readonly mergeMs: number;
  readonly downsampleMs: number;
  readonly inputBytes: number; // of one merge
  readonly samples: number; // of one merge
  /** Of all that came out: a faster wrong answer shows. */
  readonly checksum: number;
}

const spanMs = 7_200_000;
const stepMs = 30_000;
const samplesPerChunk = 120;
const chunksPerSeries = spanMs / stepMs / samplesPerChunk;
const startMs = 1_700_006_400_000;

function seriesOf(count: number): Labels[] {
  return Array.from({ length: count }, (_, i) =>
    labelsFromRecord({
      __name__: `metric_${i % 100}_total`,
      job: `job-${i % 7}`,
      namespace: `namespace-${i % 20}`,
      pod: `pod-${i}`,
      container: `container-${i % 30}`,
    }),
  ).sort(compareLabels);
}

const thanos = {
  labels: { cluster: "a" },
  resolutionMs: 0,
  source: "bench",
  files: [],
  indexStats: undefined,
  uploadTimeMs: undefined,
};

async function writeBlock(
  files: MemoryFileSystem,
  series: readonly Labels[],
  fromMs: number,
  shiftMs: number,
): Promise<Block> {
  const ulid = newUlid(fromMs, seededRandom(shiftMs + 1));
  const writer = await createBlockWriter(files, [...new Set(series.flat())].sort(compareText), {
    directory: "/data",
    ulid,
    minTimeMs: fromMs,
    maxTimeMs: fromMs + spanMs,
    compaction: { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] },
    thanos,
    chunkFileBytesMax: 512 * 1024 * 1024,
  });
  if (!writer.ok) throw new Error(writer.failure.kind);
  const times = new Float64Array(samplesPerChunk);
  const values = new Float64Array(samplesPerChunk);
  for (const [i, labels] of series.entries()) {
    const chunks = Array.from({ length: chunksPerSeries }, (_, chunk) => {
      for (let k = 0; k < samplesPerChunk; k++) {
        const sample = chunk * samplesPerChunk + k;
        times[k] = fromMs + sample * stepMs + shiftMs;
        values[k] = i % 3 === 0 ? 1 : i * 1000 + sample * (i % 17);
      }
      return {
        minTimeMs: times[0] ?? 0,
        maxTimeMs: times.at(-1) ?? 0,
        sampleCount: samplesPerChunk,
        encoding: 1,
        data: encodeXor(times, values, 0, samplesPerChunk),
      } as const;
    });
    await writer.value.add(labels, chunks);
  }
  const finished = await writer.value.finish();
  if (!finished.ok) throw new Error(finished.failure.kind);
  return await open(files, `/data/${ulid}`);
}

async function open(files: MemoryFileSystem, path: string): Promise<Block> {
  const options = { externalLabels: emptyLabels, intern: (text: string) => text, cacheBytesMax: 1 << 26 };
  const opened = await openBlock(directoryBlockBytes(files, path), options);
  if (!opened.ok) throw new Error(opened.failure.kind);
  return opened.value;
}

export async function benchCompaction(
  blockCount: number,
  seriesCount: number,
  nowMs: () => number,
): Promise<CompactionBench> {
  const files = memoryFiles();
  await files.makeDirectory("/data");
  await files.makeDirectory("/out");
  const series = seriesOf(seriesCount);
  const neighbours: Block[] = [];
  for (let i = 0; i < blockCount; i++) neighbours.push(await writeBlock(files, series, startMs + i * spanMs, 0));
  const inputBytes = [...files.contents.values()].reduce((sum, { length }) => sum + length, 0);
  const replicas = [neighbours[0], await writeBlock(files, series, startMs, 7000)].filter((one) => one !== undefined);
  const output = {
    files,
    directory: "/out",
    chunkFileBytesMax: 512 * 1024 * 1024,
    signal: new AbortController().signal,
    yield: async () => {},
  };
  let checksum = 0;
  const timed = async (blocks: readonly Block[], overlap: OverlapMerge, name: number) => {
    const ulid = newUlid(name, seededRandom(name));
    const beganMs = nowMs();
    const made = await compactBlocks(blocks, { ...output, ulid, thanos, overlap });
    const tookMs = nowMs() - beganMs;
    if (!made.ok || made.value === undefined) throw new Error("nothing was merged");
    checksum = checksum * 31 + made.value.stats.numSamples + (files.contents.get(`/out/${ulid}/index`)?.length ?? 0);
    return { tookMs, ulid, samples: made.value.stats.numSamples };
  };
  const copied = await timed(neighbours, "identical", 1);
  const merged = await timed(replicas, "penalty", 2);
  const raw = await open(files, `/out/${copied.ulid}`);
  const beganMs = nowMs();
  const coarse = await downsampleBlock(raw, { ...output, ulid: newUlid(3, seededRandom(3)), resolutionMs: 300_000 });
  const downsampleMs = nowMs() - beganMs;
  if (!coarse.ok || coarse.value === undefined) throw new Error("nothing was downsampled");
  checksum = checksum * 31 + coarse.value.stats.numSamples;
  return {
    copyMs: copied.tookMs,
    mergeMs: merged.tookMs,
    downsampleMs,
    inputBytes,
    samples: copied.samples,
    checksum,
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [blocks = 22, series = 2000] = process.argv.slice(2).map(Number);
  await benchCompaction(4, 200, () => performance.now());
  const { copyMs, mergeMs, downsampleMs, inputBytes, samples, checksum } = await benchCompaction(blocks, series, () =>
    performance.now(),
  );
  const megabytes = inputBytes / 2 ** 20;
  const perReplica = (2 * samples) / blocks;
  console.log(
    `copy ${blocks} neighbours    ${((megabytes / copyMs) * 1000).toFixed(0)} MiB/s, ${(samples / copyMs / 1000).toFixed(1)} M samples/s`,
  );
  console.log(`merge two replicas    ${(perReplica / mergeMs / 1000).toFixed(1)} M samples/s`);
  console.log(`downsample to 5m      ${(samples / downsampleMs / 1000).toFixed(1)} M samples/s`);
  console.log(`checksum              ${checksum}`);
}
