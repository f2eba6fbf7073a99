/** Observations that carry one more label: many agents share a process and its page of metrics. */
import type { Observations } from "@pleiad/ports";

/** Every metric gets the label in front of its own, every log line the field of that name. */
export function withConstantLabel(observations: Observations, name: string, value: string): Observations {
  return {
    counter: (metric, help, labelNames = []) => {
      const counter = observations.counter(metric, help, [name, ...labelNames]);
      // As a counter without labels it is there before its first event, so that a rate sees that.
      if (labelNames.length === 0) counter.add(0, value);
      return { add: (amount, ...labelValues) => counter.add(amount, value, ...labelValues) };
    },
    gauge: (metric, help, labelNames = []) => {
      const gauge = observations.gauge(metric, help, [name, ...labelNames]);
      return { set: (current, ...labelValues) => gauge.set(current, value, ...labelValues) };
    },
    histogram: (metric, help, buckets, labelNames = []) => {
      const histogram = observations.histogram(metric, help, buckets, [name, ...labelNames]);
      return { observe: (observed, ...labelValues) => histogram.observe(observed, value, ...labelValues) };
    },
    log: (level, message, fields) => observations.log(level, message, { [name]: value, ...fields }),
  };
}
