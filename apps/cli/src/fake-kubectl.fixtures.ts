/**
 * Clusters that are not there, behind kubectl's command line as far as Pleiad speaks it: what is asked is understood word by
 * word, and anything else is refused. Run as a program it keeps its clusters in the file that FAKE_KUBECTL names.
 */
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import type { Kubectl, KubectlAnswer } from "./kubectl.ts";

export interface FakeCluster {
  readonly uid: string;
  readonly objects: Record<string, FakeObject>; // by key, `apps/v1 Deployment monitoring/ruler`
  /** By key: what an object of that name does instead of being applied and ready. */
  readonly faults: Record<string, FakeFault>;
}

export type FakeFault = "refused" | "conflict" | "never-ready" | "fails" | "hangs";

export interface FakeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly generation?: number };
  readonly [field: string]: unknown;
}

/** By context. */
export type FakeClusters = Record<string, FakeCluster>;

export function fakeCluster(
  uid: string,
  secrets: readonly (readonly [namespace: string, name: string, keys: readonly string[]])[] = [],
): FakeCluster {
  const cluster: FakeCluster = { uid, objects: {}, faults: {} };
  put(cluster, { apiVersion: "v1", kind: "Namespace", metadata: { name: "kube-system" } });
  for (const [namespace, name, keys] of secrets) {
    put(cluster, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    const data = Object.fromEntries(keys.map((key) => [key, "eA=="]));
    put(cluster, { apiVersion: "v1", kind: "Secret", metadata: { namespace, name }, data });
  }
  return cluster;
}

/** The port over clusters in memory; what is asked is added to `asked`, as `context verb`. */
export function fakeKubectl(clusters: FakeClusters, asked: string[] = []): Kubectl {
  return {
    run: async ({ args, input }, signal) => {
      asked.push(`${contextOf(args) ?? "-"} ${verbOf(args)}`);
      const answer = answerTo(clusters, args, input ?? "");
      if (answer !== "hangs") return answer;
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      return { exitCode: undefined, stdout: "", stderr: "stopped" };
    },
  };
}

const done = (stdout: string): KubectlAnswer => ({ exitCode: 0, stdout, stderr: "" });
const refused = (stderr: string): KubectlAnswer => ({ exitCode: 1, stdout: "", stderr });

function answerTo(clusters: FakeClusters, args: readonly string[], input: string): KubectlAnswer | "hangs" {
  const rest = withoutGlobals(args);
  if (rest.join(" ") === "version --client -o json") return done('{"clientVersion": {"minor": "32"}}');
  if (rest.join(" ") === "config current-context") return done("monitoring\n");
  const context = contextOf(args);
  const cluster = clusters[context ?? ""];
  if (cluster === undefined) return refused(`error: context "${context}" does not exist`);
  const line = rest.join(" ");
  if (line === "get namespace kube-system -o jsonpath={.metadata.uid}") return done(cluster.uid);
  if (line === "get namespaces -o name") {
    return done(
      namesOf(cluster, "Namespace")
        .map((name) => `namespace/${name}\n`)
        .join(""),
    );
  }
  if (/^get secrets -n \S+ -o go-template=/.test(line)) return done(secretKeys(cluster, rest[3] ?? ""));
  if (line === "get -f - --ignore-not-found -o json") return done(found(cluster, input));
  if (rest[0] === "apply") return applied(cluster, rest, input);
  if (rest[0] === "diff") return compared(cluster, input);
  return refused(`unknown command: ${line}`);
}

function contextOf(args: readonly string[]): string | undefined {
  return args[0] === "--context" ? args[1] : undefined;
}

function withoutGlobals(args: readonly string[]): readonly string[] {
  const rest = args[0] === "--context" ? args.slice(2) : args;
  return rest.filter((arg) => !arg.startsWith("--request-timeout="));
}

function verbOf(args: readonly string[]): string {
  const [verb = "", noun = ""] = withoutGlobals(args);
  return verb === "get" && !noun.startsWith("-") ? `${verb} ${noun}` : verb;
}

function applied(cluster: FakeCluster, words: readonly string[], input: string): KubectlAnswer | "hangs" {
  for (const needed of ["--server-side", "--field-manager=pleiad", "--validate=strict"]) {
    if (!words.includes(needed)) return refused(`a test wants ${needed}`);
  }
  const isForced = words.includes("--force-conflicts");
  const errors: string[] = [];
  for (const object of objectsIn(input)) {
    const key = keyOf(object);
    const fault = cluster.faults[key];
    const { namespace } = object.metadata;
    if (fault === "hangs") return "hangs";
    if (namespace !== undefined && !namesOf(cluster, "Namespace").includes(namespace)) {
      errors.push(`Error from server (NotFound): namespaces "${namespace}" not found`);
    } else if (fault === "refused") errors.push(`${key} is invalid: ${JSON.stringify(object["stringData"] ?? "spec")}`);
    else if (fault === "conflict" && !isForced) errors.push(`Apply failed with 1 conflict: ${key}`);
    else if (!words.includes("--dry-run=server")) put(cluster, object);
  }
  return errors.length === 0 ? done("") : refused(errors.join("\n"));
}

function compared(cluster: FakeCluster, input: string): KubectlAnswer {
  const lines = objectsIn(input).flatMap((object) => {
    const there = cluster.objects[keyOf(object)];
    const named = { ...there, status: undefined, metadata: { ...there?.metadata, generation: undefined } };
    return JSON.stringify(sorted(named)) === JSON.stringify(sorted(object)) ? [] : [`~ ${keyOf(object)}\n`];
  });
  return { exitCode: lines.length === 0 ? 0 : 1, stdout: lines.join(""), stderr: "" };
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, sorted(one)]),
  );
}

/** As its controllers would leave it. */
function put(cluster: FakeCluster, object: FakeObject): void {
  const key = keyOf(object);
  const generation = (cluster.objects[key]?.metadata.generation ?? 0) + 1;
  const metadata = { ...object.metadata, generation };
  cluster.objects[key] = { ...object, metadata, status: statusOf(object, generation, cluster.faults[key]) };
}

function statusOf({ kind, spec }: FakeObject, observedGeneration: number, fault: string | undefined): unknown {
  const replicas = (spec as { replicas?: number } | undefined)?.replicas ?? 1;
  const isReady = fault === undefined;
  const status = isReady ? "True" : "False";
  switch (kind) {
    case "Namespace":
      return { phase: "Active" };
    case "Deployment":
    case "StatefulSet": {
      const ready = isReady ? replicas : replicas - 1;
      const reason = fault === "fails" ? "ProgressDeadlineExceeded" : "NewReplicaSetAvailable";
      return {
        observedGeneration,
        replicas,
        updatedReplicas: replicas,
        readyReplicas: ready,
        availableReplicas: ready,
        conditions: [{ type: "Progressing", status: "True", reason, message: `it is told: ${reason}` }],
      };
    }
    default:
      return {
        conditions: ["Ready", "Reconciled", "Available", "Established"].map((type) => ({ type, status })),
      };
  }
}

function found(cluster: FakeCluster, input: string): string {
  const items = objectsIn(input).flatMap((object) => cluster.objects[keyOf(object)] ?? []);
  if (items.length < 2) return items.length === 0 ? "" : JSON.stringify(items[0]);
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

function namesOf({ objects }: FakeCluster, kind: string): readonly string[] {
  return Object.values(objects).flatMap((object) => (object.kind === kind ? [object.metadata.name] : []));
}

function secretKeys({ objects }: FakeCluster, namespace: string): string {
  return Object.values(objects)
    .filter(({ kind, metadata }) => kind === "Secret" && metadata.namespace === namespace)
    .map(({ metadata, data, stringData }) =>
      [metadata.name, ...Object.keys({ ...(data as object), ...(stringData as object) })].join(" "),
    )
    .join("\n");
}

function objectsIn(input: string): readonly FakeObject[] {
  return parseAllDocuments(input).flatMap((document) => {
    const value = document.toJS() as FakeObject & { readonly items?: readonly FakeObject[] };
    return value.kind === "List" ? (value.items ?? []) : [value];
  });
}

function keyOf({ apiVersion, kind, metadata }: FakeObject): string {
  const { namespace, name } = metadata;
  return `${apiVersion} ${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

const lockWaitMs = 60_000;

/** One process after the other, so that none loses what another one has put. Throws where the lock stays taken. */
function locked<T>(path: string, work: () => T): T {
  const untilMs = performance.now() + lockWaitMs;
  for (;;) {
    try {
      closeSync(openSync(path, "wx"));
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || performance.now() > untilMs) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
  try {
    return work();
  } finally {
    rmSync(path);
  }
}

/** What it changes is seen whole or not at all. */
function answerFrom(path: string, args: readonly string[], input: string): KubectlAnswer | "hangs" {
  const before = readFileSync(path, "utf8");
  const clusters = JSON.parse(before) as FakeClusters;
  const answer = answerTo(clusters, args, input);
  const after = JSON.stringify(clusters);
  if (answer !== "hangs" && after !== before) {
    writeFileSync(`${path}.new`, after);
    renameSync(`${path}.new`, path);
  }
  return answer;
}

const stateFile = process.env["FAKE_KUBECTL"];
if (stateFile !== undefined && process.argv[1]?.endsWith("fake-kubectl.fixtures.ts") === true) {
  process.once("SIGTERM", () => process.exit(143)); // heard between two steps only: a lock is never left behind
  const input = readFileSync(0, "utf8");
  const answer = locked(`${stateFile}.lock`, () => answerFrom(stateFile, process.argv.slice(2), input));
  if (answer === "hangs") {
    writeFileSync(`${stateFile}.hanging`, String(process.pid));
    setInterval(() => {}, 1000);
  } else {
    process.stdout.write(answer.stdout);
    process.stderr.write(answer.stderr);
    process.exitCode = answer.exitCode ?? 1;
  }
}
