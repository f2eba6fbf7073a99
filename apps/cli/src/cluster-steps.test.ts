import { readFileSync } from "node:fs";
import { planFleet, readFleet } from "@pleiad/fleet";
import { defaultRenderSettings, deploymentOf, type Deployment, type RenderSettings } from "@pleiad/manifests";
import { describe, expect, it } from "vitest";
import { clusterSteps } from "./cluster-steps.ts";

function planned(edit: (text: string) => string = (text) => text, settings: Partial<RenderSettings> = {}): Deployment {
  const text = edit(readFileSync(new URL("../../../fleets/seven-nodes.yaml", import.meta.url), "utf8"));
  const fleet = readFleet(text, "seven-nodes.yaml");
  const plan = fleet.ok ? planFleet(fleet.value) : fleet;
  if (!fleet.ok || !plan.ok) throw new Error("it does not plan");
  const deployment = deploymentOf(fleet.value, plan.value, { ...defaultRenderSettings, ...settings });
  if (!deployment.ok) throw new Error(deployment.failure.message);
  return deployment.value;
}

const none = { added: [], changed: [], removed: [] };
const folder = (deployment: Deployment, difference = {}) => ({
  output: "deploy",
  flags: "fleet.yaml -o deploy",
  deployment,
  difference: { ...none, ...difference },
});

describe("a cluster that comes", () => {
  const difference = {
    added: ["app-clusters/shop-99/prometheus.yaml", "app-clusters/shop-99/bucket-policy.json"],
    changed: ["regional-east/endpoints.yaml"],
  };
  it("has its certificate, its keys and its Prometheus before its region asks it", () => {
    expect(clusterSteps({ kind: "add", cluster: "shop-99", group: "shops" }, folder(planned(), difference))).toEqual([
      "pleiad certs fleet.yaml -o deploy",
      "add deploy/app-clusters/shop-99/bucket-policy.json, with new keys in it, to the s3.json of the Secret storage/object-store",
      "kubectl -n storage rollout restart statefulset/object-store",
      "in shop-99: the Secrets that deploy/README.md lists, with those keys",
      "pleiad apply fleet.yaml -o deploy --only app-clusters/shop-99",
      "pleiad apply fleet.yaml -o deploy --only regional-east",
    ]);
  });
  it("gets its keys as the object storage gives them", () => {
    const of = (kind: string) =>
      clusterSteps(
        { kind: "add", cluster: "shop-99", group: "shops" },
        folder(planned((text) => text.replace(/kind: seaweedfs.*/, kind))),
      ).join("\n");
    expect(of("kind: external\n  endpoint: s3.example.com")).toContain(
      "aws iam put-user-policy --user-name shop-99 --policy-name pleiad-upload --policy-document file://deploy/app-clusters/shop-99/bucket-policy.json",
    );
    expect(of("kind: silo")).toContain("mc admin policy attach STORE pleiad-upload --user shop-99");
  });
  it("that has kube-prometheus-stack gets its values too", () => {
    const steps = clusterSteps(
      { kind: "add", cluster: "shop-99", group: "shops" },
      folder(planned(undefined, { appClusters: "kube-prometheus-stack" })),
    );
    expect(steps.at(-1)).toBe("in shop-99: helm with deploy/app-clusters/shop-99/values.yaml");
  });
});

it("a cluster that goes is no longer asked before it is taken down", () => {
  const difference = {
    changed: ["regional-east/endpoints.yaml", "argo-cd/application-sets.yaml"],
    removed: ["app-clusters/shop-01/prometheus.yaml"],
  };
  const steps = clusterSteps({ kind: "remove", cluster: "shop-01" }, folder(planned(), difference));
  expect(steps[0]).toBe("where Argo CD runs: kubectl apply --server-side -k deploy/argo-cd");
  expect(steps[1]).toBe("pleiad apply fleet.yaml -o deploy --only regional-east");
  expect(steps[2]).toMatch(/^in shop-01: delete what app-clusters\/shop-01 had \(1 files/);
});

it("a cluster that moves has its new labels before the new region asks it", () => {
  const difference = {
    changed: ["app-clusters/shop-01/prometheus.yaml", "regional-east/endpoints.yaml", "regional-west/endpoints.yaml"],
  };
  expect(clusterSteps({ kind: "move", cluster: "shop-01", region: "west" }, folder(planned(), difference))).toEqual([
    "pleiad apply fleet.yaml -o deploy --only app-clusters/shop-01",
    "pleiad apply fleet.yaml -o deploy --only regional-east",
    "pleiad apply fleet.yaml -o deploy --only regional-west",
  ]);
});
