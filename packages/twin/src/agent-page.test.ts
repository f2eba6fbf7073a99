import { createMetricRegistry, observationsOf, withConstantLabel } from "@pleiad/exposition";
import type { PlannedCluster } from "@pleiad/fleet";
import { expect, it } from "vitest";
import { agentPart, clusterLabel, knownMetrics } from "./agent-page.ts";

const cluster = (name: string, grpcPort: number) =>
  ({ name, externalLabels: { cluster: name }, grpcPort }) as unknown as PlannedCluster;

it("an agent's page has its own metrics, under Prometheus's names, with the labels of a target", () => {
  const registry = createMetricRegistry();
  for (const [i, one] of [cluster("shop-1", 21_001), cluster("shop-2", 21_002)].entries()) {
    const observations = withConstantLabel(
      observationsOf(registry, () => {}),
      "cluster",
      clusterLabel(one),
    );
    observations.gauge("prometheus_tsdb_head_series", "Series in the head.").set(i + 1);
    observations.histogram("thanos_objstore_bucket_operation_duration_seconds", "Time.", [1]).observe(1);
    observations.counter("pleiad_scrapes_total", "Scrapes done.").add(1);
    observations.counter("thanos_shipper_uploads_total", "Blocks uploaded.").add(i);
  }
  expect(knownMetrics(registry.render(agentPart(cluster("shop-2", 21_002))))).toBe(
    [
      "# HELP prometheus_tsdb_head_series Series in the head.",
      "# TYPE prometheus_tsdb_head_series gauge",
      'prometheus_tsdb_head_series{job="prometheus",instance="127.0.0.1:21002",pod="prometheus-prometheus-0"} 2',
      "# HELP thanos_shipper_uploads_total Blocks uploaded.",
      "# TYPE thanos_shipper_uploads_total counter",
      'thanos_shipper_uploads_total{job="prometheus",instance="127.0.0.1:21002",pod="prometheus-prometheus-0"} 1',
      "",
    ].join("\n"),
  );
});
