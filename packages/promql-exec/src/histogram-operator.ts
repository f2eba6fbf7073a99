/** `histogram_quantile` and `histogram_fraction` over classic buckets and native histograms, as operators. */
import {
  formatFloat,
  formatGoFloat,
  histogramFraction,
  histogramQuantile,
  labelsFromPairs,
  labelValue,
  metricNameLabel,
  parseFloatText,
  withLabels,
  withoutLabels,
  type FloatHistogram,
  type Labels,
} from "@pleiad/model";
import { stepCountOf, type StepGrid } from "@pleiad/promql-plan";
import { quoteString, type SourceRange } from "@pleiad/promql-syntax";
import { bucketFraction, bucketQuantile, type Bucket, type QuantileResult } from "./classic-histogram.ts";
import { forMetric, informOfNan, warnOfClassicAndNative } from "./histogram-remarks.ts";
import { eachHistogramRow, type HistogramSeries, type HistogramStepFunction } from "./histogram-rows.ts";
import { createLateOperator } from "./late-operator.ts";
import { createStepBatch, reserveSamples, type Operator, type RowStream, type StepBatch } from "./operator.ts";
import { remarksMax } from "./query-annotations.ts";
import { informAt, warnAt, type QueryContext } from "./query-context.ts";
import { outputLabels, type OutputLabels } from "./output-labels.ts";
import type { ScalarColumn } from "./scalar-column.ts";
import { bytesFor } from "./series-reader.ts";

/** What is computed of a histogram's buckets at a step. */
export interface HistogramFunction {
  readonly name: "histogram_quantile" | "histogram_quantiles" | "histogram_fraction";
  /** φ, several of them, or the two ends of the fraction. */
  readonly scalars: readonly ScalarColumn[];
  readonly scalarRanges: readonly SourceRange[];
  /** The label that tells several quantiles apart. */
  readonly quantileLabel: string | undefined;
  readonly inputRange: SourceRange;
}

/** Which buckets belong together: decided once, by labels. */
interface BucketTable extends HistogramSeries {
  readonly boundTexts: readonly string[]; // by series id
  readonly histogramLabels: readonly Labels[]; // by histogram
  /** By series id: one object for all steps, whose count is that of the current one. */
  readonly bucketOf: readonly Bucket[];
  /** By histogram, all that it may have, in the order of bounds. */
  readonly allBuckets: readonly Bucket[][];
  /** By histogram, of the current step: classic buckets, or what is there natively. */
  readonly buckets: readonly Bucket[][];
  readonly natives: (FloatHistogram | undefined)[];
}

const bucketLabels: ReadonlySet<string> = new Set(["le"]);

/**
 * One result, or one a quantile, for all buckets that differ in `le` alone, and for a native histogram of the same labels;
 * should that have an `le` of its own, it is not looked at. Names are still there.
 */
export function createHistogramOperator(
  input: Operator,
  call: HistogramFunction,
  grid: StepGrid,
  context: QueryContext,
): Operator {
  let table: BucketTable = {
    bounds: new Float64Array(0),
    boundTexts: [],
    histogramOf: new Uint32Array(0),
    histogramLabels: [],
    bucketOf: [],
    seriesOf: [],
    bucketsOf: [],
    allBuckets: [],
    buckets: [],
    natives: [],
  };
  let scalars: Float64Array[] = [];
  let outputs: readonly OutputSeries[] = []; // by place of the scalar
  let gather: BucketGatherer | undefined;
  let batch: StepBatch | undefined;
  let step = 0;

  const isFraction = call.name === "histogram_fraction";
  /** As remarks have it: names that are dropped at once are not there any more. */
  const nameOf = (histogram: number) =>
    context.delayedNameRemoval ? labelValue(table.histogramLabels[histogram], metricNameLabel) : "";

  const compute = (place: number, histogram: number, step: number, of: Bucket[] | FloatHistogram): number => {
    if (!Array.isArray(of)) return computeNative(place, histogram, step, of);
    if (isFraction) return bucketFraction(scalars[0][step], scalars[1][step], of);
    const { quantile, repaired } = bucketQuantile(scalars[place][step], of);
    if (repaired !== undefined) {
      informOfRepair(repaired, grid.startMs + step * grid.stepMs, nameOf(histogram), call.inputRange, context);
    }
    return quantile;
  };

  const computeNative = (place: number, histogram: number, step: number, native: FloatHistogram): number => {
    if (isFraction) {
      const { value, hasNaN } = histogramFraction(scalars[0][step], scalars[1][step], native);
      if (hasNaN) informOfNan("fraction", nameOf(histogram), call.inputRange, context);
      return value;
    }
    const { value, nanEffect } = histogramQuantile(scalars[place][step], native);
    if (nanEffect !== undefined) informOfNan(nanEffect, nameOf(histogram), call.inputRange, context);
    return value;
  };

  /** What a histogram has at the current step. */
  const gathered = (histogram: number): Bucket[] | FloatHistogram => {
    // Mostly all buckets are there: then nothing is to be sorted.
    const found = table.buckets[histogram];
    const all = table.allBuckets[histogram];
    return table.natives[histogram] ?? (found.length === all.length ? all : found);
  };

  const rowsOf = (rows: RowStream): RowStream => ({
    async each(visit, signal) {
      const step: HistogramStepFunction = {
        compute: (histogram, step, of) => compute(0, histogram, step, of),
        warnOfBound: (id) => warnOfBound(table.boundTexts[id], nameOf(table.histogramOf[id]), call.inputRange, context),
        warnOfBoth: (histogram) => warnOfClassicAndNative(nameOf(histogram), call.inputRange, context),
      };
      await eachHistogramRow(rows, table, stepCountOf(grid), step, visit, context, signal);
    },
  });

  return createLateOperator({
    description: call.name,
    inputs: [input],
    rows: () => {
      // A quantile's label may be another at each step.
      return input.rows && call.quantileLabel === undefined ? rowsOf(input.rows) : undefined;
    },
    hasDistinctLabels: () => call.quantileLabel === undefined,
    // all results are of another metric: the caller sees to their names
    async series(signal): Promise<readonly Labels[]> {
      scalars = [];
      for (const scalar of call.scalars) scalars.push(await scalar(signal));
      if (call.name !== "histogram_fraction") {
        scalars.forEach((column, i) => warnOfQuantiles(column, call.scalarRanges[i], context));
      }
      const labels = await input.series(signal);
      const histograms = await outputLabels(labels, (one) => withoutLabels(one, bucketLabels), context.pace);
      const boundTexts = labels.map((one) => labelValue(one, "le"));
      const bounds = Float64Array.from(boundTexts, (text) => parseFloatText(text) ?? NaN);
      const bucketOf = Array.from(bounds, (upperBound): Bucket => ({ upperBound, count: 0 }));
      const seriesOf = seriesByHistogram(histograms);
      const bucketsOf = seriesOf.map((ids) => byBound(ids, bounds));
      table = {
        bounds,
        boundTexts,
        bucketOf,
        seriesOf,
        bucketsOf,
        allBuckets: bucketsOf.map((ids) => ids.map((id) => bucketOf[id])),
        histogramOf: histograms.ids,
        histogramLabels: histograms.labels,
        buckets: histograms.labels.map(() => []),
        natives: [],
      };
      const output = await outputsOf(histograms.labels, call.quantileLabel, scalars, context);
      outputs = output.series;
      return output.labels;
    },
    async next(out, signal) {
      batch ??= createStepBatch(out.stepCountMax);
      const steps = await input.next(batch, signal);
      if (steps === 0) return 0;
      reserveSamples(out, batch.sampleEnds[steps - 1] * outputs.length);
      out.histograms.length = 0;
      gather ??= createBucketGatherer(table, nameOf, call.inputRange, context);
      let count = 0;
      for (let i = 0; i < steps; i++, step++) {
        const found = gather(batch, i);
        for (const [place, outputOf] of outputs.entries()) {
          for (const histogram of found) {
            out.seriesIds[count] = outputOf(histogram, step);
            out.values[count++] = compute(place, histogram, step, gathered(histogram));
          }
        }
        for (const histogram of found) {
          table.buckets[histogram].length = 0;
          table.natives[histogram] = undefined;
        }
        out.timestampsMs[i] = batch.timestampsMs[i];
        out.sampleEnds[i] = count;
        if (context.pace.due()) await context.pace.rest();
      }
      return steps;
    },
  });
}

function seriesByHistogram({ labels, ids }: OutputLabels): readonly number[][] {
  const series: number[][] = labels.map(() => []);
  ids.forEach((histogram, id) => series[histogram].push(id));
  return series;
}

/** Those that are buckets, in the order of their bounds. */
function byBound(ids: readonly number[], bounds: Float64Array): readonly number[] {
  const buckets = ids.filter((id) => bounds[id] === bounds[id]);
  return buckets.sort((a, b) => (bounds[a] < bounds[b] ? -1 : bounds[a] > bounds[b] ? 1 : 0));
}

/** The series under which a histogram's result stands at a step. */
type OutputSeries = (histogram: number, step: number) => number;

/** Without a label, histograms are the output; with one, histograms × the quantiles that occur. */
async function outputsOf(
  histograms: readonly Labels[],
  quantileLabel: string | undefined,
  scalars: readonly Float64Array[],
  { budget, pace }: Pick<QueryContext, "budget" | "pace">,
): Promise<{ readonly labels: readonly Labels[]; readonly series: readonly OutputSeries[] }> {
  if (quantileLabel === undefined) return { labels: histograms, series: [(histogram) => histogram] };
  const placeOf = new Map<number, number>();
  const labels: Labels[] = [];
  for (const phi of scalars.flatMap((column) => [...new Set(column)])) {
    if (placeOf.has(phi)) continue;
    placeOf.set(phi, placeOf.size);
    const own = labelsFromPairs([[quantileLabel, formatQuantile(phi)]]);
    // A quantile may be another at each step.
    budget.takeBytes(bytesFor(0) * histograms.length);
    for (const histogram of histograms) labels.push(withLabels(histogram, own));
    if (pace.due()) await pace.rest();
  }
  const series = scalars.map(
    (column): OutputSeries =>
      (histogram, step) =>
        (placeOf.get(column[step]) ?? 0) * histograms.length + histogram,
  );
  return { labels, series };
}

/** As the text formats write the `quantile` of a summary: a whole number keeps a decimal. */
function formatQuantile(phi: number): string {
  const text = formatFloat(phi);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

/**
 * Puts the samples of a step into the buckets of their histograms, and gives the histograms that have any. Of those that
 * are there in both forms, neither counts.
 */
type BucketGatherer = (batch: StepBatch, step: number) => readonly number[];

function createBucketGatherer(
  { bounds, boundTexts, bucketOf, histogramOf, buckets, natives }: BucketTable,
  nameOf: (histogram: number) => string,
  inputRange: SourceRange,
  context: QueryContext,
): BucketGatherer {
  const isTold = new Uint8Array(bounds.length); // by series id
  return ({ seriesIds, values, sampleEnds, histograms }, step) => {
    const found: number[] = [];
    let hasNatives = false;
    for (let sample = step === 0 ? 0 : sampleEnds[step - 1]; sample < sampleEnds[step]; sample++) {
      const id = seriesIds[sample];
      const histogram = histogramOf[id];
      const native = histograms[sample];
      if (native !== undefined) {
        hasNatives = true;
        if (buckets[histogram].length === 0) found.push(histogram);
        natives[histogram] = native;
        continue;
      }
      if (bounds[id] !== bounds[id]) {
        if (isTold[id] === 1) continue;
        isTold[id] = 1;
        warnOfBound(boundTexts[id], nameOf(histogram), inputRange, context);
        continue;
      }
      const own = buckets[histogram];
      if (own.length === 0 && natives[histogram] === undefined) found.push(histogram);
      const bucket = bucketOf[id];
      bucket.count = values[sample];
      own.push(bucket);
    }
    return hasNatives ? found.filter(isInOneForm) : found;
  };

  function isInOneForm(histogram: number): boolean {
    if (natives[histogram] === undefined || buckets[histogram].length === 0) return true;
    warnOfClassicAndNative(nameOf(histogram), inputRange, context);
    natives[histogram] = undefined;
    buckets[histogram].length = 0;
    return false;
  }
}

function warnOfBound(boundText: string, metricName: string, range: SourceRange, context: QueryContext): void {
  const remark = `bucket label "le" is missing or has a malformed value of ${quoteString(boundText)}`;
  warnAt(context, range, remark + forMetric(metricName));
}

/** Warns where φ is outside of 0 … 1 at some step. */
export function warnOfQuantiles(quantiles: Float64Array, range: SourceRange, context: QueryContext): void {
  let told = 0;
  for (const phi of quantiles) {
    if (phi >= 0 && phi <= 1) continue;
    if (told++ === remarksMax) return;
    warnAt(context, range, `quantile value should be between 0 and 1, got ${formatGoFloat(phi)}`);
  }
}

function informOfRepair(
  repaired: NonNullable<QuantileResult["repaired"]>,
  timestampMs: number,
  metricName: string,
  range: SourceRange,
  context: QueryContext,
): void {
  const { minBound, maxBound, maxDifference } = repaired;
  const text =
    "input to histogram_quantile needed to be fixed for monotonicity (see " +
    "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)" +
    forMetric(metricName);
  const firstMs = timestampMs;
  informAt(context, range, text, {
    kind: "bucket-repairs",
    count: 1,
    minBound,
    maxBound,
    maxDifference,
    firstMs,
    lastMs: firstMs,
  });
}
