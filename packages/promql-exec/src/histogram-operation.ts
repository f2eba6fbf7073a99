/** Binary operators of which one side at least is a native histogram, and the trim operators, which need one. */
import {
  addHistograms,
  divideHistogram,
  histogramsEqual,
  multiplyHistogram,
  subtractHistograms,
  trimHistogram,
  type FloatHistogram,
} from "@pleiad/model";
import type { BinaryOperator, SourceRange } from "@pleiad/promql-syntax";
import {
  informOfIncompatibleTypes,
  informOfReconciledBounds,
  warnOfCollidingHints,
  warnOfIncompatibleBuckets,
} from "./histogram-remarks.ts";
import type { QueryContext } from "./query-context.ts";

/** A sample of either kind. */
export type SampleValue = number | FloatHistogram;

/** The result; "filtered" where a comparison does not hold, undefined where the operator makes nothing of the two. */
export type HistogramOperation = (left: SampleValue, right: SampleValue) => SampleValue | "filtered" | undefined;

export function isTrim(operator: BinaryOperator): operator is "</" | ">/" {
  return operator === "</" || operator === ">/";
}

/** `range` is where the whole operation stands in the query. */
export function createHistogramOperation(
  { operator, bool }: { readonly operator: BinaryOperator; readonly bool: boolean },
  range: SourceRange,
  context: QueryContext,
): HistogramOperation {
  return (left, right) => {
    const result =
      typeof left === "number"
        ? typeof right === "number"
          ? undefined
          : withFloatFirst(operator, left, right)
        : typeof right === "number"
          ? withFloatSecond(operator, left, right)
          : combineHistograms(operator, bool, left, right, range, context);
    if (result === undefined) {
      const kindOf = (value: SampleValue) => (typeof value === "number" ? "float" : "histogram");
      informOfIncompatibleTypes(operator, kindOf(left), kindOf(right), range, context);
    }
    return result === "nothing" ? undefined : result;
  };
}

function withFloatFirst(operator: BinaryOperator, left: number, right: FloatHistogram): FloatHistogram | undefined {
  return operator === "*" ? multiplyHistogram(right, left) : undefined;
}

function withFloatSecond(operator: BinaryOperator, left: FloatHistogram, right: number): FloatHistogram | undefined {
  switch (operator) {
    case "*":
      return multiplyHistogram(left, right);
    case "/":
      return divideHistogram(left, right);
    case "</":
      return trimHistogram(left, right, "below");
    case ">/":
      return trimHistogram(left, right, "above");
    default:
      return undefined;
  }
}

/** Undefined: no such operator for histograms. "nothing": there is, but not for these two, which has been said. */
function combineHistograms(
  operator: BinaryOperator,
  bool: boolean,
  left: FloatHistogram,
  right: FloatHistogram,
  range: SourceRange,
  context: QueryContext,
): SampleValue | "filtered" | "nothing" | undefined {
  if (operator === "==" || operator === "!=") {
    const holds = histogramsEqual(left, right) === (operator === "==");
    if (bool) return Number(holds);
    return holds ? left : "filtered";
  }
  if (operator !== "+" && operator !== "-") return undefined;
  const isSum = operator === "+";
  const name = isSum ? "addition" : "subtraction";
  const combined = isSum ? addHistograms(left, right) : subtractHistograms(left, right);
  if (combined === undefined) {
    warnOfIncompatibleBuckets(operator, range, context);
    return "nothing";
  }
  if (combined.boundsReconciled) informOfReconciledBounds(name, range, context);
  if (combined.hintsCollide) warnOfCollidingHints(name, range, context);
  return isSum ? combined.histogram : { ...combined.histogram, counterReset: "gauge" };
}
