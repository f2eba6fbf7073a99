/**
 * Applies the steps of a deployment wave by wave: a wave begins when all of the one before is ready, and nothing begins
 * after a failure.
 */
import type { Clock } from "@pleiad/ports";
import { applyWaves, type ApplyStep, type KubernetesObject } from "@pleiad/manifests";
import { contentHash, keysOf, type AppliedFolder, type AppliedJournal } from "./applied-journal.ts";
import { missingSecrets, namespacesOf } from "./cluster-contents.ts";
import type { Kubectl } from "./kubectl.ts";
import { apply, type ApplyFlags } from "./kubectl-apply.ts";
import { untilReady } from "./until-ready.ts";
import { workAtOnce } from "./work-at-once.ts";

export interface ApplyTarget {
  readonly step: ApplyStep;
  readonly context: string;
  readonly clusterUid: string;
  readonly secretText: string | undefined; // Secrets of `pleiad certs`, as YAML
}

export interface ApplyRunOptions extends ApplyFlags {
  readonly parallel: number; // app clusters at once
  readonly readyTimeoutMs: number; // of one step
  readonly pollMs: number;
  readonly resumeFrom: AppliedJournal; // steps that it has as they are now are left out
}

export interface ApplyWorld {
  readonly kubectl: Kubectl;
  readonly clock: Clock;
  readonly tell: (line: string) => void;
  /** Called when a step begins, with the hash of nothing, and again when it is applied and ready. */
  readonly remember: (folder: string, applied: AppliedFolder) => void;
}

export type StepEnd =
  | { readonly kind: "applied" } // and ready
  | { readonly kind: "unchanged" } // since the run that is resumed
  | { readonly kind: "not-waited-for" } // applied when another failed
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "stopped" } // by whoever runs it, in the middle
  | { readonly kind: "not-begun" };

/** How every step ended, in their order. */
export interface ApplyReport {
  readonly ends: readonly { readonly target: ApplyTarget; readonly end: StepEnd }[];
}

export async function runApply(
  targets: readonly ApplyTarget[],
  options: ApplyRunOptions,
  world: ApplyWorld,
  signal: AbortSignal,
): Promise<ApplyReport> {
  const ends = new Map<ApplyTarget, StepEnd>();
  const failed = new AbortController(); // ends the waiting of others, not what they apply
  for (const wave of applyWaves) {
    // The folders of one cluster one after the other: a fault shows in the first region and not in all.
    const atOnceMax = wave === "app-clusters" ? options.parallel : 1;
    const own = targets.filter(({ step }) => step.wave === wave);
    await workAtOnce(own, atOnceMax, async (target) => {
      if (signal.aborted || failed.signal.aborted) return;
      const end = await stepEnd(target, options, world, { stop: signal, failed: failed.signal });
      ends.set(target, end);
      if (end.kind === "failed") failed.abort();
      world.tell(lineOf(target, end, options.isDryRun));
    });
    if (signal.aborted || failed.signal.aborted) break;
  }
  return { ends: targets.map((target) => ({ target, end: ends.get(target) ?? { kind: "not-begun" } })) };
}

interface Signals {
  readonly stop: AbortSignal;
  readonly failed: AbortSignal;
}

async function stepEnd(
  target: ApplyTarget,
  options: ApplyRunOptions,
  world: ApplyWorld,
  signals: Signals,
): Promise<StepEnd> {
  const { step, clusterUid, context, secretText } = target;
  const hash = contentHash(step, secretText);
  const before = options.resumeFrom.get(step.folder);
  if (before?.hash === hash && before.clusterUid === clusterUid) return { kind: "unchanged" };
  if (options.isDryRun) return await dryRun(target, options, world, signals);
  const applied = { clusterUid, context, objects: keysOf(step) };
  // Were it cut short, what is there would be neither the old nor the new.
  world.remember(step.folder, { ...applied, hash: "" });
  const end = await applyStep(target, options, world, signals);
  if (end.kind === "applied") world.remember(step.folder, { ...applied, hash });
  return end;
}

async function applyStep(
  target: ApplyTarget,
  options: ApplyRunOptions,
  world: ApplyWorld,
  { stop, failed }: Signals,
): Promise<StepEnd> {
  const { step, context, secretText } = target;
  const cluster = { kubectl: world.kubectl, context };
  const fail = (why: string): StepEnd => (stop.aborted ? { kind: "stopped" } : { kind: "failed", why });
  const applyAll = async (objects: readonly KubernetesObject[]) => await apply(cluster, { objects }, options, stop);
  const ready = async (objects: readonly KubernetesObject[]) =>
    await untilReady(cluster, objects, options, world, AbortSignal.any([stop, failed]));

  let why = await applyAll(step.foundation);
  if (why !== undefined) return fail(why);
  const stood = await ready(step.foundation);
  if (stood.kind === "failed") return fail(stood.why);
  if (secretText !== undefined) why = await apply(cluster, { secretText }, options, stop);
  if (why !== undefined) return fail(why);
  const missing = await missingSecrets(cluster, step.secrets, stop);
  if (!missing.ok) return fail(missing.failure);
  if (missing.value.length > 0) {
    return fail(["Secrets that must be there first are not:", ...missing.value].join("\n  "));
  }
  why = await applyAll(step.objects);
  if (why !== undefined) return fail(why);
  const end = await ready(step.objects);
  if (end.kind === "failed") return fail(end.why);
  if (end.kind === "ready") return { kind: "applied" };
  return { kind: stop.aborted ? "stopped" : "not-waited-for" };
}

/** What the API server would say; of objects whose namespace is not there yet it can say nothing. */
async function dryRun(
  { step, context, secretText }: ApplyTarget,
  options: ApplyRunOptions,
  { kubectl, tell }: ApplyWorld,
  { stop }: Signals,
): Promise<StepEnd> {
  const cluster = { kubectl, context };
  const fail = (why: string): StepEnd => (stop.aborted ? { kind: "stopped" } : { kind: "failed", why });
  const namespaces = await namespacesOf(cluster, stop);
  if (!namespaces.ok) return fail(namespaces.failure);
  const isThere = ({ metadata }: KubernetesObject) =>
    metadata?.namespace === undefined || namespaces.value.has(metadata.namespace);
  const objects = [...step.foundation, ...step.objects.filter(isThere)];
  let why = await apply(cluster, { objects }, options, stop);
  if (why !== undefined) return fail(why);
  const untold = step.objects.filter((object) => !isThere(object)).length;
  if (untold > 0) tell(`${step.folder}: ${untold} objects not asked about, as their namespace is not there yet`);
  else if (secretText !== undefined) why = await apply(cluster, { secretText }, options, stop);
  if (why !== undefined) return fail(why);
  const missing = await missingSecrets(
    cluster,
    secretText === undefined ? step.secrets : step.secrets.filter(({ filledBy }) => filledBy === "you"),
    stop,
  );
  if (!missing.ok) return fail(missing.failure);
  for (const line of missing.value) tell(`${step.folder}: must be there first: ${line}`);
  return { kind: "applied" };
}

function lineOf({ step, context }: ApplyTarget, end: StepEnd, isDryRun: boolean): string {
  const count = step.foundation.length + step.objects.length;
  const place = `${step.folder} (${context})`;
  switch (end.kind) {
    case "applied":
      return `${place}: ${count} objects ${isDryRun ? "would be applied" : "applied, ready"}`;
    case "unchanged":
      return `${place}: as it was applied before`;
    case "not-waited-for":
      return `${place}: ${count} objects applied, not waited for`;
    case "failed":
      return `${place}: failed`;
    case "stopped":
      return `${place}: stopped`;
    case "not-begun":
      return `${place}: not begun`;
    default:
      return end satisfies never;
  }
}
