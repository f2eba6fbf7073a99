/** The operators of delayed name removal: marking names, and dropping what is marked. */
import type { Labels } from "@pleiad/model";
import { createLateOperator } from "./late-operator.ts";
import type { NameDrops } from "./name-drops.ts";
import type { Operator } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { createRenamedSeries, dropMetricName } from "./renamed-series.ts";

/** The input with every name marked. */
export function createDelayedNameDrop(input: Operator): Operator {
  let drops: NameDrops;
  return createLateOperator({
    description: "drop the metric name at the end",
    inputs: [input],
    dropsName: () => drops,
    async series(signal): Promise<readonly Labels[]> {
      const labels = await input.series(signal);
      drops = new Uint8Array(labels.length).fill(1);
      return labels;
    },
    rows: () => input.rows,
    next: async (out, signal) => await input.next(out, signal),
  });
}

/** The end of the query: drops the names that are marked. */
export function createNameRemoval(input: Operator, context: QueryContext): Operator {
  const rename = (labels: Labels, id: number) => (input.dropsName?.[id] === 1 ? dropMetricName(labels) : labels);
  return createRenamedSeries(input, { rename, dropsName: () => undefined }, "drop marked metric names", context);
}
