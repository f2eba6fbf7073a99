/** A `/metrics` page, read to be asked for sums. */
import { decodeSeries, defaultExpositionLimits, formatExpositionFailure, parseExposition } from "@pleiad/exposition";
import { fail, labelValue, metricNameLabel, ok, type Labels, type Result } from "@pleiad/model";

export interface MetricsPage {
  /** Of all series of the name with these labels; undefined where the page has none. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
}

/** Reads a page in the text format; the failure says where it is none. */
export function readMetricsPage(bytes: Uint8Array): Result<MetricsPage, string> {
  const samples: { readonly labels: Labels; readonly value: number }[] = [];
  const parsed = parseExposition(
    bytes,
    "text/plain; version=0.0.4",
    {
      sample: (page, start, end, value, _timestampMs, type) => {
        samples.push({ labels: decodeSeries(page, start, end, type), value });
      },
    },
    defaultExpositionLimits,
  );
  if (!parsed.ok) return fail(formatExpositionFailure(parsed.failure));
  const byName = Map.groupBy(samples, ({ labels }) => labelValue(labels, metricNameLabel));
  return ok({
    sum: (name, wanted = {}) => {
      const found = (byName.get(name) ?? []).filter(({ labels }) =>
        Object.entries(wanted).every(([label, value]) => labelValue(labels, label) === value),
      );
      return found.length === 0 ? undefined : found.reduce((total, { value }) => total + value, 0);
    },
  });
}
