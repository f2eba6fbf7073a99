/** A bucket of many small blocks, as a fleet has them before compaction: two hours of one cluster each. */
import { createBlockWriter, formatBlockMeta, newUlid, uploadBlock, type BlockMeta } from "@pleiad/blocks";
import { encodeXor } from "@pleiad/chunks";
import { compareLabels, compareText, labelsFromRecord } from "@pleiad/model";
import { seededRandom, type Bucket } from "@pleiad/ports";
import { memoryFiles } from "@pleiad/ports/testing";

export interface SmallBlocks {
  readonly clusters: number;
  /** Of two hours each: a day has twelve. */
  readonly blocksPerCluster: number;
  readonly seriesPerBlock: number;
  readonly startMs: number;
}

export const blockMs = 2 * 3_600_000;
/** Series of one metric, in blocks of ten times as many. */
export const seriesPerMetric = 20;
const stepMs = 15_000;
const samplesPerChunk = 120;
const putsAtOnce = 16;

export function metricName(number: number): string {
  return `metric_${String(number).padStart(2, "0")}_total`;
}

/** All clusters have the same samples under labels of their own: each block is made once, and put once a cluster. */
export async function putSmallBlocks(
  bucket: Bucket,
  options: SmallBlocks,
  note: (text: string) => void,
): Promise<void> {
  const random = seededRandom(2640);
  const { signal } = new AbortController();
  for (let number = 0; number < options.blocksPerCluster; number++) {
    const minTimeMs = options.startMs + number * blockMs;
    const files = memoryFiles();
    await files.makeDirectory("/data");
    const ulid = newUlid(minTimeMs, random);
    await writeBlock(files, ulid, minTimeMs, options.seriesPerBlock);
    const made = await uploadBlock({ files, path: `/data/${ulid}`, bucket, signal });
    if (!made.ok) throw new Error(made.failure.kind);
    const rest = Array.from({ length: options.clusters - 1 }, (_, i) => ({
      cluster: i + 1,
      ulid: newUlid(minTimeMs, random),
    }));
    const put = async () => {
      for (let next = rest.pop(); next !== undefined; next = rest.pop()) await putAgain(bucket, made.value, next);
    };
    await Promise.all(Array.from({ length: putsAtOnce }, put));
    note(
      `${(number + 1) * options.clusters} of ${options.blocksPerCluster * options.clusters} blocks are in the bucket`,
    );
  }
}

async function putAgain(bucket: Bucket, meta: BlockMeta, to: { readonly ulid: string; readonly cluster: number }) {
  if (meta.thanos === undefined) throw new RangeError("the block has no external labels");
  for (const { path, sizeBytes } of meta.thanos.files) {
    if (sizeBytes !== undefined) await bucket.put(`${to.ulid}/${path}`, await bucket.get(`${meta.ulid}/${path}`));
  }
  const compaction = { ...meta.compaction, sources: [to.ulid] };
  const thanos = { ...meta.thanos, labels: clusterLabels(to.cluster) };
  await bucket.put(`${to.ulid}/meta.json`, formatBlockMeta({ ...meta, ulid: to.ulid, compaction, thanos }));
}

function clusterLabels(cluster: number): Readonly<Record<string, string>> {
  return { cluster: `cluster-${String(cluster).padStart(3, "0")}` };
}

async function writeBlock(
  files: ReturnType<typeof memoryFiles>,
  ulid: string,
  minTimeMs: number,
  seriesCount: number,
): Promise<void> {
  const labels = Array.from({ length: seriesCount }, (_, i) =>
    labelsFromRecord({
      __name__: metricName(Math.floor(i / seriesPerMetric)),
      container: `container-${String(i % 3)}`,
      namespace: `namespace-${String(i % 7)}`,
      pod: `pod-${String(i % 97).padStart(5, "0")}-${String(i)}`,
    }),
  ).sort(compareLabels);
  const compaction = { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] };
  const written = await createBlockWriter(files, [...new Set(labels.flat())].sort(compareText), {
    ...{
      directory: "/data",
      ulid,
      minTimeMs,
      maxTimeMs: minTimeMs + blockMs,
      compaction,
      chunkFileBytesMax: 512 << 20,
    },
    thanos: {
      ...{ labels: clusterLabels(0), resolutionMs: 0, source: "sidecar", files: [] },
      ...{ indexStats: undefined, uploadTimeMs: undefined },
    },
  });
  if (!written.ok) throw new Error(written.failure.kind);
  const times = Float64Array.from({ length: blockMs / stepMs }, (_, i) => minTimeMs + i * stepMs);
  const values = new Float64Array(times.length);
  for (const [i, one] of labels.entries()) {
    for (let k = 0; k < values.length; k++) values[k] = i * 1000 + k * ((i % 17) + (k % 5));
    const chunks = [];
    for (let at = 0; at < times.length; at += samplesPerChunk) {
      const to = at + samplesPerChunk;
      const [from = NaN, until = NaN] = [times[at], times[to - 1]];
      const data = encodeXor(times, values, at, to);
      chunks.push({ minTimeMs: from, maxTimeMs: until, sampleCount: samplesPerChunk, encoding: 1 as const, data });
    }
    const added = await written.value.add(one, chunks);
    if (!added.ok) throw new Error(added.failure.kind);
  }
  const finished = await written.value.finish();
  if (!finished.ok) throw new Error(finished.failure.kind);
}
