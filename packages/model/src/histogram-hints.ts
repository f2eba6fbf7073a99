/** What native histograms say of counter resets between them and the sample before: hints, and how they combine. */
import type { FloatHistogram } from "./histograms.ts";

export type CounterResetHint = FloatHistogram["counterReset"];

/** The hint of two histograms added up. A gauge makes a gauge, and what is not known stays unknown. */
export function mergeHints(left: CounterResetHint, right: CounterResetHint): CounterResetHint {
  if (left === right) return left;
  return left === "gauge" || right === "gauge" ? "gauge" : "unknown";
}

/** Whether one tells of a reset and the other of none. */
export function hintsCollide(left: CounterResetHint, right: CounterResetHint): boolean {
  return (left === "reset" && right === "not-reset") || (left === "not-reset" && right === "reset");
}
