/** Chunks without the samples that tombstones cover. */
import { createSampleColumns, decodeChunk, encodeXor, formatChunkFailure } from "@pleiad/chunks";
import { fail, ok, type Result, type SourceChunk } from "@pleiad/model";
import { coversAll, touchesAny, type TimeSpan } from "./tombstones.ts";

/** The chunk with what is left of it; undefined where nothing is. The failure is a reason for people. */
export function withoutDeleted(
  chunk: SourceChunk,
  spans: readonly TimeSpan[],
): Result<SourceChunk | undefined, string> {
  const { minTimeMs, maxTimeMs, content } = chunk;
  if (!touchesAny(spans, minTimeMs, maxTimeMs)) return ok(chunk);
  if (coversAll(spans, minTimeMs, maxTimeMs)) return ok(undefined);
  if (content.kind !== "raw" || content.encoding !== 1) {
    return fail("a tombstone covers part of a chunk of histograms or aggregates, which is not rewritten");
  }
  const columns = createSampleColumns(256);
  const broken = decodeChunk(content.encoding, content.data, columns);
  if (broken !== undefined) return fail(formatChunkFailure(broken));
  const { timestampsMs, values, valueWords: words } = columns;
  let left = 0;
  for (let i = 0; i < columns.count; i++) {
    const timestampMs = timestampsMs[i] as number;
    if (touchesAny(spans, timestampMs, timestampMs)) continue;
    timestampsMs[left] = timestampMs;
    words[2 * left] = words[2 * i] as number;
    words[2 * left + 1] = words[2 * i + 1] as number;
    left++;
  }
  if (left === 0) return ok(undefined);
  return ok({
    minTimeMs: timestampsMs[0] as number,
    maxTimeMs: timestampsMs[left - 1] as number,
    content: { kind: "raw", encoding: 1, data: encodeXor(timestampsMs, values, 0, left) },
  });
}
