/** Query results as JSON, written straight from the columns of the engine: no object is made for a sample. */
import {
  bucketBoundary,
  bucketColumns,
  emptyLabels,
  formatFloat,
  formatPlainFloat,
  unreachable,
  type FloatHistogram,
} from "@pleiad/model";
import type { AnswerSeries, AnswerValue, OperatorProfile, QueryAnalysis, QueryStatistics } from "@pleiad/promql-exec";
import type { JsonPiece } from "./envelope.ts";
import { formatScalarTime, formatTimestamp, quoteJson } from "./json-text.ts";
import { sampleTextWriter } from "./sample-text.ts";

/** What is told beside a result, where it was asked for. */
export interface AnswerExtras {
  readonly statistics: QueryStatistics | undefined;
  readonly analysis: QueryAnalysis | undefined;
}

/** The `data` field of `query` and `query_range`. The value is written once: at the end, its columns are let go. */
export function* answerText(
  value: AnswerValue,
  { statistics, analysis }: AnswerExtras = { statistics: undefined, analysis: undefined },
): Generator<JsonPiece> {
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
      try {
        yield* matrixText(value.series);
      } finally {
        value.release?.();
      }
      break;
    default:
      unreachable(value);
  }
  if (statistics !== undefined) yield `,"stats":${statisticsText(statistics)}`;
  if (analysis !== undefined) yield `,"analysis":${analysisText(analysis)}`;
  yield "}";
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

function* vectorText(vector: Extract<AnswerValue, { kind: "vector" }>): Generator<JsonPiece> {
  const { labels, values, histograms } = vector;
  const time = formatTimestamp(vector.timestampMs);
  const out = sampleTextWriter();
  out.text("[");
  for (let i = 0; i < labels.length; i++) {
    const histogram = histograms[i];
    out.text(i === 0 ? `{"metric":` : `,{"metric":`);
    out.labels(labels[i] ?? emptyLabels);
    out.text(
      histogram === undefined
        ? `,"value":[${time},"${formatFloat(values[i] ?? NaN)}"]}`
        : `,"histogram":[${time},${histogramText(histogram)}]}`,
    );
    if (out.isFull) yield* out.take();
  }
  out.text("]");
  yield* out.take();
}

function* matrixText(matrix: readonly AnswerSeries[]): Generator<JsonPiece> {
  const writer = sampleTextWriter();
  writer.text("[");
  for (const [i, series] of matrix.entries()) {
    const { timestampsMs, values, histogramTimestampsMs, histograms } = series;
    writer.text(i === 0 ? `{"metric":` : `,{"metric":`);
    writer.labels(series.labels);
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
  const { lowers, uppers, counts } = bucketColumns(histogram);
  for (const [i, count] of counts.entries()) {
    const lower = lowers[i] ?? NaN;
    const upper = uppers[i] ?? NaN;
    text += i === 0 ? `,"buckets":[` : ",";
    text += `[${bucketBoundary(histogram.schema, lower, upper)},"${formatFloat(lower)}","${formatFloat(upper)}","${formatFloat(count)}"]`;
  }
  return `${text}${counts.length > 0 ? "]" : ""}}`;
}

/** In Prometheus's shape; times in seconds. */
function statisticsText(statistics: QueryStatistics): string {
  const { queueMs, parseMs, planMs, evaluateMs, samplesRead, samplesPeak, seriesSelected } = statistics;
  const { samplesQueryable = samplesRead, samplesQueryablePerStep: perStep } = statistics;
  const preparationMs = parseMs + planMs;
  const evaluationMs = preparationMs + evaluateMs;
  return quoteJson({
    timings: {
      evalTotalTime: evaluationMs / 1000,
      resultSortTime: 0,
      queryPreparationTime: preparationMs / 1000,
      innerEvalTime: evaluateMs / 1000,
      execQueueTime: queueMs / 1000,
      execTotalTime: (queueMs + evaluationMs) / 1000,
    },
    samples: {
      ...(perStep === undefined
        ? {}
        : {
            totalQueryableSamplesPerStep: Array.from(perStep.timestampsMs, (timestampMs, step) => [
              timestampMs / 1000,
              perStep.counts[step],
            ]),
          }),
      totalQueryableSamples: samplesQueryable,
      samplesRead,
      peakSamples: samplesPeak,
      seriesSelected,
    },
  });
}

/** The tree of operators in Thanos's shape, the plan beside its root. Trees of scalar arguments stand apart. */
function analysisText({ plan, operators }: QueryAnalysis): string {
  const trees = operators.map(analysisNode);
  return quoteJson({ ...trees.at(-1), plan, scalars: trees.slice(0, -1) });
}

interface AnalysisNode {
  readonly name: string;
  readonly executionTime: string; // as Go prints durations
  readonly series: number;
  readonly totalSamples: number;
  readonly doneByReader: boolean;
  readonly children: readonly AnalysisNode[];
}

function analysisNode(profile: OperatorProfile): AnalysisNode {
  return {
    name: profile.description,
    executionTime: `${Number(profile.elapsedMs.toFixed(3))}ms`,
    series: profile.seriesCount,
    totalSamples: profile.sampleCount,
    doneByReader: profile.isDoneByReader,
    children: profile.inputs.map(analysisNode),
  };
}
