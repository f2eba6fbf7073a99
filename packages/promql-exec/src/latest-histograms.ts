/** What an instant selector sees of a series that has native histograms, and perhaps floats as well. */
import { isStaleHistogram, type HistogramColumns, type SampleColumns } from "@pleiad/chunks";
import { floatSample, histogramSample, noSample, type RowHistograms } from "./operator.ts";
import { isStaleAt } from "./series-reader.ts";

/** What of a sample is wanted: itself, its own time, or since when it counts; times as seconds. */
export type SampleAspect = "value" | "timestamp" | "start-timestamp";

/** Writes the latest sample of either kind with reference - lookback < t ≤ reference; tells whether there is any. */
export function fillLatestOfBoth(
  floats: SampleColumns,
  histograms: HistogramColumns,
  aspect: SampleAspect,
  references: Float64Array,
  lookbackMs: number,
  row: { readonly values: Float64Array; readonly present: Uint8Array; readonly histograms: RowHistograms },
): boolean {
  const { values, present } = row;
  let found = false;
  let nextFloat = 0; // the first one after the reference
  let nextHistogram = 0;
  for (let step = 0; step < references.length; step++) {
    const referenceMs = references[step];
    while (nextFloat < floats.count && floats.timestampsMs[nextFloat] <= referenceMs) nextFloat++;
    while (nextHistogram < histograms.count && histograms.timestampsMs[nextHistogram] <= referenceMs) nextHistogram++;
    const floatMs = nextFloat === 0 ? -Infinity : floats.timestampsMs[nextFloat - 1];
    const histogramMs = nextHistogram === 0 ? -Infinity : histograms.timestampsMs[nextHistogram - 1];
    present[step] = noSample;
    row.histograms[step] = undefined;
    const timeMs = Math.max(floatMs, histogramMs);
    if (timeMs <= referenceMs - lookbackMs) continue;
    const isFloat = floatMs === timeMs;
    const columns = isFloat ? floats : histograms;
    const at = (isFloat ? nextFloat : nextHistogram) - 1;
    if (isFloat ? isStaleAt(floats, at) : isStaleHistogram(histograms.histograms[at])) continue;
    found = true;
    if (aspect === "value" && !isFloat) {
      present[step] = histogramSample;
      row.histograms[step] = histograms.histograms[at];
      continue;
    }
    present[step] = floatSample;
    if (aspect === "value") values[step] = floats.values[at];
    else values[step] = (aspect === "timestamp" ? timeMs : (columns.startTimestampsMs?.[at] ?? 0)) / 1000;
  }
  return found;
}
