/** Query results as JSON, written straight from the columns of the engine: no object is made for a sample. */
import { formatFloat, formatPlainFloat, unreachable, type FloatHistogram } from "@pleiad/model";
import type { AnswerSeries, AnswerValue, QueryStatistics } from "@pleiad/promql-exec";
import { listBuckets } from "./histogram-buckets.ts";
import type { JsonPiece } from "./envelope.ts";
import { formatScalarTime, formatTimestamp, labelsJson, quoteJson } from "./json-text.ts";
import { createSampleTextWriter, type SampleTextWriter } from "./sample-text.ts";

const pieceCharactersMax = 65_536;

/** Made with the first matrix: every process has the code, few answer queries. */
let writer: SampleTextWriter | undefined;

/** The `data` field of `query` and `query_range`. */
export function* answerText(value: AnswerValue, statistics: QueryStatistics | undefined): Generator<JsonPiece> {
  yield `{"resultType":"${value.kind}","result":`;
  switch (value.kind) {
    case "scalar":
      yield `[${formatScalarTime(value.timestampMs)},"${formatPlainFloat(value.value)}"]`;
      break;
    case "string":
      yield `[${formatScalarTime(value.timestampMs)},${quoteJson(value.value)}]`;
      break;
    case "vector":
      yield* vectorText(value);
      break;
    case "matrix":
      yield* matrixText(value.series);
      break;
    default:
      unreachable(value);
  }
  yield statistics === undefined ? "}" : `,"stats":${statisticsText(statistics)}}`;
}

/** At most the first `limit` series of a vector or matrix; other values as they are. */
export function truncateAnswer(value: AnswerValue, limit: number): { value: AnswerValue; truncated: boolean } {
  if (limit === 0) return { value, truncated: false };
  if (value.kind === "matrix" && value.series.length > limit) {
    return { value: { ...value, series: value.series.slice(0, limit) }, truncated: true };
  }
  if (value.kind === "vector" && value.labels.length > limit) {
    const labels = value.labels.slice(0, limit);
    const values = value.values.subarray(0, limit);
    return { value: { ...value, labels, values, histograms: value.histograms.slice(0, limit) }, truncated: true };
  }
  return { value, truncated: false };
}

function* vectorText(vector: Extract<AnswerValue, { kind: "vector" }>): Generator<string> {
  const { labels, values, histograms } = vector;
  const time = formatTimestamp(vector.timestampMs);
  let text = "[";
  for (const [i, metric] of labels.entries()) {
    const histogram = histograms[i];
    text += `${i === 0 ? "" : ","}{"metric":${labelsJson(metric)},`;
    text +=
      histogram === undefined
        ? `"value":[${time},"${formatFloat(values[i] ?? NaN)}"]}`
        : `"histogram":[${time},${histogramText(histogram)}]}`;
    if (text.length >= pieceCharactersMax) {
      yield text;
      text = "";
    }
  }
  yield `${text}]`;
}

function* matrixText(matrix: readonly AnswerSeries[]): Generator<JsonPiece> {
  writer ??= createSampleTextWriter();
  writer.text("[");
  for (const [i, series] of matrix.entries()) {
    const { timestampsMs, values, histogramTimestampsMs, histograms } = series;
    writer.text(`${i === 0 ? "" : ","}{"metric":${labelsJson(series.labels)}`);
    if (timestampsMs.length > 0) {
      writer.text(`,"values":[`);
      for (let next = 0; next < timestampsMs.length;) {
        next = writer.samples(timestampsMs, values, next);
        if (writer.isFull) yield* writer.take();
      }
      writer.text("]");
    }
    if (histograms.length > 0) {
      writer.text(`,"histograms":[`);
      for (const [j, histogram] of histograms.entries()) {
        const time = formatTimestamp(histogramTimestampsMs[j] ?? NaN);
        writer.text(`${j === 0 ? "" : ","}[${time},${histogramText(histogram)}]`);
        if (writer.isFull) yield* writer.take();
      }
      writer.text("]");
    }
    writer.text("}");
    if (writer.isFull) yield* writer.take();
  }
  writer.text("]");
  yield* writer.take();
}

function histogramText(histogram: FloatHistogram): string {
  let text = `{"count":"${formatFloat(histogram.count)}","sum":"${formatFloat(histogram.sum)}"`;
  const buckets = listBuckets(histogram);
  for (const [i, { boundary, lower, upper, count }] of buckets.entries()) {
    text += i === 0 ? `,"buckets":[` : ",";
    text += `[${boundary},"${formatFloat(lower)}","${formatFloat(upper)}","${formatFloat(count)}"]`;
  }
  return `${text}${buckets.length > 0 ? "]" : ""}}`;
}

function statisticsText(statistics: QueryStatistics): string {
  const { parseMs, planMs, evaluateMs, samplesRead, samplesPeak, seriesSelected } = statistics;
  const preparationMs = parseMs + planMs;
  return quoteJson({
    timings: {
      evalTotalTime: (preparationMs + evaluateMs) / 1000,
      resultSortTime: 0,
      queryPreparationTime: preparationMs / 1000,
      innerEvalTime: evaluateMs / 1000,
      execQueueTime: 0,
      execTotalTime: (preparationMs + evaluateMs) / 1000,
    },
    samples: { totalQueryableSamples: samplesRead, peakSamples: samplesPeak, seriesSelected },
  });
}
