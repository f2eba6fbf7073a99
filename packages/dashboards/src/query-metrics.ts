/** What a query of a panel or an alert asks for. */
import { childExpressions, parseExpression, type Expression } from "@pleiad/promql-syntax";

export interface QueryMetrics {
  readonly names: readonly string[]; // in the order of the text
  readonly fault: string | undefined; // why it is no PromQL
}

/** Variables of Grafana stand for what they are filled with: an interval, or any text inside a matcher. */
export function queryMetrics(query: string): QueryMetrics {
  const parsed = parseExpression(query.replaceAll("$__rate_interval", "5m"));
  if (!parsed.ok) return { names: [], fault: parsed.failure.message };
  const names: string[] = [];
  const visit = (expression: Expression): void => {
    if (expression.kind === "vector-selector") {
      names.push(...(expression.metricName === undefined ? [] : [expression.metricName]));
    }
    childExpressions(expression).forEach(visit);
  };
  visit(parsed.value);
  return { names, fault: undefined };
}
