/** One made-up series of `up`, for who warms up without asking anybody. */
import { encodeXor } from "@pleiad/chunks";
import {
  cursorOf,
  labelsFromRecord,
  labelValue,
  ok,
  xorEncoding,
  type LabelsAnswer,
  type SeriesSource,
  type SourceSeries,
} from "@pleiad/model";

const intervalMs = 30_000;
const chunkSamples = 120;

/** Of the two hours before `atMs`, whatever is asked for; it has the labels, too. */
export function warmUpSource(atMs: number, more: Readonly<Record<string, string>> = {}): SeriesSource {
  const labels = labelsFromRecord({ ...more, __name__: "up", instance: "localhost", job: "warm-up" });
  const series: SourceSeries = { labels, chunks: [chunkBefore(atMs - chunkSamples * intervalMs), chunkBefore(atMs)] };
  const only = async (values: readonly string[]) => ok<LabelsAnswer>({ values, warnings: [] });
  return {
    select: ({ skipChunks }) => cursorOf([skipChunks ? { labels, chunks: [] } : series]),
    labelNames: async () => await only(labels.filter((_, i) => i % 2 === 0)),
    labelValues: async (name) => await only([labelValue(labels, name)].filter((value) => value !== "")),
  };
}

function chunkBefore(endMs: number): SourceSeries["chunks"][number] {
  const timestampsMs = Float64Array.from({ length: chunkSamples }, (_, i) => endMs - (chunkSamples - i) * intervalMs);
  const data = encodeXor(timestampsMs, new Float64Array(chunkSamples).fill(1), 0, chunkSamples);
  const [minTimeMs = endMs] = timestampsMs;
  return { minTimeMs, maxTimeMs: endMs - intervalMs, content: { kind: "raw", encoding: xorEncoding, data } };
}
