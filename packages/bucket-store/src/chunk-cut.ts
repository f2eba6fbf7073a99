/** Series of a block that fills a gap, without the samples that coarser blocks beside the gap have too. */
import { withoutDeleted } from "@pleiad/blocks";
import { fail, ok, type Result, type SourceChunk, type SourceSeries } from "@pleiad/model";

/** Where samples are wanted from a block; both inclusive. */
export interface CutRange {
  readonly cutFromMs: number; // -Infinity where nothing is cut
  readonly cutToMs: number;
}

/** Chunks of aggregates stay whole: their windows cannot be told apart without all of them. The failure is a reason for people. */
export function cutSeries(batch: readonly SourceSeries[], range: CutRange): Result<readonly SourceSeries[], string> {
  const { cutFromMs, cutToMs } = range;
  if (cutFromMs === -Infinity && cutToMs === Infinity) return ok(batch);
  const cut: SourceSeries[] = [];
  for (const series of batch) {
    if (series.chunks.every((chunk) => isInside(chunk, range))) {
      cut.push(series);
      continue;
    }
    const chunks: SourceChunk[] = [];
    for (const chunk of series.chunks) {
      const left = cutChunk(chunk, range);
      if (!left.ok) return left;
      for (const one of left.value) chunks.push(one);
    }
    if (chunks.length > 0) cut.push({ labels: series.labels, chunks });
  }
  return ok(cut);
}

function isInside({ minTimeMs, maxTimeMs, content }: SourceChunk, { cutFromMs, cutToMs }: CutRange): boolean {
  return content.kind === "aggregates" || (minTimeMs >= cutFromMs && maxTimeMs <= cutToMs);
}

function cutChunk(chunk: SourceChunk, range: CutRange): Result<readonly SourceChunk[], string> {
  const { minTimeMs, maxTimeMs, content } = chunk;
  if (content.kind === "aggregates" || isInside(chunk, range)) return ok([chunk]);
  const spans = [
    { minTimeMs: -Infinity, maxTimeMs: range.cutFromMs - 1 },
    { minTimeMs: range.cutToMs + 1, maxTimeMs: Infinity },
  ];
  const left = withoutDeleted({ minTimeMs, maxTimeMs, sampleCount: 0, ...content }, spans);
  if (!left.ok) return left;
  const chunks: SourceChunk[] = [];
  for (const { minTimeMs: from, maxTimeMs: to, encoding, data } of left.value) {
    if (encoding === 255) return fail("aggregates came out of raw samples");
    chunks.push({ minTimeMs: from, maxTimeMs: to, content: { kind: "raw", encoding, data } });
  }
  return ok(chunks);
}
