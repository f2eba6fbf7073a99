/** Every cluster that a command is about to touch, asked who it is before anything is changed anywhere. */
import { CommandFailure, exitCodes } from "./exit-codes.ts";
import { clusterUid } from "./cluster-contents.ts";
import type { ContextOf } from "./cluster-contexts.ts";
import type { Kubectl } from "./kubectl.ts";
import { failureInOneLine, kubectlFailure } from "./kubectl-apply.ts";
import { workAtOnce } from "./work-at-once.ts";

export interface ReachedContext {
  readonly context: string;
  readonly clusterUid: string;
}

const kubectlMinor = 27; // the first that checks fields strictly and compares on the side of the server without flaws
const askTimeoutMs = 30_000;
const linesMax = 20;

/** By cluster, `undefined` being the monitoring cluster. Throws CommandFailure with all that is wrong, one a line. */
export async function reachClusters(
  kubectl: Kubectl,
  clusters: readonly (string | undefined)[],
  contextOf: ContextOf,
  { parallel }: { readonly parallel: number },
  signal: AbortSignal,
): Promise<ReadonlyMap<string | undefined, ReachedContext>> {
  await checkVersion(kubectl, signal);
  const reached = new Map<string | undefined, ReachedContext>();
  const faults: string[] = [];
  await workAtOnce(clusters, parallel, async (cluster) => {
    const context = contextOf(cluster) ?? (await currentContext(kubectl, signal));
    const uid = await clusterUid({ kubectl, context }, signal);
    if (uid.ok) reached.set(cluster, { context, clusterUid: uid.value });
    else faults.push(`${cluster ?? "the monitoring cluster"} (context ${context}): ${failureInOneLine(uid.failure)}`);
  });
  if (signal.aborted) throw new CommandFailure(exitCodes.failed, "stopped; nothing was changed");
  faults.push(...sameClusters(clusters, reached));
  if (faults.length > 0) {
    const more = faults.length > linesMax ? [`and ${faults.length - linesMax} more`] : [];
    throw new CommandFailure(
      exitCodes.failed,
      [...faults.slice(0, linesMax), ...more, "Nothing was changed anywhere."].join("\n"),
    );
  }
  return reached;
}

async function checkVersion(kubectl: Kubectl, signal: AbortSignal): Promise<void> {
  const answer = await kubectl.run({ args: ["version", "--client", "-o", "json"], timeoutMs: askTimeoutMs }, signal);
  if (answer.exitCode !== 0) throw new CommandFailure(exitCodes.failed, kubectlFailure(answer));
  const [, minor] = /"minor":\s*"(\d+)/.exec(answer.stdout) ?? [];
  if (Number(minor ?? 0) < kubectlMinor) {
    throw new CommandFailure(
      exitCodes.failed,
      `kubectl is of version 1.${minor}; from 1.${kubectlMinor} on it will do`,
    );
  }
}

async function currentContext(kubectl: Kubectl, signal: AbortSignal): Promise<string> {
  const answer = await kubectl.run({ args: ["config", "current-context"], timeoutMs: askTimeoutMs }, signal);
  if (answer.exitCode === 0) return answer.stdout.trim();
  throw new CommandFailure(
    exitCodes.badInput,
    `${kubectlFailure(answer)}\nName the monitoring cluster's with --context.`,
  );
}

/** Two names of one cluster: what is applied to one would replace the other's. */
function sameClusters(
  clusters: readonly (string | undefined)[],
  reached: ReadonlyMap<string | undefined, ReachedContext>,
): readonly string[] {
  const there = clusters.filter((cluster) => reached.has(cluster));
  const groups = Map.groupBy(there, (cluster) => reached.get(cluster)?.clusterUid);
  return [...groups.values()]
    .filter((names) => names.length > 1)
    .map((names) => `${names.map((name) => name ?? "the monitoring cluster").join(", ")}: one and the same cluster`);
}
