/** `absent` and `absent_over_time`: one sample at each step at which the input has none. */
import { labelsFromPairs, metricNameLabel, type Labels, type Matcher } from "@pleiad/model";
import { stepCountOf, type StepGrid } from "@pleiad/promql-plan";
import type { Operator } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { batchStepsMax, createStepBatch, noSample } from "./operator.ts";
import { createRowOperator } from "./row-operator.ts";

export function createAbsent(input: Operator, labels: Labels, grid: StepGrid, context: QueryContext): Operator {
  return createRowOperator({ description: "absent", inputs: [input], grid, context }, async (signal) => {
    await input.series(signal);
    return {
      labels: [labels],
      each: async (visit, signal) => {
        const absent = new Uint8Array(stepCountOf(grid)).fill(1);
        if (input.rows === undefined) await clearSteps(input, absent, signal);
        else {
          await input.rows.each((_, __, present) => {
            for (let step = 0; step < absent.length; step++) if (present[step] !== noSample) absent[step] = 0;
          }, signal);
        }
        if (absent.includes(1)) visit(0, new Float64Array(absent.length).fill(1), absent);
      },
    };
  });
}

async function clearSteps(input: Operator, absent: Uint8Array, signal: AbortSignal): Promise<void> {
  const batch = createStepBatch(batchStepsMax);
  let step = 0;
  for (let steps = await input.next(batch, signal); steps > 0; steps = await input.next(batch, signal)) {
    for (let i = 0; i < steps; i++, step++) {
      if (batch.sampleEnds[i] > (i === 0 ? 0 : batch.sampleEnds[i - 1])) absent[step] = 0;
    }
  }
}

/** The labels that the missing series would have: those of equality matchers that are alone on their label. */
export function labelsOfAbsent(matchers: readonly Matcher[]): Labels {
  const values = new Map<string, string>();
  const seen = new Set<string>();
  for (const { type, name, value } of matchers) {
    if (name === metricNameLabel) continue;
    if (type === "=" && !seen.has(name)) {
      values.set(name, value);
      seen.add(name);
    } else {
      values.delete(name);
    }
  }
  return labelsFromPairs(values);
}
