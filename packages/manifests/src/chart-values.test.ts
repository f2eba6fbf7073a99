/** Values against what the chart makes of them, as its templates of 88.5.3 do. */
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { fleetText, objectsOf, rendered } from "./rendered-fleet.fixtures.ts";

const laptop = fleetText("laptop");

describe("a cluster with kube-prometheus-stack", () => {
  const tree = rendered(laptop, { appClusters: "kube-prometheus-stack" });
  const objects = objectsOf(tree).filter(({ path }) => path.startsWith("app-clusters/office-1/"));

  it("is scraped once: by the PodMonitor, whose ports are those of the pods, and not by the chart's own ServiceMonitor", () => {
    const values = parse(tree.get("app-clusters/office-1/values.yaml") ?? "") as {
      prometheus: { serviceMonitor: unknown; prometheusSpec: { portName: string } };
    };
    expect(values.prometheus.serviceMonitor).toEqual({ selfMonitor: false });
    const monitor = objects.find(({ object }) => object.kind === "PodMonitor")?.object;
    expect(monitor).toMatchObject({
      spec: { podMetricsEndpoints: [{ port: values.prometheus.prometheusSpec.portName }, { port: "http" }] },
    });
  });

  it("keeps the chart's node-exporter, which no restricted namespace admits; elsewhere the profile is enforced", () => {
    const enforced = (path: string, all: ReturnType<typeof objectsOf>) =>
      all
        .filter((one) => one.path === path && one.object.kind === "Namespace")
        .map(({ object }) => object.metadata?.labels?.["pod-security.kubernetes.io/enforce"]);
    expect(enforced("app-clusters/office-1/namespace.yaml", objects)).toEqual([undefined]);
    expect(enforced("global/namespace.yaml", objectsOf(tree))).toEqual(["restricted"]);
    expect(enforced("app-clusters/office-1/namespace.yaml", objectsOf(rendered(laptop)))).toEqual(["restricted"]);
  });
});
