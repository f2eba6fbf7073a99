/** For tests: series in memory behind the contract of a source, and requests as a client sends them. */
import {
  collectSeries,
  compareLabels,
  compareText,
  compileMatchers,
  cursorOf,
  fail,
  labelsFromRecord,
  labelsKey,
  labelValue,
  ok,
  withoutLabels,
  xorEncoding,
  type Labels,
  type LabelsAnswer,
  type LabelsRequest,
  type Result,
  type SeriesCursor,
  type SeriesSource,
  type SourceChunk,
  type SourceFailure,
  type SourceSeries,
} from "@pleiad/model";
import type { HttpRequest } from "@pleiad/ports";

export interface TestSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [timestampMs: number, value: number])[];
}

export interface MemorySourceOptions {
  readonly name?: string; // in failures
  readonly warnings?: readonly string[]; // on every answer
  readonly failure?: SourceFailure; // in place of every answer
}

/** A source whose chunks hold one sample each: the least that the encoding needs, and the most chunks for a reader. */
export function memorySource(all: readonly TestSeries[], options: MemorySourceOptions = {}): SeriesSource {
  const { name = "memory", warnings = [], failure } = options;
  const series = all.map(({ labels, samples }) => ({
    labels: labelsFromRecord(labels),
    chunks: samples.map(([timestampMs, value]) => oneSampleChunk(timestampMs, value)),
  }));
  const select = (request: Parameters<SeriesSource["select"]>[0], signal: AbortSignal): SeriesCursor => {
    if (failure !== undefined) return cursorOf([], { failure });
    if (signal.aborted) return cursorOf([], { failure: { kind: "canceled", source: name } });
    const matches = compileMatchers(request.matchers);
    if (!matches.ok)
      return cursorOf([], { failure: { kind: "invalid", source: name, reason: matches.failure.reason } });
    const dropped = new Set(request.withoutLabels);
    const merged = new Map<string, { readonly labels: Labels; chunks: readonly SourceChunk[] }>();
    for (const one of series) {
      const inRange = one.chunks.filter(
        ({ minTimeMs, maxTimeMs }) => minTimeMs <= request.maxTimeMs && maxTimeMs >= request.minTimeMs,
      );
      if (inRange.length === 0 || !matches.value(one.labels)) continue;
      const labels = withoutLabels(one.labels, dropped);
      const known = merged.get(labelsKey(labels));
      const chunks = [...(known?.chunks ?? []), ...inRange].sort((a, b) => a.minTimeMs - b.minTimeMs);
      merged.set(labelsKey(labels), { labels, chunks });
    }
    const sorted: SourceSeries[] = [...merged.values()].sort((a, b) => compareLabels(a.labels, b.labels));
    return cursorOf(request.skipChunks ? sorted.map(({ labels }) => ({ labels, chunks: [] })) : sorted, { warnings });
  };
  const texts = async (
    request: LabelsRequest,
    signal: AbortSignal,
    textsOf: (labels: Labels) => readonly string[],
  ): Promise<Result<LabelsAnswer, SourceFailure>> => {
    const asked = { ...request, skipChunks: true, maxResolutionMs: 0, seriesMax: 0, hints: {} };
    const found = await collectSeries(select(asked, signal));
    if (found.failure !== undefined) return fail(found.failure);
    const values = [...new Set(found.series.flatMap((one) => textsOf(one.labels)))].sort(compareText);
    return ok({ values: request.limit > 0 ? values.slice(0, request.limit) : values, warnings: found.warnings });
  };
  return {
    select,
    labelNames: async (request, signal) =>
      await texts(request, signal, (labels) => labels.filter((_, i) => i % 2 === 0)),
    labelValues: async (label, request, signal) =>
      await texts(request, signal, (labels) => [labelValue(labels, label)].filter((value) => value !== "")),
  };
}

/** XOR encoding of one sample: its count, its time as a signed varint, the bits of its value. */
function oneSampleChunk(timestampMs: number, value: number): SourceChunk {
  const bytes = [0, 1];
  let rest = BigInt(timestampMs) * 2n;
  if (timestampMs < 0) rest = -rest - 1n;
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  const data = new Uint8Array(bytes.length + 8);
  data.set(bytes);
  new DataView(data.buffer).setFloat64(bytes.length, value);
  return { minTimeMs: timestampMs, maxTimeMs: timestampMs, content: { kind: "raw", encoding: xorEncoding, data } };
}

/** One sample every `stepMs` from `startMs` to `endMs`, both included. */
export function samplesOf(
  startMs: number,
  endMs: number,
  stepMs: number,
  valueAt: (i: number) => number,
): TestSeries["samples"] {
  return Array.from(
    { length: Math.floor((endMs - startMs) / stepMs) + 1 },
    (_, i) => [startMs + i * stepMs, valueAt(i)] as const,
  );
}

export interface TestRequest {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** A request of a local client: `target` is the path with its query; a body is sent as a form. */
export function requestOf(target: string, options: TestRequest = {}): HttpRequest {
  const [path = "", query = ""] = target.split("?", 2);
  const form = options.body === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" };
  const method = options.method ?? (options.body === undefined ? "GET" : "POST");
  const headers = new Map(Object.entries({ host: "localhost:10902", ...form, ...options.headers }));
  const body = new TextEncoder().encode(options.body ?? "");
  return { method, path, query, headers, body, signal: options.signal ?? new AbortController().signal };
}
