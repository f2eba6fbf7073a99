/** Selectors apart from the queries they stand in: for exemplars and for filters of rules, which know no PromQL. */
import { fail, ok, type Matcher, type Result } from "@pleiad/model";
import type { Expression } from "./ast.ts";
import { parseExpression, parseSelector } from "./parse-expression.ts";
import { childExpressions } from "./tree.ts";

/** The matchers of every selector in an expression. */
export function selectorsOf(root: Expression): readonly (readonly Matcher[])[] {
  const selectors: (readonly Matcher[])[] = [];
  // Level by level: a chain of operators is deeper than the stack.
  for (let level: readonly Expression[] = [root]; level.length > 0; level = level.flatMap(childExpressions)) {
    for (const expression of level) if (expression.kind === "vector-selector") selectors.push(expression.matchers);
  }
  return selectors;
}

/** Reads one selector, or all of a query; a failure is Prometheus's message. */
export const selectorReader = {
  selector(this: void, text: string): Result<readonly Matcher[], string> {
    const matchers = parseSelector(text);
    return matchers.ok ? matchers : fail(matchers.failure.message);
  },
  selectors(this: void, query: string): Result<readonly (readonly Matcher[])[], string> {
    const expression = parseExpression(query);
    return expression.ok ? ok(selectorsOf(expression.value)) : fail(expression.failure.message);
  },
} as const;
