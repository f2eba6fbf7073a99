/** What the blocks of a bucket say of themselves, as the capacity model counts it. */
import type { BlockMeta } from "@pleiad/blocks";

/** A stream is a set of external labels; the names are those of the clusters. */
export interface StreamSizes {
  readonly cluster: string;
  readonly wholeBlockBytesMean: number | undefined; // of uploaded blocks of two hours; undefined where there are none
  readonly uploadedBytesPerDay: number | undefined; // over the time of uploaded blocks; undefined where all are merged and gone
}

export interface BucketSizes {
  readonly streams: readonly StreamSizes[];
  readonly blocks: number; // that are not marked for deletion
  readonly chunkBytesPerSample: number | undefined; // in blocks as they were uploaded
  readonly indexBytesPerSeries: number | undefined;
  readonly rawBytesPerSample: number | undefined; // in merged blocks, with index
  readonly fiveMinuteBytesPerPoint: number | undefined;
  readonly spanSeconds: { readonly raw: number; readonly fiveMinutes: number; readonly oneHour: number };
}

const fiveMinutesMs = 300_000;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

interface MarkedBlock {
  readonly meta: BlockMeta;
  readonly isMarked: boolean;
}

/** `clusterNames`: only their streams count, those of the monitoring itself do not. */
export function bucketSizes(blocks: readonly MarkedBlock[], clusterNames: ReadonlySet<string>): BucketSizes {
  const own = blocks.filter(({ meta }) => clusterNames.has(clusterOf(meta)));
  const metas = own.map(({ meta }) => meta);
  const raw = metas.filter((meta) => resolutionOf(meta) === 0);
  const uploaded = raw.filter(({ compaction }) => compaction.level === 1);
  const merged = raw.filter(({ compaction }) => compaction.level > 1);
  const five = metas.filter((meta) => resolutionOf(meta) === fiveMinutesMs);
  const points = five.map(
    ({ stats, minTimeMs, maxTimeMs }) => (stats.numSeries * (maxTimeMs - minTimeMs)) / fiveMinutesMs,
  );
  return {
    streams: [...Map.groupBy(raw, clusterOf)].map(([cluster, all]) => streamSizes(cluster, all)),
    blocks: own.filter(({ isMarked }) => !isMarked).length,
    chunkBytesPerSample: ratio(
      total(uploaded.map((meta) => fileBytes(meta, "chunks/"))),
      total(uploaded.map(({ stats }) => stats.numSamples)),
    ),
    indexBytesPerSeries: ratio(
      total(uploaded.map((meta) => fileBytes(meta, "index"))),
      total(uploaded.map(({ stats }) => stats.numSeries)),
    ),
    rawBytesPerSample: ratio(
      total(merged.map((meta) => fileBytes(meta, ""))),
      total(merged.map(({ stats }) => stats.numSamples)),
    ),
    fiveMinuteBytesPerPoint: ratio(total(five.map((meta) => fileBytes(meta, ""))), total(points)),
    spanSeconds: {
      raw: spanMs(raw) / 1000,
      fiveMinutes: spanMs(five) / 1000,
      oneHour: spanMs(metas.filter((meta) => resolutionOf(meta) === hourMs)) / 1000,
    },
  };
}

/** A block that began or ended with the history of its cluster is shorter, and says little about the others. */
const wholeBlockMsMin = 0.95 * 2 * hourMs;

function streamSizes(cluster: string, raw: readonly BlockMeta[]): StreamSizes {
  const uploaded = raw.filter(({ compaction }) => compaction.level === 1);
  const whole = uploaded.filter(({ minTimeMs, maxTimeMs }) => maxTimeMs - minTimeMs >= wholeBlockMsMin);
  const bytesOf = (metas: readonly BlockMeta[]) => total(metas.map((meta) => fileBytes(meta, "")));
  const coveredDays = total(uploaded.map(({ minTimeMs, maxTimeMs }) => maxTimeMs - minTimeMs)) / dayMs;
  return {
    cluster,
    wholeBlockBytesMean: ratio(bytesOf(whole), whole.length),
    uploadedBytesPerDay: ratio(bytesOf(uploaded), coveredDays),
  };
}

function fileBytes({ thanos }: BlockMeta, beginning: string): number {
  const files = (thanos?.files ?? []).filter(({ path }) => path.startsWith(beginning));
  return total(files.map(({ sizeBytes }) => sizeBytes ?? 0));
}

function clusterOf({ thanos }: BlockMeta): string {
  return thanos?.labels["cluster"] ?? "";
}

function resolutionOf({ thanos }: BlockMeta): number {
  return thanos?.resolutionMs ?? 0;
}

function spanMs(metas: readonly BlockMeta[]): number {
  if (metas.length === 0) return 0;
  const from = metas.reduce((least, { minTimeMs }) => Math.min(least, minTimeMs), Number.POSITIVE_INFINITY);
  const to = metas.reduce((most, { maxTimeMs }) => Math.max(most, maxTimeMs), 0);
  return to - from;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function ratio(amount: number, of: number): number | undefined {
  return of > 0 ? amount / of : undefined;
}
