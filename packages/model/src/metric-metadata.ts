/** What targets say of their metrics in HELP, TYPE and UNIT lines, and how the sayings of many become one list. */
import { compareText } from "./text-order.ts";

export interface MetricMeta {
  readonly type: string; // `counter`, `gauge`, …, `unknown`
  readonly help: string;
  readonly unit: string;
}

export interface MetricMetadata {
  readonly metric: string; // name of the family
  readonly metas: readonly MetricMeta[]; // those that differ
}

/** By metric, each with the metas that differ, in the order in which they came; at most `limit` metrics, -1 = all. */
export function uniteMetadata(parts: Iterable<MetricMetadata>, limit: number): readonly MetricMetadata[] {
  const united = new Map<string, Map<string, MetricMeta>>();
  for (const { metric, metas } of parts) {
    let known = united.get(metric);
    if (known === undefined) {
      known = new Map();
      united.set(metric, known);
    }
    for (const meta of metas) {
      const key = JSON.stringify([meta.type, meta.help, meta.unit]);
      if (!known.has(key)) known.set(key, meta);
    }
  }
  const metrics = [...united.keys()].sort(compareText);
  return (limit < 0 ? metrics : metrics.slice(0, limit)).map((metric) => ({
    metric,
    metas: [...(united.get(metric)?.values() ?? [])],
  }));
}
