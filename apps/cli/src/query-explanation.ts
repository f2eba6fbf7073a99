/** How a querier evaluates a query, as text: the plan in one line, then the operators, each indented under its reader. */
import { formatTable } from "./table.ts";

/** The answer of `query_explain` and `query_range_explain`. */
export interface Explanation {
  readonly name: string;
  readonly children: readonly Explanation[];
}

/** What `analyze=true` adds to an answer. */
export interface Analysis {
  readonly name: string;
  readonly executionTime: string;
  readonly series: number;
  readonly totalSamples: number;
  readonly doneByReader: boolean;
  readonly children: readonly Analysis[];
}

/** Operators of scalar arguments come first. */
export function formatExplanation(
  root: Explanation & { readonly plan: string; readonly scalars: readonly Explanation[] },
): string {
  // A number needs no operator: the plan is all there is.
  const trees = root.name === root.plan ? [] : [...root.scalars, root];
  const operators = trees.flatMap((tree) => indented<Explanation>(tree));
  return [root.plan, ...operators.map(([line]) => line)].map((line) => `${line}\n`).join("");
}

/** Times contain those of the operators below. Operators of scalar arguments come first. */
export function formatAnalysis(
  root: Analysis & { readonly plan: string; readonly scalars: readonly Analysis[] },
): string {
  const right = (title: string) => ({ title, alignment: "right" as const });
  const rows = [...root.scalars, root].flatMap((tree) => indented<Analysis>(tree));
  const table = formatTable(
    [{ title: "OPERATOR" }, right("SERIES"), right("SAMPLES"), right("TIME")],
    rows.map(([name, { doneByReader, series, totalSamples, executionTime }]) =>
      doneByReader ? [name, "", "", "by its reader"] : [name, String(series), String(totalSamples), executionTime],
    ),
  );
  return `${root.plan}\n${table}`;
}

function indented<T extends { readonly name: string; readonly children: readonly T[] }>(
  node: T,
  depth = 0,
): readonly (readonly [line: string, node: T])[] {
  return [["  ".repeat(depth) + node.name, node], ...node.children.flatMap((child) => indented(child, depth + 1))];
}
