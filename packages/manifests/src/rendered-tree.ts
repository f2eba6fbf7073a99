/** The files that a fleet is rendered to, by path below the output folder. */
import type { KubernetesObject } from "./kubernetes-object.ts";
import { yamlDocuments, yamlOf } from "./yaml-text.ts";

/** Paths have forward slashes and are in the order of their bytes. */
export type RenderedTree = ReadonlyMap<string, string>;

/** A folder that `kubectl kustomize` builds: files of objects, other folders, or both. */
export interface Kustomization {
  readonly path: string; // "" = the top
  readonly comment: string; // what the folder is for: first lines of its kustomization.yaml
  readonly files: ReadonlyMap<string, readonly KubernetesObject[]>; // by file name; files without objects are left out
  readonly folders: readonly string[]; // relative
}

export function renderedTree(
  kustomizations: readonly Kustomization[],
  others: ReadonlyMap<string, string> = new Map(),
): RenderedTree {
  const files = new Map(others);
  for (const { path, comment, files: own, folders } of kustomizations) {
    const filled = [...own].filter(([, objects]) => objects.length > 0);
    for (const [name, objects] of filled) add(files, joined(path, name), yamlDocuments(objects));
    const resources = [...folders, ...filled.map(([name]) => name)];
    const text = yamlOf({ apiVersion: "kustomize.config.k8s.io/v1beta1", kind: "Kustomization", resources });
    add(files, joined(path, "kustomization.yaml"), `${commentLines(comment)}${text}`);
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function add(files: Map<string, string>, path: string, text: string): void {
  if (files.has(path)) throw new Error(`${path} is rendered twice`);
  files.set(path, text);
}

function joined(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

function commentLines(text: string): string {
  return text
    .split("\n")
    .map((line) => `# ${line}\n`)
    .join("");
}
