import { describe, expect, it } from "vitest";
import { isWaitedFor, objectTitle, readinessOf, type LiveObject } from "./readiness.ts";

const object = (kind: string, status: LiveObject["status"], spec: LiveObject["spec"] = {}): LiveObject => ({
  apiVersion: "v1",
  kind,
  metadata: { name: "a", namespace: "b", generation: 2 },
  spec,
  ...(status === undefined ? {} : { status }),
});
const condition = (type: string, status: string, more = {}) => ({ conditions: [{ type, status, ...more }] });
const two = { replicas: 2 };
const whole = { observedGeneration: 2, replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 };

const cases: readonly [rule: string, live: LiveObject, told: string][] = [
  [
    "an old generation tells nothing",
    object("Deployment", { ...whole, observedGeneration: 1 }, two),
    "waiting: its controller has not seen it yet",
  ],
  ["all updated, none old, all available", object("Deployment", whole, two), "ready"],
  [
    "a replica is not updated",
    object("Deployment", { ...whole, updatedReplicas: 1 }, two),
    "waiting: 1 of 2 replicas are updated",
  ],
  [
    "an old replica is left",
    object("Deployment", { ...whole, replicas: 3 }, two),
    "waiting: 1 old replicas have not ended",
  ],
  [
    "a replica is not available",
    object("Deployment", { ...whole, availableReplicas: 1 }, two),
    "waiting: 1 of 2 replicas are available",
  ],
  [
    "numbers that are 0 are left out",
    object("Deployment", { observedGeneration: 2 }, two),
    "waiting: 0 of 2 replicas are updated",
  ],
  ["none are wanted", object("Deployment", { observedGeneration: 2 }, { replicas: 0 }), "ready"],
  [
    "its time is over",
    object(
      "Deployment",
      { ...whole, ...condition("Progressing", "False", { reason: "ProgressDeadlineExceeded", message: "m" }) },
      two,
    ),
    "failed: m",
  ],
  ["revisions are one", object("StatefulSet", { ...whole, currentRevision: "x", updateRevision: "x" }, two), "ready"],
  [
    "a replica is not ready",
    object("StatefulSet", { ...whole, readyReplicas: 1 }, two),
    "waiting: 1 of 2 replicas are ready",
  ],
  [
    "a replica is of the old revision",
    object("StatefulSet", { ...whole, updatedReplicas: 1, currentRevision: "x", updateRevision: "y" }, two),
    "waiting: 1 of 2 replicas are updated",
  ],
  [
    "old replicas stay until deleted",
    object(
      "StatefulSet",
      { ...whole, currentRevision: "x", updateRevision: "y" },
      { ...two, updateStrategy: { type: "OnDelete" } },
    ),
    "ready",
  ],
  ["a Job has completed", object("Job", condition("Complete", "True")), "ready"],
  [
    "a Job has failed",
    object("Job", condition("Failed", "True", { reason: "BackoffLimitExceeded" })),
    "failed: BackoffLimitExceeded",
  ],
  ["a Job runs", object("Job", { conditions: [] }), "waiting: it has not completed"],
  ["a namespace is active", object("Namespace", { phase: "Active" }), "ready"],
  ["a namespace is on its way out", object("Namespace", { phase: "Terminating" }), "waiting: phase Terminating"],
  ["a definition is served", object("CustomResourceDefinition", condition("Established", "True")), "ready"],
  [
    "no operator has seen it",
    object("Prometheus", undefined),
    "waiting: no condition Reconciled: nobody looks after it yet",
  ],
  [
    "an operator cannot follow",
    object("Prometheus", condition("Reconciled", "False", { reason: "ReconciliationFailed", message: "no volume" })),
    "waiting: not Reconciled: ReconciliationFailed: no volume",
  ],
  [
    "what it tells is of an older one",
    object("Certificate", condition("Ready", "True", { observedGeneration: 1 })),
    "waiting: Ready is told of an older one",
  ],
  ["a certificate is there", object("Certificate", condition("Ready", "True", { observedGeneration: 2 })), "ready"],
];

describe("readiness", () => {
  for (const [rule, live, told] of cases) {
    it(`${live.kind}: ${rule}`, () => {
      const readiness = readinessOf(live);
      expect(readiness.state === "ready" ? "ready" : `${readiness.state}: ${readiness.why}`).toBe(told);
    });
  }
  it("is not waited for where an object works at once", () => {
    expect(
      ["ConfigMap", "Service", "NetworkPolicy", "PrometheusRule"].filter((kind) => isWaitedFor({ kind } as never)),
    ).toEqual([]);
    for (const [, live] of cases) expect(isWaitedFor(live as never), live.kind).toBe(true);
  });
  it("names objects as kubectl does", () =>
    expect(objectTitle(object("Deployment", {}) as never)).toBe("deployment b/a"));
});
