/** What is in a cluster, as kubectl tells it: who it is, its namespaces, objects by name, and which Secrets have which keys. */
import { fail, ok, type Result } from "@pleiad/model";
import { objectKey, type KubernetesObject, type LiveObject, type RequiredSecret } from "@pleiad/manifests";
import { kubectlFailure, type ReachedCluster } from "./kubectl-apply.ts";

const askTimeoutMs = 30_000;
const requestTimeout = "--request-timeout=20s";

/** The UID of its namespace `kube-system`: the same cluster for as long as it lives, whatever its contexts are called. */
export async function clusterUid(cluster: ReachedCluster, signal: AbortSignal): Promise<Result<string, string>> {
  return await ask(cluster, ["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"], signal);
}

export async function namespacesOf(
  cluster: ReachedCluster,
  signal: AbortSignal,
): Promise<Result<ReadonlySet<string>, string>> {
  const names = await ask(cluster, ["get", "namespaces", "-o", "name"], signal);
  return names.ok ? ok(new Set(names.value.split("\n").map((line) => line.replace("namespace/", "")))) : names;
}

/** Names of Secrets with the names of their keys, and nothing that is in them. */
const keysTemplate =
  'go-template={{range .items}}{{.metadata.name}}{{range $key, $value := .data}} {{$key}}{{end}}{{"\\n"}}{{end}}';

/** Those of the Secrets that are not there, or lack a key, a line each. */
export async function missingSecrets(
  cluster: ReachedCluster,
  secrets: readonly RequiredSecret[],
  signal: AbortSignal,
): Promise<Result<readonly string[], string>> {
  const missing: string[] = [];
  for (const [namespace, wanted] of Map.groupBy(secrets, (secret) => secret.namespace)) {
    const lines = await ask(cluster, ["get", "secrets", "-n", namespace, "-o", keysTemplate], signal);
    if (!lines.ok) return lines;
    const found = new Map(lines.value.split("\n").map((line) => keysOf(line)));
    for (const { name, keys, content, filledBy } of wanted) {
      const there = found.get(name);
      const lacking = keys.filter((key) => there?.includes(key) !== true);
      const from = filledBy === "you" ? "" : `, written by ${filledBy}`;
      if (there === undefined) missing.push(`${namespace}/${name} (${keys.join(", ")}): ${content}${from}`);
      else if (lacking.length > 0) missing.push(`${namespace}/${name} has no key ${lacking.join(", ")}: ${content}`);
    }
  }
  return ok(missing);
}

function keysOf(line: string): readonly [name: string, keys: readonly string[]] {
  const [name = "", ...keys] = line.split(" ");
  return [name, keys];
}

/** Those of the objects, by key, that are there. */
export async function stillThere(
  cluster: ReachedCluster,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<Result<readonly string[], string>> {
  const answer = await namedObjects(cluster, keys.map(objectOfKey), signal);
  return answer.ok ? ok(answer.value.map((live) => objectKey(live as KubernetesObject))) : answer;
}

/** The objects of these names as the API server has them; those that are not there are left out. */
export async function namedObjects(
  cluster: ReachedCluster,
  objects: readonly NamedObject[],
  signal: AbortSignal,
): Promise<Result<readonly LiveObject[], string>> {
  const items = objects.map(({ apiVersion, kind, metadata }) => ({
    apiVersion,
    kind,
    metadata: { name: metadata?.name, namespace: metadata?.namespace },
  }));
  const input = JSON.stringify({ apiVersion: "v1", kind: "List", items });
  const found = await ask(cluster, ["get", "-f", "-", "--ignore-not-found", "-o", "json"], signal, input);
  if (!found.ok) return found;
  if (found.value === "") return ok([]);
  // kubectl prints one object as itself, several as a list, and none as nothing.
  const value = JSON.parse(found.value) as LiveObject & { readonly items?: readonly LiveObject[] };
  return ok(value.items ?? [value]);
}

type NamedObject = Pick<KubernetesObject, "apiVersion" | "kind" | "metadata">;

/** The reverse of `objectKey`. */
function objectOfKey(key: string): NamedObject {
  const [apiVersion = "", kind = "", place = ""] = key.split(" ");
  const [name = "", namespace] = place.split("/").reverse();
  return { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } } as NamedObject;
}

async function ask(
  { kubectl, context }: ReachedCluster,
  args: readonly string[],
  signal: AbortSignal,
  input = "",
): Promise<Result<string, string>> {
  const whole = ["--context", context, requestTimeout, ...args];
  const answer = await kubectl.run({ args: whole, input, timeoutMs: askTimeoutMs }, signal);
  return answer.exitCode === 0 ? ok(answer.stdout.trim()) : fail(kubectlFailure(answer));
}
