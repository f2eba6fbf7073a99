/** For tests of what asks a SeriesSource: one that holds its series in memory, and series made of samples. */
import { createSampleColumns, decodeChunk, encodeXor } from "@pleiad/chunks";
import {
  compareLabels,
  compareText,
  compileMatchers,
  cursorOf,
  fail,
  formatMatcher,
  labelPairs,
  labelValue,
  ok,
  uniteNeighbours,
  withoutLabels,
  xorEncoding,
  type Labels,
  type LabelsAnswer,
  type LabelsRequest,
  type Result,
  type SeriesSource,
  type SourceChunk,
  type SourceFailure,
  type SourceSeries,
} from "@pleiad/model";

export { memoryMonitoring, plainSelectors } from "./memory-monitoring.testing.ts";

const chunkSamplesMax = 120;

/** A series of float samples in chunks of 120, as a head cuts them. Times must ascend. */
export function seriesOf(
  labels: Labels,
  samples: readonly (readonly [timestampMs: number, value: number])[],
): SourceSeries {
  const chunks: SourceChunk[] = [];
  for (let from = 0; from < samples.length; from += chunkSamplesMax) {
    const part = samples.slice(from, from + chunkSamplesMax);
    const timestampsMs = Float64Array.from(part, ([timestampMs]) => timestampMs);
    const values = Float64Array.from(part, ([, value]) => value);
    chunks.push({
      minTimeMs: timestampsMs[0] ?? 0,
      maxTimeMs: timestampsMs.at(-1) ?? 0,
      content: { kind: "raw", encoding: xorEncoding, data: encodeXor(timestampsMs, values, 0, part.length) },
    });
  }
  return { labels, chunks };
}

/** The samples of an XOR chunk of at most 128; throws where it is none. */
export function samplesOf(
  encoding: number,
  data: Uint8Array,
): readonly (readonly [timestampMs: number, value: number])[] {
  const columns = createSampleColumns(128);
  const failure = encoding === xorEncoding ? decodeChunk(encoding, data, columns) : { encoding };
  if (failure !== undefined) throw new Error(JSON.stringify(failure));
  return Array.from({ length: columns.count }, (_, i) => [columns.timestampsMs[i] ?? NaN, columns.values[i] ?? NaN]);
}

/** A source over series held in memory, in any order. It follows the contract to the letter, and nothing fast. */
export function memorySource(series: readonly SourceSeries[], name = "memory"): SeriesSource {
  function matching(request: Pick<LabelsRequest, "matchers" | "minTimeMs" | "maxTimeMs">) {
    const test = compileMatchers(request.matchers);
    if (!test.ok) {
      const reason = `${formatMatcher(test.failure.matcher)}: ${test.failure.reason}`;
      return fail({ kind: "invalid", source: name, reason } satisfies SourceFailure);
    }
    const overlaps = (chunk: SourceChunk) =>
      chunk.minTimeMs <= request.maxTimeMs && chunk.maxTimeMs >= request.minTimeMs;
    return ok(
      series
        .filter((one) => test.value(one.labels))
        .map(({ labels, chunks }) => ({ labels, chunks: chunks.filter(overlaps) }))
        .filter((one) => one.chunks.length > 0),
    );
  }

  function texts(
    request: LabelsRequest,
    textsOf: (labels: Labels) => Iterable<string>,
  ): Result<LabelsAnswer, SourceFailure> {
    const found = matching(request);
    if (!found.ok) return found;
    const removed = new Set(request.withoutLabels);
    const values = new Set(found.value.flatMap(({ labels }) => [...textsOf(withoutLabels(labels, removed))]));
    const sorted = [...values].sort(compareText);
    return ok({ values: request.limit > 0 ? sorted.slice(0, request.limit) : sorted, warnings: [] });
  }

  return {
    select(request, signal) {
      if (signal.aborted) return cursorOf([], { failure: { kind: "canceled", source: name } });
      const found = matching(request);
      if (!found.ok) return cursorOf([], { failure: found.failure });
      const removed = new Set(request.withoutLabels);
      const sorted = found.value
        .map(({ labels, chunks }) => ({ labels: withoutLabels(labels, removed), chunks }))
        .sort((a, b) => compareLabels(a.labels, b.labels));
      const united = uniteNeighbours(sorted);
      return cursorOf(request.skipChunks ? united.map(({ labels }) => ({ labels, chunks: [] })) : united);
    },
    labelNames: async (request) => texts(request, (labels) => Array.from(labelPairs(labels), ([label]) => label)),
    labelValues: async (label, request) =>
      texts(request, (labels) => {
        const value = labelValue(labels, label);
        return value === "" ? [] : [value];
      }),
  };
}
