/** One block as a block of windows: of 5 minutes from raw samples, of an hour from those. */
import type { Block, BlockMeta } from "@pleiad/blocks";
import { fail, formatLabels, ok, type Result } from "@pleiad/model";
import { writeBlock, type BlockOutputOptions, type OutputSeries } from "./block-output.ts";
import type { CompactionFailure } from "./compaction-failure.ts";
import { formatDownsampleFailure } from "./downsample-failure.ts";
import { downsampleAggregates, downsampleRaw } from "./downsample.ts";

/** Thanos's: readers and compactors of a bucket agree on these. */
export const fiveMinutesMs = 300_000;
export const oneHourMs = 3_600_000;

const hourMs = 3_600_000;

/** What is downsampled to what, once it spans so much: shorter blocks would be few points, and merged again soon. */
export const downsampleSteps: readonly {
  readonly fromMs: number;
  readonly toMs: number;
  readonly spanMinMs: number;
}[] = [
  { fromMs: 0, toMs: fiveMinutesMs, spanMinMs: 40 * hourMs },
  { fromMs: fiveMinutesMs, toMs: oneHourMs, spanMinMs: 240 * hourMs },
];

export type DownsampleBlockOptions = Omit<BlockOutputOptions, "minTimeMs" | "maxTimeMs" | "compaction" | "thanos"> & {
  readonly resolutionMs: number;
};

/**
 * Writes the downsampled block and reads it back. It has the time, the level and the sources of its original: so it is told
 * which samples have a coarser form. Gives undefined where no sample is left.
 */
export async function downsampleBlock(
  block: Block,
  { resolutionMs, ...writing }: DownsampleBlockOptions,
): Promise<Result<BlockMeta | undefined, CompactionFailure>> {
  const { meta } = block;
  if (meta.thanos === undefined) throw new Error("a block of a bucket has a section of Thanos");
  const thanos = { ...meta.thanos, resolutionMs, source: "compactor", files: [], uploadTimeMs: undefined };
  return await writeBlock(block.symbols(), downsampledSeries(block, resolutionMs, writing.signal), {
    ...writing,
    minTimeMs: meta.minTimeMs,
    maxTimeMs: meta.maxTimeMs,
    compaction: meta.compaction,
    thanos,
  });
}

async function* downsampledSeries(
  block: Block,
  resolutionMs: number,
  signal: AbortSignal,
): AsyncGenerator<Result<OutputSeries, CompactionFailure>> {
  const fromMs = block.meta.thanos?.resolutionMs ?? 0;
  for await (const { labels, chunks } of block.everySeries(signal)) {
    const made =
      fromMs === 0 ? downsampleRaw(chunks, resolutionMs) : downsampleAggregates(chunks, fromMs, resolutionMs);
    if (made.ok) yield ok({ labels, chunks: made.value });
    else {
      const reason = formatDownsampleFailure(made.failure);
      yield fail({ kind: "series", blocks: [block.meta.ulid], series: formatLabels(labels), reason });
    }
  }
}
