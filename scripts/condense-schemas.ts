/**
 * Makes the strict schemas that rendered objects are checked against: of a Kubernetes release's OpenAPI document, or of
 * CustomResourceDefinitions, keeps the kinds that Pleiad renders, drops what only people read, and forbids unknown
 * fields wherever the source names the known ones.
 *
 *   node scripts/condense-schemas.ts OUT.json SOURCE...
 *
 * A SOURCE is `api/openapi-spec/swagger.json` of a tag of kubernetes/kubernetes, or a project's CRD as YAML. OUT has
 * `kinds`, from "group/version kind" to the name of a definition, and `definitions`, each a line, in order of names.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-group-version-kind"?: readonly { group: string; version: string; kind: string }[];
}

interface CustomResourceDefinition {
  readonly kind?: string;
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly served: boolean;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

const builtInKinds = [
  "v1 ConfigMap",
  "v1 LimitRange",
  "v1 Namespace",
  "v1 PersistentVolumeClaim",
  "v1 Pod",
  "v1 ResourceQuota",
  "v1 Secret",
  "v1 Service",
  "v1 ServiceAccount",
  "apps/v1 DaemonSet",
  "apps/v1 Deployment",
  "apps/v1 StatefulSet",
  "autoscaling/v2 HorizontalPodAutoscaler",
  "batch/v1 CronJob",
  "batch/v1 Job",
  "networking.k8s.io/v1 Ingress",
  "networking.k8s.io/v1 NetworkPolicy",
  "policy/v1 PodDisruptionBudget",
  "rbac.authorization.k8s.io/v1 ClusterRole",
  "rbac.authorization.k8s.io/v1 ClusterRoleBinding",
  "rbac.authorization.k8s.io/v1 Role",
  "rbac.authorization.k8s.io/v1 RoleBinding",
  "scheduling.k8s.io/v1 PriorityClass",
];

// Types whose JSON form the OpenAPI document states too narrowly or not at all.
const knownForms: Readonly<Record<string, unknown>> = {
  "io.k8s.apimachinery.pkg.util.intstr.IntOrString": { type: ["integer", "string"] },
  "io.k8s.apimachinery.pkg.api.resource.Quantity": { type: ["number", "string"] },
  "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": { type: "object" },
};
const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

function strict(schema: Schema): unknown {
  if (schema.$ref !== undefined) return { $ref: `#/definitions/${refName(schema.$ref)}` };
  if (schema["x-kubernetes-int-or-string"] === true) return { type: ["integer", "string"] };
  const kept: Record<string, unknown> = {};
  for (const key of [
    "type",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
  ]) {
    const value = schema[key as keyof Schema];
    if (value !== undefined) kept[key] = value;
  }
  if (schema.required !== undefined) kept["required"] = schema.required;
  if (schema.items !== undefined) kept["items"] = strict(schema.items);
  if (schema.properties !== undefined) {
    kept["properties"] = Object.fromEntries(
      Object.entries(schema.properties)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, property]) => [name, strict(property)]),
    );
    if (schema["x-kubernetes-preserve-unknown-fields"] !== true) kept["additionalProperties"] = false;
  }
  if (typeof schema.additionalProperties === "object") {
    kept["additionalProperties"] = strict(schema.additionalProperties);
  }
  return kept;
}

function refName(ref: string): string {
  return ref.slice(ref.lastIndexOf("/") + 1);
}

const kinds = new Map<string, string>();
const definitions = new Map<string, unknown>();

function addReachable(name: string, all: Readonly<Record<string, Schema>>): void {
  if (definitions.has(name)) return;
  const schema = all[name];
  if (schema === undefined) throw new Error(`no definition ${name}`);
  definitions.set(name, knownForms[name] ?? strict(schema));
  if (knownForms[name] !== undefined) return;
  for (const [, ref] of JSON.stringify(schema).matchAll(/"\$ref":"([^"]+)"/g))
    addReachable(refName(ref as string), all);
}

function addOpenApi(text: string): void {
  const all = (JSON.parse(text) as { definitions: Record<string, Schema> }).definitions;
  for (const [name, schema] of Object.entries(all)) {
    for (const { group, version, kind } of schema["x-kubernetes-group-version-kind"] ?? []) {
      const title = `${group === "" ? version : `${group}/${version}`} ${kind}`;
      if (!builtInKinds.includes(title)) continue;
      kinds.set(title, name);
      addReachable(name, all);
    }
  }
  const missing = builtInKinds.filter((title) => !kinds.has(title));
  if (missing.length > 0) throw new Error(`kinds that the document lacks: ${missing.join(", ")}`);
}

function addCustomResource({ spec }: CustomResourceDefinition): void {
  for (const { name: version, served, schema } of spec.versions) {
    if (!served) continue;
    const title = `${spec.group}/${version} ${spec.names.kind}`;
    const name = `${spec.group}.${version}.${spec.names.kind}`;
    const { metadata: _, ...properties } = schema.openAPIV3Schema.properties ?? {};
    const whole = strict({ ...schema.openAPIV3Schema, properties }) as { properties: Record<string, unknown> };
    // Of metadata a definition says no more than "object": what every object's may hold stands in Kubernetes's own.
    whole.properties["metadata"] = { $ref: `#/definitions/${objectMeta}` };
    kinds.set(title, name);
    definitions.set(name, whole);
  }
}

const [out, ...sources] = process.argv.slice(2);
if (out === undefined || sources.length === 0) throw new Error("usage: condense-schemas.ts OUT.json SOURCE...");
for (const source of sources) {
  const text = readFileSync(source, "utf8");
  if (source.endsWith(".json")) {
    addOpenApi(text);
    continue;
  }
  for (const document of parseAllDocuments(text)) {
    const value = document.toJS() as CustomResourceDefinition | null;
    if (value?.kind === "CustomResourceDefinition") addCustomResource(value);
  }
}
const lines = (entries: Map<string, unknown>) =>
  [...entries]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
    .join(",\n");
writeFileSync(out, `{"kinds":{\n${lines(kinds)}\n},"definitions":{\n${lines(definitions)}\n}}\n`);
