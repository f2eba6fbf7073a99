/** Waits until a cluster says that what was applied to it runs, and no longer than it was told to. */
import type { Clock } from "@pleiad/ports";
import { isWaitedFor, objectKey, objectTitle, readinessOf, type KubernetesObject } from "@pleiad/manifests";
import { namedObjects } from "./cluster-contents.ts";
import type { ReachedCluster } from "./kubectl-apply.ts";

export type ReadyEnd =
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly why: string } // what was waited for, and what each lacked
  | { readonly kind: "stopped" }; // by the signal

export interface ReadyOptions {
  readonly readyTimeoutMs: number;
  readonly pollMs: number;
}

export async function untilReady(
  cluster: ReachedCluster,
  objects: readonly KubernetesObject[],
  { readyTimeoutMs, pollMs }: ReadyOptions,
  { clock }: { readonly clock: Clock },
  signal: AbortSignal,
): Promise<ReadyEnd> {
  const untilMs = clock.monotonicMs() + readyTimeoutMs;
  let waited = objects.filter(isWaitedFor);
  while (waited.length > 0) {
    const states = await statesOf(cluster, waited, signal);
    if (signal.aborted) return { kind: "stopped" };
    const failed = states.filter(({ state }) => state === "failed");
    if (failed.length > 0) return { kind: "failed", why: failed.map(lineOf).join("\n") };
    const pending = states.filter(({ state }) => state !== "ready");
    if (pending.length === 0) break;
    if (clock.monotonicMs() >= untilMs) return { kind: "failed", why: timeoutText(pending, readyTimeoutMs) };
    waited = pending.map(({ object }) => object);
    try {
      await clock.sleep(pollMs, signal);
    } catch {
      return { kind: "stopped" };
    }
  }
  return { kind: "ready" };
}

interface ObjectState {
  readonly object: KubernetesObject;
  readonly state: "ready" | "waiting" | "failed";
  readonly why: string;
}

/** An API server that does not answer for a moment is waited for as well. */
async function statesOf(
  cluster: ReachedCluster,
  objects: readonly KubernetesObject[],
  signal: AbortSignal,
): Promise<readonly ObjectState[]> {
  const live = await namedObjects(cluster, objects, signal);
  if (!live.ok) {
    return objects.map((object) => ({ object, state: "waiting", why: `kubectl cannot tell: ${live.failure}` }));
  }
  const found = new Map(live.value.map((one) => [objectKey(one as KubernetesObject), one]));
  return objects.map((object): ObjectState => {
    const one = found.get(objectKey(object));
    if (one === undefined) return { object, state: "waiting", why: "it is not there" };
    const readiness = readinessOf(one);
    return { object, state: readiness.state, why: readiness.state === "ready" ? "" : readiness.why };
  });
}

function lineOf({ object, why }: ObjectState): string {
  return `${objectTitle(object)}: ${why}`;
}

function timeoutText(pending: readonly ObjectState[], readyTimeoutMs: number): string {
  return [`not ready after ${readyTimeoutMs / 1000} s:`, ...pending.map(lineOf)].join("\n  ");
}
