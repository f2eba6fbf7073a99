/** `histogram_quantile` and `histogram_fraction` over classic buckets, as operators. */
import { labelValue, parseFloatText, withoutLabels, type Labels } from "@pleiad/model";
import { stepCountOf, type StepGrid } from "@pleiad/promql-plan";
import type { SourceRange } from "@pleiad/promql-syntax";
import { bucketFraction, bucketQuantile, type Bucket, type QuantileResult } from "./classic-histogram.ts";
import { createStepBatch, reserveSamples, type Operator, type StepBatch } from "./operator.ts";
import { informAt, warnAt, type QueryContext } from "./query-context.ts";
import { outputLabels } from "./renamed-series.ts";
import type { ScalarColumn } from "./scalar-column.ts";

/** What is computed of a histogram's buckets at a step; may change the buckets. */
export interface HistogramFunction {
  readonly name: "histogram_quantile" | "histogram_fraction";
  readonly scalars: readonly ScalarColumn[];
  readonly scalarRange: SourceRange;
  readonly inputRange: SourceRange;
}

const bucketLabels: ReadonlySet<string> = new Set(["le"]);

/** One result for all buckets that differ in `le` alone. Names are still there. */
export function createHistogramOperator(
  input: Operator,
  call: HistogramFunction,
  grid: StepGrid,
  context: QueryContext,
): Operator {
  const stepCount = stepCountOf(grid);
  let bounds = new Float64Array(0); // by input id; NaN where `le` is no number
  let bucketTexts: readonly string[] = [];
  let histogramOf = new Uint32Array(0); // by input id
  let histograms: Bucket[][] = [];
  let scalars: Float64Array[] = [];
  let batch: StepBatch | undefined;
  let step = 0;

  const compute = (buckets: Bucket[], timestampMs: number): number => {
    if (call.name === "histogram_fraction") return bucketFraction(scalars[0][step], scalars[1][step], buckets);
    const { quantile, repaired } = bucketQuantile(scalars[0][step], buckets);
    if (repaired !== undefined) repairs.note(repaired, timestampMs);
    return quantile;
  };
  const repairs = createRepairNote(call.inputRange, context);

  return {
    description: call.name,
    inputs: [input],
    async series(signal): Promise<readonly Labels[]> {
      scalars = [];
      for (const scalar of call.scalars) scalars.push(await scalar(signal));
      if (call.name === "histogram_quantile") warnOfQuantiles(scalars[0], call.scalarRange, context);
      const labels = await input.series(signal);
      bucketTexts = labels.map((one) => labelValue(one, "le"));
      bounds = Float64Array.from(bucketTexts, (text) => parseFloatText(text) ?? NaN);
      const output = outputLabels(labels.map((one) => withoutLabels(one, bucketLabels)));
      histogramOf = Uint32Array.from(output.ids);
      histograms = output.labels.map(() => []);
      return output.labels;
    },
    async next(out, signal) {
      batch ??= createStepBatch(out.stepCountMax);
      const steps = await input.next(batch, signal);
      if (steps === 0) return 0;
      reserveSamples(out, Math.min(batch.sampleEnds[steps - 1], histograms.length * steps));
      out.histograms.length = 0;
      let sample = 0;
      let count = 0;
      for (let i = 0; i < steps; i++, step++) {
        const touched: number[] = [];
        for (; sample < batch.sampleEnds[i]; sample++) {
          const id = batch.seriesIds[sample];
          if (bounds[id] !== bounds[id]) {
            const text = `bucket label "le" is missing or has a malformed value of ${JSON.stringify(bucketTexts[id])}`;
            warnAt(context, call.inputRange, text);
            continue;
          }
          const buckets = histograms[histogramOf[id]];
          if (buckets.length === 0) touched.push(histogramOf[id]);
          buckets.push({ upperBound: bounds[id], count: batch.values[sample] });
        }
        for (const histogram of touched) {
          out.seriesIds[count] = histogram;
          out.values[count++] = compute(histograms[histogram], batch.timestampsMs[i]);
          histograms[histogram].length = 0;
        }
        out.timestampsMs[i] = batch.timestampsMs[i];
        out.sampleEnds[i] = count;
        if (context.pace.due()) await context.pace.rest();
      }
      if (step === stepCount) repairs.finish();
      return steps;
    },
  };
}

/** Warns where φ is outside of 0 … 1 at some step. */
export function warnOfQuantiles(quantiles: Float64Array, range: SourceRange, context: QueryContext): void {
  for (const phi of quantiles) {
    if (phi >= 0 && phi <= 1) continue;
    const text = phi === Infinity ? "+Inf" : phi === -Infinity ? "-Inf" : String(phi);
    warnAt(context, range, `quantile value should be between 0 and 1, got ${text}`);
  }
}

/** Gathers all repairs of one call into one info, written at its end. */
function createRepairNote(range: SourceRange, context: QueryContext) {
  let count = 0;
  let minBound = Infinity;
  let maxBound = -Infinity;
  let maxDifference = 0;
  let firstMs = Infinity;
  let lastMs = -Infinity;
  return {
    note(repaired: NonNullable<QuantileResult["repaired"]>, timestampMs: number): void {
      count++;
      minBound = Math.min(minBound, repaired.minBound);
      maxBound = Math.max(maxBound, repaired.maxBound);
      maxDifference = Math.max(maxDifference, repaired.maxDifference);
      firstMs = Math.min(firstMs, timestampMs);
      lastMs = Math.max(lastMs, timestampMs);
    },
    finish(): void {
      if (count === 0) return;
      const moment = (timestampMs: number) => new Date(timestampMs).toISOString().replace(/\.\d+Z$/, "Z");
      const text =
        "input to histogram_quantile needed to be fixed for monotonicity (see " +
        "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), " +
        `from buckets ${minBound} to ${maxBound}, with a max diff of ${Number(maxDifference.toPrecision(2))}, ` +
        `over ${count} samples from ${moment(firstMs)} to ${moment(lastMs)}`;
      informAt(context, range, text);
      count = 0;
    },
  };
}
