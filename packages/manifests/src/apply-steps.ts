/**
 * What is applied where, and in which order: the folders of a rendered tree as steps, each to one cluster, in waves of which
 * one begins when the one before it is ready.
 */
import { parse, parseAllDocuments } from "yaml";
import type { KubernetesObject } from "./kubernetes-object.ts";
import type { RequiredSecret } from "./required-secrets.ts";
import type { RenderedTree } from "./rendered-tree.ts";

/** In the order in which they are applied. */
export const applyWaves = ["storage", "global", "regional", "app-clusters"] as const;
export type ApplyWave = (typeof applyWaves)[number];

export interface ApplyStep {
  readonly wave: ApplyWave;
  readonly folder: string; // of the tree: `global`, `app-clusters/cluster-007`
  readonly cluster: string | undefined; // undefined = the monitoring cluster
  /** What others of the same step stand in: namespaces and definitions of custom resources. */
  readonly foundation: readonly KubernetesObject[];
  /** All others, in the order in which they need each other. */
  readonly objects: readonly KubernetesObject[];
  /** Secrets that must be there before `objects`, but those that custom resources fill. */
  readonly secrets: readonly RequiredSecret[];
}

/** All steps, wave by wave; within one in the order of the tree's own lists. */
export function applySteps(tree: RenderedTree, secrets: readonly RequiredSecret[]): readonly ApplyStep[] {
  const monitoring = resourcesOf(tree, "").map((folder) => stepOf(tree, waveOf(folder), folder, undefined));
  const clusters = [...tree.keys()].flatMap((path) => {
    const [, name] = /^app-clusters\/([^/]+)\/kustomization\.yaml$/.exec(path) ?? [];
    return name === undefined ? [] : [stepOf(tree, "app-clusters", `app-clusters/${name}`, name)];
  });
  const steps = [...monitoring, ...clusters];
  return withSecrets(
    applyWaves.flatMap((wave) => steps.filter((step) => step.wave === wave)),
    secrets.filter(({ filledBy }) => filledBy === "you" || filledBy === "pleiad certs"),
  );
}

function waveOf(folder: string): ApplyWave {
  if (folder === "s3") return "storage";
  if (folder.startsWith("regional-")) return "regional";
  return "global";
}

function stepOf(tree: RenderedTree, wave: ApplyWave, folder: string, cluster: string | undefined): ApplyStep {
  const all = resourcesOf(tree, folder).flatMap((file) => objectsOf(tree, `${folder}/${file}`));
  const [foundation, objects] = [
    all.filter(({ kind }) => isFoundation(kind)),
    all.filter(({ kind }) => !isFoundation(kind)),
  ];
  return { wave, folder, cluster, foundation, objects: inOrder(objects), secrets: [] };
}

function isFoundation(kind: string): boolean {
  return kind === "Namespace" || kind === "CustomResourceDefinition";
}

/**
 * What a pod cannot begin without comes before it: a class of priority that is not there makes its creation fail, and a
 * policy that comes later leaves it open for that long.
 */
const firstKinds = [
  "PriorityClass",
  "NetworkPolicy",
  "ServiceAccount",
  "ClusterRole",
  "Role",
  "ClusterRoleBinding",
  "RoleBinding",
  "ExternalSecret",
  "ClusterIssuer",
  "Issuer",
  "Certificate",
  "ObjectBucketClaim",
  "ConfigMap",
  "Service",
];

function inOrder(objects: readonly KubernetesObject[]): readonly KubernetesObject[] {
  const rank = ({ kind }: KubernetesObject) => {
    const at = firstKinds.indexOf(kind);
    return at === -1 ? firstKinds.length : at;
  };
  return [...objects].sort((a, b) => rank(a) - rank(b)); // stable: as in the files otherwise
}

/** Each Secret goes to the step that makes its namespace; one of somebody else's namespace to the cluster's main step. */
function withSecrets(steps: readonly ApplyStep[], secrets: readonly RequiredSecret[]): readonly ApplyStep[] {
  const bySteps = Map.groupBy(secrets, ({ cluster, namespace }) => {
    const own = steps.filter((step) => step.cluster === cluster);
    return (
      own.find(({ foundation }) => foundation.some(({ metadata }) => metadata?.name === namespace)) ??
      own.find(({ wave }) => wave !== "storage")
    );
  });
  return steps.map((step) => ({ ...step, secrets: bySteps.get(step) ?? [] }));
}

/** What a folder's kustomization lists, relative to it. */
function resourcesOf(tree: RenderedTree, folder: string): readonly string[] {
  const path = folder === "" ? "kustomization.yaml" : `${folder}/kustomization.yaml`;
  const text = tree.get(path);
  if (text === undefined) throw new Error(`${path} is not rendered`);
  return (parse(text) as { resources: readonly string[] }).resources;
}

function objectsOf(tree: RenderedTree, path: string): readonly KubernetesObject[] {
  const text = tree.get(path);
  if (text === undefined) throw new Error(`${path} is listed and not rendered`);
  return parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject);
}
