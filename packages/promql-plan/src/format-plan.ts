/** The plan as one line: what `explain` prints and what plan tests compare. */
import { formatDuration, formatFloat, formatMatchers, quoteText, unreachable } from "@pleiad/model";
import type { VectorMatching } from "@pleiad/promql-syntax";
import type { PlanNode, SelectNode } from "./plan-node.ts";

export function formatPlan(node: PlanNode): string {
  switch (node.kind) {
    case "number":
      return formatFloat(node.value);
    case "string":
      return quoteText(node.value);
    case "select":
      return `${formatMatchers(node.matchers)}${formatShift(node)}`;
    case "window": {
      const { select } = node;
      const extension = select.extension === undefined ? "" : ` ${select.extension}`;
      return `${formatMatchers(select.matchers)}[${formatDuration(select.rangeMs)}]${extension}${formatShift(select)}`;
    }
    case "subquery": {
      const window = `[${formatDuration(node.rangeMs)}:${formatDuration(node.grid.stepMs)}]`;
      return `(${formatPlan(node.input)})${window}${formatShift(node)}`;
    }
    case "step-invariant":
      return `once(${formatPlan(node.input)})`;
    case "negate":
      return `-(${formatPlan(node.input)})`;
    case "binary": {
      const bool = node.bool ? " bool" : "";
      const matching = node.matching === undefined ? "" : formatMatching(node.matching);
      return `(${formatPlan(node.left)} ${node.operator}${bool}${matching} ${formatPlan(node.right)})`;
    }
    case "aggregate": {
      const grouping = `${node.without ? "without" : "by"} (${node.grouping.join(", ")})`;
      const inputs = node.parameter === undefined ? [node.input] : [node.parameter, node.input];
      return `${node.operator} ${grouping} (${inputs.map(formatPlan).join(", ")})`;
    }
    case "call":
      return `${node.function}(${node.arguments.map(formatPlan).join(", ")})`;
    default:
      return unreachable(node);
  }
}

function formatShift({ offsetMs, atMs }: Pick<SelectNode, "offsetMs" | "atMs">): string {
  const at = atMs === undefined ? "" : ` @ ${(atMs / 1000).toFixed(3)}`;
  return offsetMs === 0 ? at : `${at} offset ${formatDuration(offsetMs)}`;
}

function formatMatching({ on, labels, cardinality, include }: VectorMatching): string {
  const compared = on || labels.length > 0 ? ` ${on ? "on" : "ignoring"} (${labels.join(", ")})` : "";
  if (cardinality === "many-to-one") return `${compared} group_left (${include.join(", ")})`;
  if (cardinality === "one-to-many") return `${compared} group_right (${include.join(", ")})`;
  return compared;
}
