/** A native histogram as one line of text, as `count_values` names it. */
import { formatGoFloat } from "./floats.ts";
import { bucketBoundary, bucketColumns } from "./histogram-buckets.ts";
import type { FloatHistogram } from "./histograms.ts";

/** `{count:3, sum:2.5, [-1,-0.5):1, (0.5,1]:2}`: brackets tell which bounds belong to a bucket. */
export function formatHistogram(histogram: FloatHistogram): string {
  const { lowers, uppers, counts } = bucketColumns(histogram);
  const parts = [`count:${formatGoFloat(histogram.count)}`, `sum:${formatGoFloat(histogram.sum)}`];
  for (let place = 0; place < counts.length; place++) {
    const lower = lowers[place] ?? NaN;
    const upper = uppers[place] ?? NaN;
    const boundary = bucketBoundary(histogram.schema, lower, upper);
    const opening = boundary === 0 ? "(" : "[";
    const closing = boundary === 1 ? ")" : "]";
    const count = formatGoFloat(counts[place] ?? NaN);
    parts.push(`${opening}${formatGoFloat(lower)},${formatGoFloat(upper)}${closing}:${count}`);
  }
  return `{${parts.join(", ")}}`;
}
