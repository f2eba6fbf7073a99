/** Steps of an evaluation as operators count them: from 0. */
import { stepCountOf, type StepGrid } from "@pleiad/promql-plan";

/** Times of all steps. */
export function stepTimes(grid: StepGrid): Float64Array {
  const times = new Float64Array(stepCountOf(grid));
  for (let i = 0; i < times.length; i++) times[i] = grid.startMs + i * grid.stepMs;
  return times;
}

/** Where a selector or subquery looks at each step: its `@` or the step's own time, less the offset. */
export function referenceTimes(
  grid: StepGrid,
  shift: { readonly offsetMs: number; readonly atMs: number | undefined },
): Float64Array {
  const times = stepTimes(grid);
  for (let i = 0; i < times.length; i++) times[i] = (shift.atMs ?? times[i]) - shift.offsetMs;
  return times;
}
