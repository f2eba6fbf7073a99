/** What the blocks of a bucket say of themselves, as the capacity model counts it. */
import type { BlockMeta } from "@pleiad/blocks";

/** A stream is a set of external labels; the names are those of the clusters. */
export interface StreamSizes {
  readonly cluster: string;
  readonly uploads: number; // blocks that were uploaded for it, merged ones counted by what they were made of
  readonly uploadedBytesMean: number | undefined; // of one; undefined where all of them are merged and gone
  readonly spanMs: number;
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

function streamSizes(cluster: string, raw: readonly BlockMeta[]): StreamSizes {
  const uploaded = raw.filter(({ compaction }) => compaction.level === 1);
  return {
    cluster,
    uploads: new Set(raw.flatMap(({ compaction }) => compaction.sources)).size,
    uploadedBytesMean: ratio(total(uploaded.map((meta) => fileBytes(meta, ""))), uploaded.length),
    spanMs: spanMs(raw),
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
