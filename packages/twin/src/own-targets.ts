/** What the twin scrapes of itself. Pure, and for the supervisor: it needs the planner, which no other process loads. */
import { workloadName, type Plan } from "@pleiad/fleet";
import type { ScrapeTarget } from "@pleiad/scrape";
import { processMetricsPath } from "./process-metrics.ts";
import { runsInTwin } from "./running-roles.ts";

/**
 * Every page of metrics of the hierarchy as the twin runs it: its roles, its cluster processes, its console. `service`,
 * `pod` and `node` are what Kubernetes gives to the same roles in production, so that dashboards serve both.
 */
export function ownTargets(plan: Plan, job: string): readonly ScrapeTarget[] {
  const target = (port: number, path: string, labels: Readonly<Record<string, string>>): ScrapeTarget => ({
    job,
    url: `http://127.0.0.1:${port}${path}`,
    labels,
  });
  return [
    target(plan.twin.consolePort, "/metrics", { service: "console", pod: "console" }),
    ...plan.roles
      .filter((role) => runsInTwin(role, plan))
      .flatMap((role) =>
        role.httpPort === undefined
          ? []
          : [target(role.httpPort, "/metrics", { service: workloadName(role), pod: role.id, node: role.node })],
      ),
    ...plan.twin.clusterProcesses.flatMap(({ name, httpPort }) =>
      httpPort === undefined ? [] : [target(httpPort, processMetricsPath, { service: name, pod: name })],
    ),
  ];
}
