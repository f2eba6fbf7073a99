/** `load_with_nhcb`: classic histograms once more, as native histograms with custom bounds. */
import {
  compactHistogram,
  customBoundsSchema,
  labelsFromPairs,
  labelPairs,
  labelsKey,
  labelValue,
  metricNameLabel,
  parseFloatText,
  type FloatHistogram,
  type Labels,
} from "@pleiad/model";
import type { ScriptSample } from "./test-script-storage.ts";

interface LoadedSeries {
  readonly labels: Labels;
  readonly samples: readonly ScriptSample[];
}

/** What the series of a classic histogram say at one time. Bucket counts are cumulative. */
interface ClassicHistogram {
  readonly buckets: Map<number, number>; // by upper bound
  count: number | undefined;
  sum: number;
}

/** The native histograms of a load: for each set of labels without `le`, and each time, one. */
export function customBucketHistograms(series: readonly LoadedSeries[]): readonly LoadedSeries[] {
  const converted = new Map<string, { readonly labels: Labels; readonly byTime: Map<number, ClassicHistogram> }>();
  for (const { labels, samples } of series) {
    const [, name, part] = /^(.*)_(bucket|count|sum)$/.exec(labelValue(labels, metricNameLabel)) ?? [];
    if (name === undefined) continue;
    const bound = parseFloatText(labelValue(labels, "le")) ?? NaN;
    if (part === "bucket" && bound !== bound) continue;
    const pairs = [...labelPairs(labels)].filter(([label]) => label !== "le" && label !== metricNameLabel);
    const nativeLabels = labelsFromPairs([...pairs, [metricNameLabel, name]]);
    const key = labelsKey(nativeLabels);
    const native = converted.get(key) ?? { labels: nativeLabels, byTime: new Map<number, ClassicHistogram>() };
    converted.set(key, native);
    for (const { timestampMs, value } of samples) {
      if (typeof value !== "number") continue;
      const classic = native.byTime.get(timestampMs) ?? {
        buckets: new Map<number, number>(),
        count: undefined,
        sum: 0,
      };
      native.byTime.set(timestampMs, classic);
      if (part === "count") classic.count = value;
      else if (part === "sum") classic.sum = value;
      else if (!classic.buckets.has(bound)) classic.buckets.set(bound, value);
    }
  }
  return [...converted.values()].map(({ labels, byTime }) => ({
    labels,
    samples: [...byTime]
      .sort(([a], [b]) => a - b)
      .map(([timestampMs, classic]) => ({ timestampMs, startMs: 0, value: convert(classic) })),
  }));
}

function convert({ buckets, count, sum }: ClassicHistogram): FloatHistogram {
  const bounds = [...buckets.keys()].sort((a, b) => a - b);
  const total = count ?? buckets.get(bounds[bounds.length - 1]) ?? 0;
  if (bounds[bounds.length - 1] !== Infinity) bounds.push(Infinity);
  const cumulative = bounds.map((bound) => buckets.get(bound) ?? total);
  if (cumulative.some((value, i) => value < (cumulative[i - 1] ?? 0)) || cumulative[cumulative.length - 1] !== total) {
    throw new Error(`not a cumulative histogram of ${total}: ${cumulative.join(" ")}`);
  }
  return compactHistogram({
    schema: customBoundsSchema,
    zeroThreshold: 0,
    zeroCount: 0,
    count: total,
    sum,
    positiveSpans: [{ offset: 0, length: bounds.length }],
    positiveBuckets: Float64Array.from(cumulative, (value, i) => value - (cumulative[i - 1] ?? 0)),
    negativeSpans: [],
    negativeBuckets: new Float64Array(0),
    customBounds: Float64Array.from(bounds.slice(0, -1)),
    counterReset: "unknown",
  });
}
