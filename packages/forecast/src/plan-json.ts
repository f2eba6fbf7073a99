/** A plan that was written as JSON, read back as far as a comparison needs it. */
import * as z from "zod";
import { fail, ok, type Result } from "@pleiad/model";
import type { ComparedPlan } from "./plan-diff.ts";

const name = z.string().max(300);
const amount = z.number();
const kind = z.enum([
  "global-querier",
  "super-regional-querier",
  "regional-querier",
  "query-frontend",
  "store-gateway",
  "receiver",
  "compactor",
  "ruler",
  "alertmanager",
  "grafana",
  "object-store",
  "object-store-console",
  "monitoring-agent",
]);

/** Keys that later releases add are let through: a comparison does not look at them. */
const planSchema = z.looseObject({
  version: z.literal(1),
  replicaLabels: z.array(name),
  nodes: z.array(z.looseObject({ name, tier: z.literal([1, 2, 3]), cpuMillicores: amount, memoryBytes: amount })),
  roles: z.array(
    z.looseObject({ id: name, kind, region: name.optional(), node: name, cpuMillicores: amount, memoryBytes: amount }),
  ),
  regions: z.array(z.looseObject({ name, clusters: z.array(name) })),
  clusters: z.array(
    z.looseObject({
      name,
      region: name,
      externalLabels: z.record(z.string(), z.string()),
      scrapeIntervalMs: amount,
      retentionMs: amount,
      // Plans of earlier releases have no say in these.
      prometheusReplicas: amount.default(1),
      ingest: z.enum(["pull", "push"]).default("pull"),
    }),
  ),
  edges: z.array(z.looseObject({ from: name, to: name })),
});

export interface PlanJsonFailure {
  readonly kind: "no-plan";
  readonly reason: string;
}

/** Reads what `pleiad plan --json` wrote. The failure says what is wrong with the text, in words. */
export function readPlanJson(text: string): Result<ComparedPlan, PlanJsonFailure> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fail({ kind: "no-plan", reason: "it is no JSON" });
  }
  const plan = planSchema.safeParse(value);
  if (!plan.success) {
    const [issue] = plan.error.issues;
    const path = issue?.path.join(".") ?? "";
    return fail({ kind: "no-plan", reason: `${path === "" ? "the whole" : path}: ${issue?.message ?? "is wrong"}` });
  }
  // What was checked is what a comparison reads; the rest of a plan's type is not looked at.
  const checked: unknown = plan.data;
  return ok(checked as ComparedPlan);
}
