/** The warnings of an endpoint as a fan-out passes them on: a damaged block is one of a store that has a name. */
import type { Endpoint } from "./endpoint.ts";

/** Under the endpoint's name, but for those of a querier, which have the names of its own endpoints, and for PromQL's own. */
export function namedWarnings({ spec, identity }: Endpoint, warnings: readonly string[]): readonly string[] {
  if (warnings.length === 0 || identity?.componentType === "query") return warnings;
  const start = `${spec.name}: `;
  return warnings.map((text) => (text.startsWith(start) || text.startsWith("PromQL ") ? text : `${start}${text}`));
}
