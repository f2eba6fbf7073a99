/** Remote read: the series of a Prometheus with their chunks, streamed, or as samples where it gives nothing else. */
import { decodeSnappyBlock, encodeSnappyBlock } from "@pleiad/chunks";
import { encodeFloatHistograms, encodeIntegerHistograms, encodeXor } from "@pleiad/chunks";
import {
  compareChunks,
  fail,
  ok,
  type ChunkEncoding,
  type Result,
  type SourceChunk,
  type SourceFailure,
  type SourceSeries,
} from "@pleiad/model";
import type { HttpAnswer } from "@pleiad/ports";
import {
  createLabelTable,
  createWriteRequestReader,
  decodeChunkedRead,
  decodeReadResponse,
  encodeReadRequest,
  formatWireFailure,
  type HistogramMessage,
  type LabelTable,
  type ReadQuery,
  type ReadResponseType,
  type WriteRequestFailure,
  type WrittenSamples,
} from "@pleiad/wire";
import type { PrometheusClient } from "./prometheus-client.ts";

export interface ReadClientOptions {
  /** Of an answer, as it comes and decompressed; over it the answer is a failure. */
  readonly answerBytesMax: number;
  /** The forms of answer that are asked for, the best first. */
  readonly accepted: readonly ReadResponseType[];
  /** A chunk that is made of samples has at most as many. */
  readonly samplesPerChunk: number;
}

export const defaultReadClient: ReadClientOptions = {
  answerBytesMax: 256 * 1024 * 1024,
  accepted: ["chunks", "samples"],
  samplesPerChunk: 120,
};

export interface ReadClient {
  /** The series in the order in which they come, each once. Chunks may stick out of the range, samples do not. */
  read(query: ReadQuery, signal: AbortSignal): Promise<Result<readonly SourceSeries[], SourceFailure>>;
}

const readPath = "/api/v1/read";

export function createReadClient(client: PrometheusClient, options: ReadClientOptions): ReadClient {
  const { answerBytesMax, accepted, samplesPerChunk } = options;
  const labelTable = createLabelTable();
  const corrupt = (reason: string) => fail({ kind: "corrupt" as const, source: client.name, reason });

  function decode({ headers, body }: HttpAnswer): Result<readonly SourceSeries[], SourceFailure> {
    const contentType = (headers.get("content-type") ?? "").toLowerCase();
    if (contentType.startsWith("application/x-streamed-protobuf")) {
      const series = decodeChunkedRead(body, labelTable);
      return series.ok ? ok(joinNeighbours(series.value)) : corrupt(formatWireFailure(series.failure));
    }
    if (!contentType.startsWith("application/x-protobuf")) return corrupt(`an answer of type ${contentType}`);
    const message = decodeSnappyBlock(body, answerBytesMax);
    if (!message.ok) return corrupt(message.failure);
    const results = decodeReadResponse(message.value);
    if (!results.ok) return corrupt(formatWireFailure(results.failure));
    const series: SourceSeries[] = [];
    for (const result of results.value) {
      const failure = readSamples(result, labelTable, samplesPerChunk, series);
      if (failure !== undefined) return corrupt(failure);
    }
    return ok(series);
  }

  return {
    async read(query, signal) {
      const answer = await client.ask(
        readPath,
        {
          method: "POST",
          headers: {
            "content-encoding": "snappy",
            "content-type": "application/x-protobuf",
            "accept-encoding": "snappy",
            "x-prometheus-remote-read-version": "0.1.0",
          },
          body: encodeSnappyBlock(encodeReadRequest(query, accepted)),
          bodyBytesMax: answerBytesMax,
        },
        signal,
      );
      return answer.ok ? decode(answer.value) : answer;
    },
  };
}

/** A series that did not fit one frame goes on in the next. */
function joinNeighbours(series: readonly SourceSeries[]): readonly SourceSeries[] {
  const joined: SourceSeries[] = [];
  for (const one of series) {
    const last = joined.at(-1);
    // Equal labels of one table are the same strings: told apart at once.
    const isSame =
      last !== undefined &&
      last.labels.length === one.labels.length &&
      last.labels.every((text, i) => text === one.labels[i]);
    if (isSame) joined[joined.length - 1] = { labels: last.labels, chunks: [...last.chunks, ...one.chunks] };
    else joined.push(one);
  }
  return joined;
}

/** Nothing in an answer is bounded but its bytes, which are counted already. */
const unbounded = { seriesMax: Infinity, samplesMax: Infinity, labelsPerSeriesMax: Infinity, symbolsMax: Infinity };

/** Adds the series of a result, their samples as chunks; gives what is wrong with it. */
function readSamples(
  result: Uint8Array,
  labelTable: LabelTable,
  samplesPerChunk: number,
  into: SourceSeries[],
): string | undefined {
  const reader = createWriteRequestReader(unbounded, labelTable);
  reader.reset(result);
  while (reader.nextSeries()) {
    const labels = reader.labels();
    if (!labels.ok) return labels.failure;
    const fault = faultOf(reader.samples);
    if (fault !== undefined) return fault;
    const chunks = [...floatChunks(reader.samples, samplesPerChunk), ...histogramChunks(reader.samples.histograms)];
    into.push({ labels: labels.value, chunks: chunks.sort(compareChunks) });
  }
  return reader.failure === undefined ? undefined : formatFailure(reader.failure);
}

/** Why samples make no chunks. */
function faultOf({ sampleCount, timestampsMs, histograms }: WrittenSamples): string | undefined {
  const times = histograms.map(({ timestampMs }) => timestampMs);
  if (!isAscending(timestampsMs.subarray(0, sampleCount)) || !isAscending(times)) {
    return "samples that do not ascend in time";
  }
  return histograms.find(({ fault }) => fault !== undefined)?.fault;
}

function isAscending(timesMs: Float64Array | readonly number[]): boolean {
  for (let i = 1; i < timesMs.length; i++) if (!((timesMs[i - 1] ?? 0) < (timesMs[i] ?? 0))) return false;
  return true;
}

function formatFailure(failure: WriteRequestFailure): string {
  return failure.kind === "limit" ? `more than ${failure.max} ${failure.of}` : formatWireFailure(failure);
}

function floatChunks(samples: WrittenSamples, samplesPerChunk: number): SourceChunk[] {
  const { sampleCount, timestampsMs, valueWords } = samples;
  const values = new Float64Array(valueWords.buffer, valueWords.byteOffset, valueWords.length / 2);
  const chunks: SourceChunk[] = [];
  for (let from = 0; from < sampleCount; from += samplesPerChunk) {
    const to = Math.min(from + samplesPerChunk, sampleCount);
    const data = encodeXor(timestampsMs, values, from, to);
    chunks.push(rawChunk(1, timestampsMs[from] ?? 0, timestampsMs[to - 1] ?? 0, data));
  }
  return chunks;
}

function histogramChunks(histograms: readonly HistogramMessage[]): SourceChunk[] {
  const chunks: SourceChunk[] = [];
  for (let from = 0; from < histograms.length;) {
    const kind = histograms[from]?.kind;
    let to = from + 1;
    while (to < histograms.length && histograms[to]?.kind === kind) to++;
    const run = histograms.slice(from, to);
    const times = Float64Array.from(run, ({ timestampMs }) => timestampMs);
    const values = run.map(({ histogram }) => histogram);
    const encoded = kind === "integer" ? encodeIntegerHistograms(times, values) : encodeFloatHistograms(times, values);
    for (const { minTimeMs, maxTimeMs, data } of encoded) {
      chunks.push(rawChunk(kind === "integer" ? 2 : 3, minTimeMs, maxTimeMs, data));
    }
    from = to;
  }
  return chunks;
}

function rawChunk(encoding: ChunkEncoding, minTimeMs: number, maxTimeMs: number, data: Uint8Array): SourceChunk {
  return { minTimeMs, maxTimeMs, content: { kind: "raw", encoding, data } };
}
