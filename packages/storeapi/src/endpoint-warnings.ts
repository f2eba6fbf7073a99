/** The warnings of an endpoint as a fan-out passes them on: a damaged block is one of a store that has a name. */
import type { Endpoint } from "./endpoint.ts";

/** Under the endpoint's name, but for those of a querier, which have the names of its own endpoints, and for PromQL's own. */
export function namedWarnings({ spec, identity }: Endpoint, warnings: readonly string[]): readonly string[] {
  if (warnings.length === 0 || identity?.componentType === "query") return warnings;
  return warnings.map((text) => {
    const isNamed = text.startsWith(`${spec.name}: `) || /^(PromQL (warning|info): |(clusters|endpoints) )/.test(text);
    return isNamed ? text : `${spec.name}: ${text}`;
  });
}
