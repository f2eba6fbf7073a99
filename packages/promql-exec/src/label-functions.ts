/** What label_replace and label_join do to the labels of a series. */
import {
  compileRegexTemplate,
  labelsFromPairs,
  labelValue,
  metricNameLabel,
  ok,
  withLabels,
  withoutLabels,
  type Labels,
} from "@pleiad/model";
import type { SampleBudget } from "./limits.ts";
import type { SeriesRenaming } from "./renamed-series.ts";
import { QueryError } from "./query-error.ts";

/** Any text but the empty one; bytes that are no UTF-8 make none. */
export function isLabelName(text: string): boolean {
  return text !== "" && text.isWellFormed();
}

export interface LabelReplacement {
  readonly destination: string;
  readonly template: string;
  readonly source: string;
  readonly expression: string;
}

/** What a label may be made of: a template or sources that repeat a text, in each other, would fill all memory. */
const valueLengthMax = 1 << 20;

/** Texts so short take no more than labels do anyway. */
const plainLength = 128;

/** Fails where a value would be too long, and counts it where it is long. */
function admitValue(length: number, description: string, budget: SampleBudget): void {
  if (length > valueLengthMax) {
    throw new QueryError(
      "execution",
      `${description}() may make a label value of more than ${valueLengthMax} characters`,
    );
  }
  if (length > plainLength) budget.takeBytes(length);
}

/** Sets `destination` to the filled template where the expression matches the whole of `source`; "" removes it. */
export function labelReplacement(
  { destination, template, source, expression }: LabelReplacement,
  budget: SampleBudget,
): SeriesRenaming {
  // The usual way to give a label to all that lack it, tiers to each other for one, needs no expression compiled.
  const isConstant = expression === "" && !template.includes("$");
  const compiled = isConstant
    ? ok((text: string) => (text === "" ? template : undefined))
    : compileRegexTemplate(expression, template);
  if (!compiled.ok) {
    throw new QueryError("execution", `invalid regular expression in label_replace(): ${expression}`);
  }
  if (!isLabelName(destination)) {
    throw new QueryError("execution", `invalid destination label name in label_replace(): ${destination}`);
  }
  const fill = compiled.value;
  const referenceCount = template.split("$").length - 1;
  return {
    rename(labels) {
      const text = labelValue(labels, source);
      // A group has at most the whole text.
      admitValue(template.length + referenceCount * text.length, "label_replace", budget);
      const value = fill(text);
      return value === undefined ? labels : setLabel(labels, destination, value);
    },
    dropsName(drops, labels) {
      if (destination !== metricNameLabel) return drops;
      return drops?.map((drop, id) => (fill(labelValue(labels[id], source)) === undefined ? drop : 0));
    },
  };
}

/** Sets `destination` to the values of `sources`, joined; a label that is not there counts as "". */
export function labelJunction(
  destination: string,
  separator: string,
  sources: readonly string[],
  budget: SampleBudget,
): SeriesRenaming {
  for (const source of sources) {
    if (!isLabelName(source)) throw new QueryError("execution", `invalid source label name in label_join(): ${source}`);
  }
  if (!isLabelName(destination)) {
    throw new QueryError("execution", `invalid destination label name in label_join(): ${destination}`);
  }
  return {
    rename(labels) {
      const values = sources.map((source) => labelValue(labels, source));
      const length = values.reduce((sum, value) => sum + value.length + separator.length, 0);
      admitValue(length, "label_join", budget);
      return setLabel(labels, destination, values.join(separator));
    },
    dropsName: (drops) => (destination === metricNameLabel ? undefined : drops),
  };
}

function setLabel(labels: Labels, name: string, value: string): Labels {
  return value === "" ? withoutLabels(labels, new Set([name])) : withLabels(labels, labelsFromPairs([[name, value]]));
}
