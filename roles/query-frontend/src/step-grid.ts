/** The steps of a range query: where they lie, and how they fall into parts of whole days. Pure. */

/** The steps from `startMs` to `endMs`, both included, `stepMs` apart. */
export interface StepGrid {
  readonly startMs: number;
  readonly endMs: number; // of the last step, so that it is one
  readonly stepMs: number;
}

/** `endMs` may lie between two steps. */
export function gridOf(startMs: number, endMs: number, stepMs: number): StepGrid {
  return { startMs, endMs: startMs + Math.floor((endMs - startMs) / stepMs) * stepMs, stepMs };
}

export function countSteps({ startMs, endMs, stepMs }: StepGrid): number {
  return (endMs - startMs) / stepMs + 1;
}

/** Start and end at multiples of the step, so that the same query a moment later asks for the same steps. */
export function alignToStep(startMs: number, endMs: number, stepMs: number): readonly [startMs: number, endMs: number] {
  return [Math.floor(startMs / stepMs) * stepMs, Math.floor(endMs / stepMs) * stepMs];
}

/** A part of a range query that lies in one interval of the calendar. */
export interface StepPart {
  readonly slot: number; // the interval's number since 1970, negative before
  readonly grid: StepGrid;
}

// Fewer steps than this in a part, and the parts cost more than they save.
const partStepsMin = 8;

/** The interval that queries of this step are cut by: a power of two times `intervalMs`. Depends on nothing else. */
export function splitIntervalOf(stepMs: number, intervalMs: number): number {
  let wide = intervalMs;
  while (wide < stepMs * partStepsMin) wide *= 2;
  return wide;
}

/** The parts in order: each step is in the part of the interval that it lies in. */
export function splitGrid({ startMs, endMs, stepMs }: StepGrid, intervalMs: number): readonly StepPart[] {
  const parts: StepPart[] = [];
  for (let at = startMs; at <= endMs;) {
    const slot = Math.floor(at / intervalMs);
    const grid = gridOf(at, Math.min(endMs, (slot + 1) * intervalMs - 1), stepMs);
    parts.push({ slot, grid });
    at = grid.endMs + stepMs;
  }
  return parts;
}
