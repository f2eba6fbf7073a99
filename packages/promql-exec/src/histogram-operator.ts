/** `histogram_quantile` and `histogram_fraction` over classic buckets, as operators. */
import {
  formatFloat,
  labelsFromPairs,
  labelValue,
  parseFloatText,
  withLabels,
  withoutLabels,
  type Labels,
} from "@pleiad/model";
import type { SourceRange } from "@pleiad/promql-syntax";
import { bucketFraction, bucketQuantile, type Bucket, type QuantileResult } from "./classic-histogram.ts";
import { createStepBatch, reserveSamples, type Operator, type StepBatch } from "./operator.ts";
import { informAt, warnAt, type QueryContext } from "./query-context.ts";
import { outputLabels } from "./output-labels.ts";
import type { ScalarColumn } from "./scalar-column.ts";

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
interface BucketTable {
  readonly bounds: Float64Array; // by series id; NaN where `le` is no number
  readonly boundTexts: readonly string[]; // by series id
  readonly histogramOf: Uint32Array; // by series id
  readonly buckets: readonly Bucket[][]; // by histogram: those of the current step
}

const bucketLabels: ReadonlySet<string> = new Set(["le"]);

/** One result, or one a quantile, for all buckets that differ in `le` alone. Names are still there. */
export function createHistogramOperator(input: Operator, call: HistogramFunction, context: QueryContext): Operator {
  let table: BucketTable = {
    bounds: new Float64Array(0),
    boundTexts: [],
    histogramOf: new Uint32Array(0),
    buckets: [],
  };
  let scalars: Float64Array[] = [];
  let outputs: readonly OutputSeries[] = []; // by place of the scalar
  let batch: StepBatch | undefined;
  let step = 0;

  const compute = (place: number, buckets: Bucket[], timestampMs: number): number => {
    if (call.name === "histogram_fraction") return bucketFraction(scalars[0][step], scalars[1][step], buckets);
    const { quantile, repaired } = bucketQuantile(scalars[place][step], buckets);
    if (repaired !== undefined) informOfRepair(repaired, timestampMs, call.inputRange, context);
    return quantile;
  };

  return {
    description: call.name,
    inputs: [input],
    dropsName: undefined, // all results are of another metric: the caller sees to their names
    async series(signal): Promise<readonly Labels[]> {
      scalars = [];
      for (const scalar of call.scalars) scalars.push(await scalar(signal));
      if (call.name !== "histogram_fraction") {
        scalars.forEach((column, i) => warnOfQuantiles(column, call.scalarRanges[i], context));
      }
      const labels = await input.series(signal);
      const histograms = await outputLabels(labels, (one) => withoutLabels(one, bucketLabels), context.pace);
      const boundTexts = labels.map((one) => labelValue(one, "le"));
      table = {
        bounds: Float64Array.from(boundTexts, (text) => parseFloatText(text) ?? NaN),
        boundTexts,
        histogramOf: histograms.ids,
        buckets: histograms.labels.map(() => []),
      };
      const output = outputsOf(histograms.labels, call.quantileLabel, scalars);
      outputs = output.series;
      return output.labels;
    },
    async next(out, signal) {
      batch ??= createStepBatch(out.stepCountMax);
      const steps = await input.next(batch, signal);
      if (steps === 0) return 0;
      reserveSamples(out, batch.sampleEnds[steps - 1] * outputs.length);
      out.histograms.length = 0;
      let count = 0;
      for (let i = 0; i < steps; i++, step++) {
        const found = gatherBuckets(batch, i, table, call.inputRange, context);
        for (const [place, outputOf] of outputs.entries()) {
          for (const histogram of found) {
            out.seriesIds[count] = outputOf(histogram, step);
            out.values[count++] = compute(place, table.buckets[histogram], batch.timestampsMs[i]);
          }
        }
        for (const histogram of found) table.buckets[histogram].length = 0;
        out.timestampsMs[i] = batch.timestampsMs[i];
        out.sampleEnds[i] = count;
        if (context.pace.due()) await context.pace.rest();
      }
      return steps;
    },
  };
}

/** The series under which a histogram's result stands at a step. */
type OutputSeries = (histogram: number, step: number) => number;

/** Without a label, histograms are the output; with one, histograms × the quantiles that occur. */
function outputsOf(
  histograms: readonly Labels[],
  quantileLabel: string | undefined,
  scalars: readonly Float64Array[],
): { readonly labels: readonly Labels[]; readonly series: readonly OutputSeries[] } {
  if (quantileLabel === undefined) return { labels: histograms, series: [(histogram) => histogram] };
  const placeOf = new Map<number, number>();
  const labels: Labels[] = [];
  for (const phi of scalars.flatMap((column) => [...new Set(column)])) {
    if (placeOf.has(phi)) continue;
    placeOf.set(phi, placeOf.size);
    const own = labelsFromPairs([[quantileLabel, formatQuantile(phi)]]);
    for (const histogram of histograms) labels.push(withLabels(histogram, own));
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

/** Puts the step's samples into the buckets of their histograms; gives the histograms that have any. */
function gatherBuckets(
  { seriesIds, values, sampleEnds }: StepBatch,
  step: number,
  { bounds, boundTexts, histogramOf, buckets }: BucketTable,
  inputRange: SourceRange,
  context: QueryContext,
): readonly number[] {
  const found: number[] = [];
  for (let sample = step === 0 ? 0 : sampleEnds[step - 1]; sample < sampleEnds[step]; sample++) {
    const id = seriesIds[sample];
    if (bounds[id] !== bounds[id]) {
      const text = JSON.stringify(boundTexts[id]);
      warnAt(context, inputRange, `bucket label "le" is missing or has a malformed value of ${text}`);
      continue;
    }
    const own = buckets[histogramOf[id]];
    if (own.length === 0) found.push(histogramOf[id]);
    own.push({ upperBound: bounds[id], count: values[sample] });
  }
  return found;
}

/** Warns where φ is outside of 0 … 1 at some step. */
export function warnOfQuantiles(quantiles: Float64Array, range: SourceRange, context: QueryContext): void {
  for (const phi of quantiles) {
    if (phi >= 0 && phi <= 1) continue;
    const text = phi === Infinity ? "+Inf" : phi === -Infinity ? "-Inf" : String(phi);
    warnAt(context, range, `quantile value should be between 0 and 1, got ${text}`);
  }
}

function informOfRepair(
  repaired: NonNullable<QuantileResult["repaired"]>,
  timestampMs: number,
  range: SourceRange,
  context: QueryContext,
): void {
  const { minBound, maxBound, maxDifference } = repaired;
  const text =
    "input to histogram_quantile needed to be fixed for monotonicity (see " +
    "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
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
