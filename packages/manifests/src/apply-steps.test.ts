import { describe, expect, it } from "vitest";
import { applySteps } from "./apply-steps.ts";
import { deploymentOf } from "./deployment.ts";
import { objectKey } from "./kubernetes-object.ts";
import { fleetText, objectsOf, planned, rendered } from "./rendered-fleet.fixtures.ts";
import { defaultRenderSettings, type RenderSettings } from "./render-settings.ts";
import { requiredSecrets } from "./required-secrets.ts";

function stepsOf(text: string, settings: Partial<RenderSettings> = {}) {
  const { fleet, plan } = planned(text);
  const deployment = deploymentOf(fleet, plan, { ...defaultRenderSettings, ...settings });
  if (!deployment.ok) throw new Error(deployment.failure.message);
  return applySteps(rendered(text, settings), requiredSecrets(deployment.value));
}

const laptop = fleetText("laptop");
const steps = stepsOf(laptop);

describe("the steps of a fleet", () => {
  it("are storage, what is global, the regions, and then the app clusters", () => {
    expect(steps.slice(0, 5).map(({ wave, folder }) => `${wave}: ${folder}`)).toEqual([
      "storage: s3",
      "global: global",
      "regional: regional-east",
      "regional: regional-west",
      "app-clusters: app-clusters/office-1",
    ]);
    expect(
      steps.slice(4).every(({ wave, folder, cluster }) => wave === "app-clusters" && folder.endsWith(`/${cluster}`)),
    );
    expect(steps).toHaveLength(4 + 12);
  });

  it("hold every rendered object once", () => {
    const keys = steps.flatMap(({ cluster, foundation, objects }) =>
      [...foundation, ...objects].map((object) => `${cluster}: ${objectKey(object)}`),
    );
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys).toHaveLength(objectsOf(rendered(laptop)).length);
  });

  it("make namespaces before all else, and what pods cannot begin without before them", () => {
    for (const { folder, foundation, objects } of steps) {
      const namespaces = new Set(foundation.map(({ metadata }) => metadata?.name));
      expect(objects.filter(({ kind }) => kind === "Namespace")).toEqual([]);
      if (!folder.startsWith("regional-")) expect(namespaces.size, folder).toBeGreaterThan(0);
      const kinds = objects.map(({ kind }): string => kind);
      const first = kinds.findIndex((kind) =>
        ["Deployment", "StatefulSet", "Prometheus", "Alertmanager"].includes(kind),
      );
      const late = ["PriorityClass", "NetworkPolicy", "ServiceAccount", "ConfigMap", "Certificate"].filter(
        (kind) => kinds.lastIndexOf(kind) > first,
      );
      expect(late, folder).toEqual([]);
    }
  });

  it("want each Secret where its namespace is made, and those of other namespaces with what is global", () => {
    const secretsOf = (folder: string) =>
      steps.find((step) => step.folder === folder)?.secrets.map(({ namespace, name }) => `${namespace}/${name}`);
    expect(secretsOf("s3")).toEqual(["storage/object-store"]);
    expect(secretsOf("global")).toEqual(
      expect.arrayContaining(["monitoring/object-storage", "monitoring/grafana", "cert-manager/pleiad-ca"]),
    );
    expect(secretsOf("regional-east")).toEqual([]);
    expect(secretsOf("app-clusters/office-1")).toEqual(
      expect.arrayContaining(["monitoring/object-storage", "cert-manager/pleiad-ca"]),
    );
  });

  it("do not want Secrets that custom resources fill", () => {
    const filled = stepsOf(laptop, { secrets: { kind: "external-secrets", store: "vault" } });
    const names = filled.flatMap(({ secrets }) => secrets.map(({ name }) => name));
    expect(names).not.toContain("object-storage");
    expect(names).toContain("grafana");
  });
});
