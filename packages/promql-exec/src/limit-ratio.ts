/** `limit_ratio`: a share of the series, the same ones at every step and in every engine. */
import { formatGoFloat } from "@pleiad/model";
import type { SourceRange } from "@pleiad/promql-syntax";
import { labelShare } from "./label-hash.ts";
import { createLateOperator } from "./late-operator.ts";
import { moveSample, type Operator } from "./operator.ts";
import { warnAt, type QueryContext } from "./query-context.ts";
import { QueryError } from "./query-error.ts";
import type { ScalarColumn } from "./scalar-column.ts";

/** A ratio below zero gives the series that its complement leaves out. Groups make no difference. */
export function createLimitRatio(
  input: Operator,
  ratio: ScalarColumn,
  ratioRange: SourceRange,
  context: QueryContext,
): Operator {
  let shares = new Float64Array(0);
  let ratios = new Float64Array(0);
  let step = 0;
  return createLateOperator({
    description: "limit_ratio",
    inputs: [input],
    dropsName: () => input.dropsName,
    async series(signal) {
      ratios = checkedRatios(await ratio(signal), ratioRange, context);
      const labels = await input.series(signal);
      shares = Float64Array.from(labels, labelShare);
      return labels;
    },
    async next(out, signal) {
      const steps = await input.next(out, signal);
      const { seriesIds, sampleEnds } = out;
      let sample = 0;
      let kept = 0;
      for (let i = 0; i < steps; i++, step++) {
        const limit = ratios[step];
        for (; sample < sampleEnds[i]; sample++) {
          const share = shares[seriesIds[sample]];
          if (limit >= 0 ? share >= limit : share < 1 + limit) continue;
          seriesIds[kept] = seriesIds[sample];
          moveSample(out, sample, out, kept++);
        }
        sampleEnds[i] = kept;
      }
      return steps;
    },
  });
}

function checkedRatios(ratios: Float64Array, range: SourceRange, context: QueryContext): Float64Array<ArrayBuffer> {
  let max = -Infinity;
  let min = Infinity;
  for (const ratio of ratios) {
    if (ratio !== ratio) throw new QueryError("execution", "Ratio value is NaN");
    if (ratio > max) max = ratio;
    if (ratio < min) min = ratio;
  }
  const warn = (found: number, cap: number) => {
    warnAt(context, range, `ratio value should be between -1 and 1, got ${formatGoFloat(found)}, capping to ${cap}`);
  };
  if (max > 1) warn(max, 1);
  if (min < -1) warn(min, -1);
  return Float64Array.from(ratios, (ratio) => Math.max(-1, Math.min(1, ratio)));
}
