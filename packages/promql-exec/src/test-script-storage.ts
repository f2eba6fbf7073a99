/** What test scripts load: series in memory, encoded into chunks as a head would cut them. */
import {
  createSampleColumns,
  encodeFloatHistograms,
  encodeXor,
  encodeXor2,
  reserveSamples,
  staleHistogram,
} from "@pleiad/chunks";
import {
  compareLabels,
  compileMatchers,
  cursorOf,
  fail,
  labelsKey,
  ok,
  setStale,
  xorEncoding,
  type FloatHistogram,
  type Labels,
  type SeriesSource,
  type SourceChunk,
  type SourceSeries,
} from "@pleiad/model";
import { customBucketHistograms } from "./test-script-histograms.ts";
import type { ScriptCommand, ScriptSeries } from "./test-script.ts";

/** One sample of a series; `startMs` is since when it counts, 0 where that is not known. */
export interface ScriptSample {
  readonly timestampMs: number;
  readonly startMs: number;
  readonly value: number | "stale" | FloatHistogram;
}

export interface ScriptStorage {
  readonly source: SeriesSource;
  load(command: Extract<ScriptCommand, { kind: "load" }>): void;
  clear(): void;
}

const chunkSamples = 120;

export function createScriptStorage(): ScriptStorage {
  let stored = new Map<string, SourceSeries>();

  // A series that is loaded again is as one that a second replica has: its chunks overlap those that are there.
  const add = (labels: Labels, samples: readonly ScriptSample[]) => {
    const key = labelsKey(labels);
    const chunks = [...(stored.get(key)?.chunks ?? []), ...encodeSamples(samples)];
    chunks.sort((a, b) => a.minTimeMs - b.minTimeMs || a.maxTimeMs - b.maxTimeMs);
    stored.set(key, { labels, chunks });
  };

  return {
    source: {
      select(request, signal) {
        if (signal.aborted) return cursorOf([], { failure: { kind: "canceled", source: "script" } });
        const matches = compileMatchers(request.matchers);
        if (!matches.ok) {
          return cursorOf([], { failure: { kind: "invalid", source: "script", reason: matches.failure.reason } });
        }
        const inRange = ({ minTimeMs, maxTimeMs }: SourceChunk) =>
          maxTimeMs >= request.minTimeMs && minTimeMs <= request.maxTimeMs;
        const series = [...stored.values()]
          .filter((one) => matches.value(one.labels))
          .map((one) => ({ ...one, chunks: one.chunks.filter(inRange) }))
          .filter((one) => one.chunks.length > 0);
        return cursorOf(series.sort((a, b) => compareLabels(a.labels, b.labels)));
      },
      labelNames: async () => ok({ values: [], warnings: [] }),
      labelValues: async () => fail({ kind: "unavailable", source: "script", reason: "labels are not asked for here" }),
    },
    load({ series, stepMs, withNativeHistograms }) {
      // Within one block, a repeated series takes the place of the one before.
      const lastOf = new Map(series.map((one) => [labelsKey(one.labels), one]));
      const loaded = [...lastOf.values()].map((one) => ({ labels: one.labels, samples: samplesOf(one, stepMs) }));
      for (const { labels, samples } of loaded) add(labels, samples);
      if (!withNativeHistograms) return;
      for (const { labels, samples } of customBucketHistograms(loaded)) add(labels, samples);
    },
    clear() {
      stored = new Map();
    },
  };
}

function samplesOf({ values, startsMs }: ScriptSeries, stepMs: number): readonly ScriptSample[] {
  const samples: ScriptSample[] = [];
  values.forEach((value, i) => {
    if (value === undefined) return;
    const timestampMs = i * stepMs;
    const sinceMs = startsMs?.[i];
    samples.push({
      timestampMs,
      startMs: sinceMs === undefined ? 0 : timestampMs + sinceMs,
      value: typeof value === "object" ? value.histogram : value,
    });
  });
  return samples;
}

/** Chunks of one kind each; a staleness marker goes on whatever was before it. */
function encodeSamples(samples: readonly ScriptSample[]): readonly SourceChunk[] {
  const chunks: SourceChunk[] = [];
  let run: ScriptSample[] = [];
  let isHistogramRun = false;
  const finish = () => {
    if (run.length > 0) chunks.push(...(isHistogramRun ? encodeHistogramRun(run) : encodeFloatRun(run)));
    run = [];
  };
  for (const sample of samples) {
    const isHistogram: boolean = typeof sample.value === "object" || (sample.value === "stale" && isHistogramRun);
    if (isHistogram !== isHistogramRun || run.length === chunkSamples) finish();
    isHistogramRun = isHistogram;
    run.push(sample);
  }
  finish();
  return chunks;
}

function encodeFloatRun(run: readonly ScriptSample[]): readonly SourceChunk[] {
  const withStarts = run.some(({ startMs }) => startMs !== 0);
  const columns = createSampleColumns(run.length, { startTimestamps: withStarts });
  reserveSamples(columns, run.length);
  for (const { timestampMs, startMs, value } of run) {
    columns.timestampsMs[columns.count] = timestampMs;
    if (columns.startTimestampsMs !== undefined) columns.startTimestampsMs[columns.count] = startMs;
    if (typeof value === "number") columns.values[columns.count] = value;
    else setStale(columns.values, columns.count);
    columns.count++;
  }
  const content: SourceChunk["content"] = withStarts
    ? { kind: "raw", encoding: 4, data: encodeXor2(columns, 0, columns.count) }
    : {
        kind: "raw",
        encoding: xorEncoding,
        data: encodeXor(columns.timestampsMs, columns.values, 0, columns.count),
      };
  return [{ minTimeMs: run[0].timestampMs, maxTimeMs: run[run.length - 1].timestampMs, content }];
}

function encodeHistogramRun(run: readonly ScriptSample[]): readonly SourceChunk[] {
  const withStarts = run.some(({ startMs }) => startMs !== 0);
  const timestampsMs = Float64Array.from(run, ({ timestampMs }) => timestampMs);
  const startTimestampsMs = Float64Array.from(run, ({ startMs }) => startMs);
  const histograms = run.map(({ value }) => (typeof value === "object" ? value : staleHistogram));
  return encodeFloatHistograms(timestampsMs, histograms, withStarts ? startTimestampsMs : undefined).map(
    ({ minTimeMs, maxTimeMs, data }) => ({
      minTimeMs,
      maxTimeMs,
      content: { kind: "raw", encoding: withStarts ? 6 : 3, data },
    }),
  );
}
