/** What label_replace and label_join do to the labels of a series. */
import {
  compileRegexTemplate,
  labelsFromPairs,
  labelValue,
  metricNameLabel,
  withLabels,
  withoutLabels,
  type Labels,
} from "@pleiad/model";
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

/** Sets `destination` to the filled template where the expression matches the whole of `source`; "" removes it. */
export function labelReplacement({ destination, template, source, expression }: LabelReplacement): SeriesRenaming {
  const compiled = compileRegexTemplate(expression, template);
  if (!compiled.ok) {
    throw new QueryError("execution", `invalid regular expression in label_replace(): ${expression}`);
  }
  if (!isLabelName(destination)) {
    throw new QueryError("execution", `invalid destination label name in label_replace(): ${destination}`);
  }
  const fill = compiled.value;
  return {
    rename(labels) {
      const value = fill(labelValue(labels, source));
      return value === undefined ? labels : setLabel(labels, destination, value);
    },
    dropsName(drops, labels) {
      if (destination !== metricNameLabel) return drops;
      return drops?.map((drop, id) => (fill(labelValue(labels[id], source)) === undefined ? drop : 0));
    },
  };
}

/** Sets `destination` to the values of `sources`, joined; a label that is not there counts as "". */
export function labelJunction(destination: string, separator: string, sources: readonly string[]): SeriesRenaming {
  for (const source of sources) {
    if (!isLabelName(source)) throw new QueryError("execution", `invalid source label name in label_join(): ${source}`);
  }
  if (!isLabelName(destination)) {
    throw new QueryError("execution", `invalid destination label name in label_join(): ${destination}`);
  }
  return {
    rename: (labels) =>
      setLabel(labels, destination, sources.map((source) => labelValue(labels, source)).join(separator)),
    dropsName: (drops) => (destination === metricNameLabel ? undefined : drops),
  };
}

function setLabel(labels: Labels, name: string, value: string): Labels {
  return value === "" ? withoutLabels(labels, new Set([name])) : withLabels(labels, labelsFromPairs([[name, value]]));
}
