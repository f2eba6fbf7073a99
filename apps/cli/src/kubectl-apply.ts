/** Objects applied or compared by kubectl on the side of the API server, which also refuses what it does not know. */
import type { KubernetesObject } from "@pleiad/manifests";
import { fail, ok, type Result } from "@pleiad/model";
import { parseAllDocuments } from "yaml";
import type { Kubectl, KubectlAnswer } from "./kubectl.ts";

/** A cluster as kubectl reaches it. */
export interface ReachedCluster {
  readonly kubectl: Kubectl;
  readonly context: string;
}

export interface ApplyFlags {
  readonly fieldManager: string;
  readonly forceConflicts: boolean; // take over fields that somebody else manages
  readonly isDryRun: boolean; // the API server answers and keeps nothing
}

export type Applied = { readonly objects: readonly KubernetesObject[] } | { readonly secretText: string };

const applyTimeoutMs = 300_000;
const requestTimeout = "--request-timeout=60s";

/** Why it failed, in kubectl's words but without a secret; undefined where it did not. */
export async function apply(
  { kubectl, context }: ReachedCluster,
  what: Applied,
  flags: ApplyFlags,
  signal: AbortSignal,
): Promise<string | undefined> {
  if ("objects" in what && what.objects.length === 0) return undefined;
  const args = ["--context", context, requestTimeout, "apply", ...serverSide(flags), "--validate=strict"];
  if (flags.isDryRun) args.push("--dry-run=server");
  const answer = await kubectl.run(
    { args: [...args, "-f", "-"], input: inputOf(what), timeoutMs: applyTimeoutMs },
    signal,
  );
  return answer.exitCode === 0 ? undefined : kubectlFailure(answer, what);
}

/**
 * What would change, as `diff` prints it; empty where nothing. Fields that somebody else took over are shown as well, though
 * applying leaves them alone unless it is forced. Values of Secrets are starred out by kubectl.
 */
export async function liveDifference(
  { kubectl, context }: ReachedCluster,
  what: Applied,
  fieldManager: string,
  signal: AbortSignal,
): Promise<Result<string, string>> {
  if ("objects" in what && what.objects.length === 0) return ok("");
  const args = [
    "--context",
    context,
    requestTimeout,
    "diff",
    ...serverSide({ fieldManager, forceConflicts: true }),
    "-f",
    "-",
  ];
  const answer = await kubectl.run({ args, input: inputOf(what), timeoutMs: applyTimeoutMs }, signal);
  // 0 is nothing, 1 a difference, above 1 a failure. A failure of diff itself ends with 1 too, and prints no difference.
  if (answer.exitCode === 0 || (answer.exitCode === 1 && answer.stdout !== "")) return ok(answer.stdout);
  return fail(kubectlFailure(answer, what));
}

function serverSide({ fieldManager, forceConflicts }: Omit<ApplyFlags, "isDryRun">): readonly string[] {
  return ["--server-side", `--field-manager=${fieldManager}`, ...(forceConflicts ? ["--force-conflicts"] : [])];
}

function inputOf(what: Applied): string {
  return "secretText" in what
    ? what.secretText
    : JSON.stringify({ apiVersion: "v1", kind: "List", items: what.objects });
}

const linesMax = 20;

/** The end of a kubectl that failed: its first lines, values of what was handed to it taken out where those are secret. */
export function kubectlFailure({ stderr, exitCode }: KubectlAnswer, what?: Applied): string {
  const text = what !== undefined && "secretText" in what ? withoutValues(stderr, what.secretText) : stderr;
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const more = lines.length > linesMax ? [`and ${lines.length - linesMax} more lines`] : [];
  return lines.length === 0 ? `kubectl ended with ${exitCode}` : [...lines.slice(0, linesMax), ...more].join("\n");
}

/**
 * The line of a failure that says most: the first that calls itself an error, else the last, as kubectl logs what it tries
 * (`E0102 15:04:05.000000 ...`) before it says what came of it.
 */
export function failureInOneLine(failure: string): string {
  const lines = failure.split("\n").filter((line) => line.trim() !== "");
  const error = /^(\w*error\b|unable to connect|the connection to the server)/i;
  return lines.find((line) => error.test(line)) ?? lines.at(-1) ?? failure;
}

/** An API server that refuses an object may quote it. */
function withoutValues(text: string, secretText: string): string {
  const values = parseAllDocuments(secretText).flatMap((document) => {
    const { data, stringData } = (document.toJS() ?? {}) as Readonly<Record<string, Readonly<Record<string, string>>>>;
    return [...Object.values(data ?? {}), ...Object.values(stringData ?? {})];
  });
  const pieces = values.flatMap((value) => [value, Buffer.from(value).toString("base64"), ...value.split("\n")]);
  return pieces
    .filter((piece) => piece.length >= 4)
    .sort((a, b) => b.length - a.length)
    .reduce((left, piece) => left.replaceAll(piece, "(secret)"), text);
}
