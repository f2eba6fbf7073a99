/** The outside world for a command: warnings go to standard error, metrics to whoever has the registry. */
import { createMetricRegistry, observationsOf, type MetricRegistry } from "@pleiad/exposition";
import { createNodePorts } from "@pleiad/node-ports";
import type { Ports } from "@pleiad/ports";

export function commandPorts(registry: MetricRegistry = createMetricRegistry()): Ports {
  return createNodePorts({
    observations: observationsOf(registry, (level, message, fields) => {
      if (level === "warn" || level === "error") process.stderr.write(`${message} ${JSON.stringify(fields ?? {})}\n`);
    }),
  });
}
