/** Label values in the order of the names that the metric was declared with. */
export interface Counter {
  add(amount: number, ...labelValues: readonly string[]): void;
}

export interface Gauge {
  set(value: number, ...labelValues: readonly string[]): void;
}

export interface HistogramMetric {
  observe(value: number, ...labelValues: readonly string[]): void;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

/** What a process says about itself: metrics that its `/metrics` shows, and log lines. */
export interface Observations {
  /** Declares or finds a metric; the same name with other labels or another type is a bug and throws. */
  counter(name: string, help: string, labelNames?: readonly string[]): Counter;
  gauge(name: string, help: string, labelNames?: readonly string[]): Gauge;
  histogram(name: string, help: string, buckets: readonly number[], labelNames?: readonly string[]): HistogramMetric;
  /** Message is one sentence; fields are data. No secret goes in either. */
  log(level: LogLevel, message: string, fields?: Readonly<Record<string, string | number | boolean>>): void;
}
