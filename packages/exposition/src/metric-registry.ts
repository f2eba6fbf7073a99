/** A process's own metrics: declared once, changed from anywhere, rendered for its `/metrics`. */
import { compareText, formatFloat } from "@pleiad/model";
import type { Counter, Gauge, HistogramMetric, Observations } from "@pleiad/ports";
import { writeExposition, type ExpositionFamily, type ExpositionSample } from "./exposition-writer.ts";

export interface MetricRegistry extends Omit<Observations, "log"> {
  /** The page in text format 0.0.4: metrics by name, series by label values, so that equal states give equal pages. */
  render(part?: MetricsPart): string;
}

/** A part of the page, for one of several that share a process. */
export interface MetricsPart {
  /** Only series whose label has the value; that of a label which a series lacks is empty. A metric without any is left out. */
  readonly where: readonly [label: string, value: string];
  /** In the place of that label: such as those of a target. */
  readonly labels: readonly (readonly [name: string, value: string])[];
}

export interface MetricRegistryOptions {
  /** Series that one metric may have. What would be one more is dropped, and counted in `droppedObservationsMetric`. */
  readonly seriesPerMetricMax: number;
}

export const defaultMetricRegistryOptions: MetricRegistryOptions = { seriesPerMetricMax: 2000 };

export const droppedObservationsMetric = "pleiad_observations_dropped_total";

interface Metric {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly buckets: readonly number[];
  readonly series: Map<string, MetricSeries>;
}

interface MetricSeries {
  readonly labelValues: readonly string[];
  value: number; // of a histogram: the sum
  readonly bucketCounts: Float64Array; // not cumulative, +Inf last; empty but for histograms
}

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const labelName = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;
const reservedLabels = new Set(["le", "quantile"]);

/** Misuse throws: a bad name, another declaration under the same name, a wrong count of label values, a counter that falls. */
export function createMetricRegistry(options: MetricRegistryOptions = defaultMetricRegistryOptions): MetricRegistry {
  const metrics = new Map<string, Metric>();

  function declare(
    type: Metric["type"],
    name: string,
    help: string,
    labelNames: readonly string[],
    buckets: readonly number[] = [],
  ): Metric {
    const known = metrics.get(name);
    if (known !== undefined) {
      if (known.type !== type) throw new TypeError(`metric ${name} is a ${known.type}, not a ${type}`);
      if (known.labelNames.join() !== labelNames.join()) {
        throw new TypeError(`metric ${name} has the labels (${known.labelNames.join()}), not (${labelNames.join()})`);
      }
      if (known.buckets.join() !== buckets.join()) {
        throw new TypeError(`metric ${name} has the buckets (${known.buckets.join()}), not (${buckets.join()})`);
      }
      return known;
    }
    if (!metricName.test(name)) throw new TypeError(`not a metric name: ${JSON.stringify(name)}`);
    for (const label of labelNames) {
      if (!labelName.test(label) || reservedLabels.has(label)) {
        throw new TypeError(`metric ${name}: not a label name for a metric: ${JSON.stringify(label)}`);
      }
    }
    if (new Set(labelNames).size < labelNames.length) throw new TypeError(`metric ${name}: a label name is repeated`);
    const metric: Metric = { type, help, labelNames: [...labelNames], buckets: [...buckets], series: new Map() };
    metrics.set(name, metric);
    // Without labels there is one series, and it is there from the start, so that a rate over it sees the first event.
    if (labelNames.length === 0) seriesOf(name, metric, []);
    return metric;
  }

  function seriesOf(name: string, metric: Metric, labelValues: readonly string[]): MetricSeries | undefined {
    if (labelValues.length !== metric.labelNames.length) {
      throw new TypeError(`metric ${name} takes ${metric.labelNames.length} label values, not ${labelValues.length}`);
    }
    const key = labelValues.length === 1 ? (labelValues[0] ?? "") : JSON.stringify(labelValues);
    let series = metric.series.get(key);
    if (series === undefined) {
      if (metric.series.size >= options.seriesPerMetricMax) {
        if (name !== droppedObservationsMetric) countDropped(name);
        return undefined;
      }
      const bucketCounts = new Float64Array(metric.type === "histogram" ? metric.buckets.length + 1 : 0);
      series = { labelValues: [...labelValues], value: 0, bucketCounts };
      metric.series.set(key, series);
    }
    return series;
  }

  function countDropped(name: string): void {
    counter(droppedObservationsMetric, "Observations dropped because their metric has too many series.", [
      "metric",
    ]).add(1, name);
  }

  function counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    const metric = declare("counter", name, help, labelNames);
    return {
      add: (amount, ...labelValues) => {
        if (!(amount >= 0)) throw new RangeError(`counter ${name} cannot change by ${amount}`);
        const series = seriesOf(name, metric, labelValues);
        if (series !== undefined) series.value += amount;
      },
    };
  }

  function gauge(name: string, help: string, labelNames: readonly string[] = []): Gauge {
    const metric = declare("gauge", name, help, labelNames);
    return {
      set: (value, ...labelValues) => {
        const series = seriesOf(name, metric, labelValues);
        if (series !== undefined) series.value = value;
      },
    };
  }

  function histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames: readonly string[] = [],
  ): HistogramMetric {
    const ascends = buckets.every((bound, i) => Number.isFinite(bound) && bound > (buckets[i - 1] ?? -Infinity));
    if (!ascends)
      throw new TypeError(`histogram ${name}: bucket bounds must be finite and ascend: (${buckets.join()})`);
    const metric = declare("histogram", name, help, labelNames, buckets);
    return {
      observe: (value, ...labelValues) => {
        const series = seriesOf(name, metric, labelValues);
        if (series === undefined) return;
        let bucket = 0;
        // Written so that NaN falls into the last bucket, as in the client libraries.
        while (bucket < metric.buckets.length && !(value <= (metric.buckets[bucket] ?? Infinity))) bucket++;
        series.bucketCounts[bucket] = (series.bucketCounts[bucket] ?? 0) + 1;
        series.value += value;
      },
    };
  }

  return {
    counter,
    gauge,
    histogram,
    render: (part) => {
      const families: ExpositionFamily[] = [...metrics]
        .sort(([a], [b]) => compareText(a, b))
        .flatMap(([name, metric]) => {
          const { type, help } = metric;
          const series = part === undefined ? [...metric.series.values()] : seriesWhere(metric, part.where);
          if (series.length === 0 && part !== undefined) return [];
          return [{ name, help, type, samples: samplesOf(metric, series.sort(compareSeries), part) }];
        });
      return writeExposition(families);
    },
  };
}

function seriesWhere({ labelNames, series }: Metric, [label, value]: MetricsPart["where"]): MetricSeries[] {
  const at = labelNames.indexOf(label);
  return [...series.values()].filter(({ labelValues }) => (labelValues[at] ?? "") === value);
}

function* samplesOf(
  metric: Metric,
  sorted: readonly MetricSeries[],
  part: MetricsPart | undefined,
): Generator<ExpositionSample> {
  for (const series of sorted) {
    const own = metric.labelNames.map((name, i) => [name, series.labelValues[i] ?? ""] as const);
    const labels = part === undefined ? own : [...part.labels, ...own.filter(([name]) => name !== part.where[0])];
    if (metric.type !== "histogram") {
      yield { labels, value: series.value };
      continue;
    }
    let count = 0;
    for (const [i, inBucket] of series.bucketCounts.entries()) {
      count += inBucket;
      const bound = formatFloat(metric.buckets[i] ?? Infinity);
      yield { suffix: "_bucket", labels: [...labels, ["le", bound]], value: count };
    }
    yield { suffix: "_sum", labels, value: series.value };
    yield { suffix: "_count", labels, value: count };
  }
}

function compareSeries(a: MetricSeries, b: MetricSeries): number {
  for (const [i, value] of a.labelValues.entries()) {
    const order = compareText(value, b.labelValues[i] ?? "");
    if (order !== 0) return order;
  }
  return 0;
}

/** The registry as the observations of a process, with its log lines going to `log`. */
export function observationsOf(registry: MetricRegistry, log: Observations["log"]): Observations {
  return { counter: registry.counter, gauge: registry.gauge, histogram: registry.histogram, log };
}
