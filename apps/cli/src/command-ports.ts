/** The outside world for a command that runs once: warnings go to standard error, nobody asks for its metrics. */
import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import { createNodePorts } from "@pleiad/node-ports";
import type { Ports } from "@pleiad/ports";

export function commandPorts(): Ports {
  return createNodePorts({
    observations: observationsOf(createMetricRegistry(), (level, message, fields) => {
      if (level === "warn" || level === "error") process.stderr.write(`${message} ${JSON.stringify(fields ?? {})}\n`);
    }),
  });
}
