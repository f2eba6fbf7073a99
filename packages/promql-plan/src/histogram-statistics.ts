/** Where a query looks at the count and the sum of native histograms alone, so that their buckets need not be carried. */
import { unreachable } from "@pleiad/model";
import type { PlanNode, SelectNode } from "./plan-node.ts";

/** What the nodes around a part of the plan make of its histograms. */
type BucketNeed = "any" | "statistics" | "buckets";

const statisticsFunctions: ReadonlySet<string> = new Set(["histogram_count", "histogram_sum", "histogram_avg"]);
const bucketFunctions: ReadonlySet<string> = new Set([
  "histogram_quantile",
  "histogram_quantiles",
  "histogram_fraction",
]);

/** Marks the selectors under functions of count and sum, unless anything around needs buckets. */
export function markHistogramStatistics(node: PlanNode): PlanNode {
  return mark(node, "any");
}

function mark(node: PlanNode, need: BucketNeed): PlanNode {
  switch (node.kind) {
    case "number":
    case "string":
    case "remote":
      return node;
    case "select":
      return markSelect(node, need);
    case "window":
      return { ...node, select: markSelect(node.select, need) };
    case "subquery":
      // Its samples are compared with one another once more, to see where a counter began anew.
      return { ...node, input: mark(node.input, "buckets") };
    case "step-invariant":
    case "negate":
      return { ...node, input: mark(node.input, need) };
    case "binary": {
      const isTrim = node.operator === "</" || node.operator === ">/";
      const inner = isTrim ? "buckets" : need;
      return { ...node, left: mark(node.left, inner), right: mark(node.right, inner) };
    }
    case "aggregate":
      return { ...node, parameter: node.parameter && mark(node.parameter, need), input: mark(node.input, need) };
    case "call": {
      const inner = needOfCall(node.function, need);
      return { ...node, arguments: node.arguments.map((argument) => mark(argument, inner)) };
    }
    default:
      return unreachable(node);
  }
}

function needOfCall(name: string, need: BucketNeed): BucketNeed {
  if (need === "buckets" || bucketFunctions.has(name)) return "buckets";
  return statisticsFunctions.has(name) ? "statistics" : need;
}

function markSelect(select: SelectNode, need: BucketNeed): SelectNode {
  return need === "statistics" ? { ...select, onlyStatistics: true } : select;
}
