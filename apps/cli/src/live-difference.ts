/** What applying a step would change in its cluster, as text; an object of a namespace that is not there yet is new as it is. */
import { objectKey, type ApplyStep, type KubernetesObject } from "@pleiad/manifests";
import { ok, type Result } from "@pleiad/model";
import { namespacesOf } from "./cluster-contents.ts";
import { liveDifference, type Applied, type ReachedCluster } from "./kubectl-apply.ts";

/** Empty where nothing would change. */
export async function clusterDifference(
  cluster: ReachedCluster,
  { foundation, objects, secrets }: ApplyStep,
  secretText: string | undefined,
  fieldManager: string,
  signal: AbortSignal,
): Promise<Result<string, string>> {
  const namespaces = await namespacesOf(cluster, signal);
  if (!namespaces.ok) return namespaces;
  const isThere = (namespace: string | undefined) => namespace === undefined || namespaces.value.has(namespace);
  const all = [...foundation, ...objects];
  const inPlace = ({ metadata }: KubernetesObject) => isThere(metadata?.namespace);
  const asked: Applied[] = [{ objects: all.filter(inPlace) }];
  const lines = all.filter((object) => !inPlace(object)).map((object) => `+ ${objectKey(object)}\n`);
  if (secretText !== undefined) {
    const isAskable = secrets
      .filter(({ filledBy }) => filledBy === "pleiad certs")
      .every((one) => isThere(one.namespace));
    if (isAskable) asked.push({ secretText });
    else lines.push("+ Secrets of pleiad certs\n");
  }
  const texts: string[] = [];
  for (const what of asked) {
    const text = await liveDifference(cluster, what, fieldManager, signal);
    if (!text.ok) return text;
    texts.push(text.value);
  }
  return ok([...texts, ...lines].join(""));
}
