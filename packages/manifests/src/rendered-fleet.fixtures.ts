/** The shipped fleets, rendered, for tests. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { parseAllDocuments } from "yaml";
import { planFleet, readFleet, type Fleet, type Plan } from "@pleiad/fleet";
import type { KubernetesObject } from "./kubernetes-object.ts";
import { renderFleet } from "./render.ts";
import { defaultRenderSettings, settingsFile, type RenderSettings } from "./render-settings.ts";
import type { RenderedTree } from "./rendered-tree.ts";
import { strictSchemas, type SchemaFile, type StrictSchemas } from "./strict-schemas.ts";

export const kubernetesVersions = ["1.33", "1.34", "1.35", "1.36"] as const;

export function fleetText(name: string): string {
  return readFileSync(new URL(`../../../fleets/${name}.yaml`, import.meta.url), "utf8");
}

export function planned(text: string): { readonly fleet: Fleet; readonly plan: Plan } {
  const fleet = readFleet(text, "fleet.yaml");
  if (!fleet.ok)
    throw new Error(fleet.failure.problems.map(({ expected, found }) => `${expected}, not ${found}`).join("\n"));
  const plan = planFleet(fleet.value);
  if (!plan.ok) throw new Error("the fleet cannot be planned");
  return { fleet: fleet.value, plan: plan.value };
}

export function rendered(text: string, settings: Partial<RenderSettings> = {}): RenderedTree {
  const { fleet, plan } = planned(text);
  const tree = renderFleet(fleet, plan, { ...defaultRenderSettings, ...settings });
  if (!tree.ok) throw new Error(tree.failure.message);
  return tree.value;
}

/** Every object of a tree, with the file that it stands in. */
export function objectsOf(tree: RenderedTree): readonly { readonly path: string; readonly object: KubernetesObject }[] {
  return [...tree].flatMap(([path, text]) =>
    !path.endsWith(".yaml") ||
    path.endsWith("kustomization.yaml") ||
    path.endsWith("values.yaml") ||
    path === settingsFile
      ? []
      : parseAllDocuments(text).map((document) => ({ path, object: document.toJS() as KubernetesObject })),
  );
}

export function schemasOf(kubernetes: string): StrictSchemas {
  const files = [
    `kubernetes-${kubernetes}`,
    "prometheus-operator-0.93",
    "cert-manager-1.19",
    "external-secrets-1.3",
    "argo-cd-3.2",
    "rook-1.18",
  ];
  const folder = fileURLToPath(new URL("../testdata/schemas/", import.meta.url));
  return strictSchemas(
    files.map((name) => JSON.parse(readFileSync(`${folder}${name}.json`, "utf8")) as SchemaFile),
    new Ajv({ allErrors: true, strict: false, validateFormats: false, logger: false, code: { regExp: goPattern } }),
  );
}

/** The patterns of Go that schemas use: JavaScript's, but for the flag that ignores case. */
const goPattern = Object.assign(
  (pattern: string, flags: string) =>
    pattern.includes("(?i)") ? new RegExp(pattern.replace("(?i)", ""), `${flags}i`) : new RegExp(pattern, flags),
  { code: "goPattern" },
);
