/** Compares what an engine answers with what a script expects, as Prometheus does. */
import {
  compactHistogram,
  compareLabels,
  formatHistogram,
  formatLabels,
  labelsKey,
  unreachable,
  type BucketSpan,
  type FloatHistogram,
} from "@pleiad/model";
import type { AnswerSeries, AnswerValue, QueryAnswer, QueryFailure } from "./answer.ts";
import type { AnnotationExpectation, EvalCommand, ScriptSeries, ScriptValue } from "./test-script.ts";

/** What is wrong with a failure, where one is expected; undefined if nothing is. */
export function judgeFailure({ annotations }: EvalCommand, failure: QueryFailure): string | undefined {
  const told = `${failure.kind}: ${failure.message}`;
  const expected = annotations.filter(({ level }) => level === "fail");
  if (expected.length === 0 || failure.kind === "not-evaluated") return told;
  return expected.every(({ matches }) => matches(failure.message)) ? undefined : `another failure, ${told}`;
}

/** What is wrong with an answer; undefined if nothing is. */
export function judgeAnswer(command: EvalCommand, answer: QueryAnswer): string | undefined {
  if (command.annotations.some(({ level }) => level === "fail")) return "an answer instead of a failure";
  return (
    judgeAnnotations(command.annotations, "warn", answer.warnings) ??
    judgeAnnotations(command.annotations, "info", answer.infos) ??
    judgeValue(command, answer.value)
  );
}

function judgeAnnotations(
  expectations: readonly AnnotationExpectation[],
  level: "warn" | "info",
  found: readonly string[],
): string | undefined {
  // The scripts give the texts as they are before positions and details of the query are added.
  const texts = found.map((text) => text.replace(/ \(\d+:\d+\)$/, "").replace(/, from buckets .*$/, ""));
  if (expectations.some((one) => one.level === `no_${level}`) && texts.length > 0) return `unexpected ${texts.join()}`;
  const wanted = expectations.filter((one) => one.level === level);
  if (wanted.length === 0) return undefined;
  if (!wanted.every(({ matches }) => texts.some(matches))) return `no such ${level} among [${texts.join("; ")}]`;
  const stray = texts.find((text) => !wanted.some(({ matches }) => matches(text)));
  return stray === undefined ? undefined : `unexpected ${level} ${stray}`;
}

export function judgeValue(command: EvalCommand, value: AnswerValue): string | undefined {
  const { result } = command;
  switch (result.kind) {
    case "scalar":
      if (value.kind !== "scalar") return `a ${value.kind} instead of a scalar`;
      return areClose(value.value, result.value) ? undefined : `${value.value} instead of ${result.value}`;
    case "string":
      if (value.kind !== "string") return `a ${value.kind} instead of a string`;
      return value.value === result.value ? undefined : `${value.value} instead of ${result.value}`;
    case "range-vector":
      if (value.kind !== "matrix") return `a ${value.kind} instead of a range vector`;
      return judgeMatrix(value, result.series, result.startMs, result.stepMs);
    case "series":
      if (value.kind === "vector") return judgeVector(value, result.series, command.ordered);
      if (value.kind === "matrix" && command.stepMs > 0) {
        return judgeMatrix(value, result.series, command.startMs, command.stepMs);
      }
      return value.kind === "matrix" && value.series.length === 0 && result.series.length === 0
        ? undefined
        : `a ${value.kind} instead of series`;
    default:
      return unreachable(result);
  }
}

function judgeVector(
  value: Extract<AnswerValue, { kind: "vector" }>,
  expected: readonly ScriptSeries[],
  ordered: boolean,
): string | undefined {
  if (value.labels.length !== expected.length) {
    return `${value.labels.length} series instead of ${expected.length}: ${value.labels.map(formatLabels).join(" ")}`;
  }
  const positions = new Map(value.labels.map((labels, i) => [labelsKey(labels), i]));
  for (const [i, one] of expected.entries()) {
    const at = positions.get(labelsKey(one.labels));
    if (at === undefined) return `no ${formatLabels(one.labels)} in ${value.labels.map(formatLabels).join(" ")}`;
    if (ordered && at !== i) return `${formatLabels(one.labels)} at place ${at} instead of ${i}`;
    const fault = judgeSample(value.histograms[at] ?? value.values[at], one.values[0]);
    if (fault !== undefined) return `${formatLabels(one.labels)} ${fault}`;
  }
  return undefined;
}

function judgeMatrix(
  value: Extract<AnswerValue, { kind: "matrix" }>,
  expected: readonly ScriptSeries[],
  startMs: number,
  stepMs: number,
): string | undefined {
  const wanted = expected.filter(({ values }) => values.some((one) => one !== undefined));
  if (value.series.length !== wanted.length) {
    const found = value.series.map(({ labels }) => formatLabels(labels)).join(" ");
    return `${value.series.length} series instead of ${wanted.length}: ${found}`;
  }
  const disorder = judgeOrder(value.series);
  if (disorder !== undefined) return disorder;
  const byLabels = new Map(value.series.map((series) => [labelsKey(series.labels), series]));
  for (const { labels, values } of wanted) {
    const series = byLabels.get(labelsKey(labels));
    const fault = series === undefined ? "is not there" : judgeSeries(series, values, startMs, stepMs);
    if (fault !== undefined) return `${formatLabels(labels)} ${fault}`;
  }
  return undefined;
}

function judgeSeries(
  series: AnswerSeries,
  values: readonly ScriptValue[],
  startMs: number,
  stepMs: number,
): string | undefined {
  const found = new Map<number, number | FloatHistogram>();
  series.timestampsMs.forEach((timestampMs, i) => found.set(timestampMs, series.values[i]));
  series.histogramTimestampsMs.forEach((timestampMs, i) => found.set(timestampMs, series.histograms[i]));
  for (const [i, value] of values.entries()) {
    if (value === undefined) continue;
    const timestampMs = startMs + i * stepMs;
    const sample = found.get(timestampMs);
    const fault = sample === undefined ? "nothing" : judgeSample(sample, value);
    if (fault !== undefined) return `${fault} @${timestampMs}`;
    found.delete(timestampMs);
  }
  return found.size === 0 ? undefined : `${found.size} samples more than expected`;
}

/** Series of a matrix are sorted by their labels, and come once. */
export function judgeOrder(series: readonly AnswerSeries[]): string | undefined {
  for (let i = 1; i < series.length; i++) {
    if (compareLabels(series[i - 1].labels, series[i].labels) >= 0) return "not sorted by labels";
  }
  return undefined;
}

function judgeSample(found: number | FloatHistogram, wanted: ScriptValue): string | undefined {
  if (typeof wanted === "number") {
    if (typeof found === "object") return `${formatHistogram(found)} instead of ${wanted}`;
    return areClose(found, wanted) ? undefined : `${found} instead of ${wanted}`;
  }
  if (typeof wanted !== "object") return `a marker is expected: ${wanted}`;
  const text = `instead of ${formatHistogram(wanted.histogram)}`;
  if (typeof found === "number") return `${found} ${text}`;
  const { isHintGiven, histogram } = wanted;
  if (isHintGiven && found.counterReset !== histogram.counterReset) {
    return `${found.counterReset} ${formatHistogram(found)} instead of ${histogram.counterReset}`;
  }
  return areCloseHistograms(compactHistogram(found), compactHistogram(histogram))
    ? undefined
    : `${formatHistogram(found)} (schema ${found.schema}) ${text}`;
}

function areCloseHistograms(a: FloatHistogram, b: FloatHistogram): boolean {
  return (
    a.schema === b.schema &&
    a.zeroThreshold === b.zeroThreshold &&
    areClose(a.zeroCount, b.zeroCount) &&
    areClose(a.count, b.count) &&
    areClose(a.sum, b.sum) &&
    a.customBounds.join() === b.customBounds.join() &&
    formatSpans(a.positiveSpans) === formatSpans(b.positiveSpans) &&
    formatSpans(a.negativeSpans) === formatSpans(b.negativeSpans) &&
    a.positiveBuckets.every((count, i) => areClose(count, b.positiveBuckets[i])) &&
    a.negativeBuckets.every((count, i) => areClose(count, b.negativeBuckets[i]))
  );
}

function formatSpans(spans: readonly BucketSpan[]): string {
  return spans.map(({ offset, length }) => `${offset}+${length}`).join();
}

const tolerance = 1e-6;
const smallestNormal = 2.2250738585072014e-308;

/** The language's idea of equal floats. */
function areClose(a: number, b: number): boolean {
  if (a === b || (a !== a && b !== b)) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < smallestNormal) return difference < tolerance * smallestNormal;
  return difference / Math.min(sum, Number.MAX_VALUE) < tolerance;
}
