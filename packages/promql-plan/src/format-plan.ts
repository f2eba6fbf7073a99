/** The plan as one line: what `explain` prints and what plan tests compare. */
import { formatDuration, formatFloat, formatLabelName, formatMatchers, quoteText, unreachable } from "@pleiad/model";
import type { VectorMatching } from "@pleiad/promql-syntax";
import type { PlanNode, SelectNode } from "./plan-node.ts";

export function formatPlan(node: PlanNode): string {
  switch (node.kind) {
    case "number":
      return formatFloat(node.value);
    case "string":
      return quoteText(node.value);
    case "select":
      return `${formatMatchers(node.matchers)}${formatExtension(node)}${formatShift(node)}`;
    case "window": {
      const { select } = node;
      const window = `[${formatDuration(select.rangeMs)}]${formatExtension(select)}`;
      return `${formatMatchers(select.matchers)}${window}${formatShift(select)}`;
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
      const grouping = `${node.without ? "without" : "by"} (${formatLabelNames(node.grouping)})`;
      const inputs = node.parameter === undefined ? [node.input] : [node.parameter, node.input];
      return `${node.operator} ${grouping} (${inputs.map(formatPlan).join(", ")})`;
    }
    case "call":
      return `${node.function}(${node.arguments.map(formatPlan).join(", ")})`;
    case "remote": {
      const parts = [...node.parts.slice(0, partsMax), ...(node.hasRest ? ["the rest"] : [])].join(", ");
      const more = node.parts.length > partsMax ? ` and ${node.parts.length - partsMax} more` : "";
      const others = (node.asked ?? []).filter((one) => one !== node.query).map(({ operator }) => `${operator}, `);
      const besides = node.gives === "moments" ? "count, avg, " : others.join("");
      return `remote(${parts}${more}: ${besides}${formatPlan(node.query)})`;
    }
    default:
      return unreachable(node);
  }
}

/** Parts that are named; of others, how many there are. */
const partsMax = 4;

function formatExtension({ extension }: SelectNode): string {
  return extension === undefined ? "" : ` ${extension}`;
}

function formatShift({ offsetMs, atMs }: Pick<SelectNode, "offsetMs" | "atMs">): string {
  const at = atMs === undefined ? "" : ` @ ${(atMs / 1000).toFixed(3)}`;
  return offsetMs === 0 ? at : `${at} offset ${formatDuration(offsetMs)}`;
}

function formatMatching({ on, labels, cardinality, include, fillLeft, fillRight }: VectorMatching): string {
  const compared = on || labels.length > 0 ? ` ${on ? "on" : "ignoring"} (${formatLabelNames(labels)})` : "";
  const fill = formatFill("fill_left", fillLeft) + formatFill("fill_right", fillRight);
  const group = cardinality === "many-to-one" ? "group_left" : "group_right";
  const isGrouped = cardinality === "many-to-one" || cardinality === "one-to-many";
  return compared + (isGrouped ? ` ${group} (${formatLabelNames(include)})` : "") + fill;
}

function formatFill(word: string, value: number | undefined): string {
  return value === undefined ? "" : ` ${word} (${formatFloat(value)})`;
}

function formatLabelNames(names: readonly string[]): string {
  return names.map(formatLabelName).join(", ");
}
