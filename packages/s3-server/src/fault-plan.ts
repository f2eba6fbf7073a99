/** Faults of the server, for tests and drills: which requests fail, and how. */
import { fail, ok, type Result } from "@pleiad/model";
import type { Random } from "@pleiad/ports";
import { isS3ErrorCode, type S3ErrorCode } from "./s3-error.ts";

export type S3Fault =
  /** Waits before anything else; further rules still apply. */
  | { readonly kind: "latency"; readonly minMs: number; readonly maxMs: number }
  /** Answers with an error without having done anything. */
  | { readonly kind: "error"; readonly code: S3ErrorCode }
  /** Closes the connection without an answer, having done what was asked or not. */
  | { readonly kind: "no-answer"; readonly applied: boolean }
  /** Sends a part of the answer's body and closes the connection. */
  | { readonly kind: "truncated-body"; readonly keptRatio: number }
  /** Sends a part of the answer's body, then nothing for the span, then closes the connection. */
  | { readonly kind: "stalled-body"; readonly keptRatio: number; readonly spanMs: number };

export interface S3FaultRule {
  readonly operations?: readonly string[]; // as S3 names them: GetObject, PutObject …; all, if not given
  readonly bucket?: string;
  readonly keyPrefix?: string;
  readonly probability: number; // 0..1, for each request anew
  readonly times?: number; // strikes that often at most
  readonly fault: S3Fault;
}

export interface S3FaultPlan {
  readonly rules: readonly S3FaultRule[]; // tried in order; the first that strikes and is no latency is the one
}

export interface FaultTarget {
  readonly operation: string;
  readonly bucketName: string | undefined;
  readonly key: string | undefined;
}

export interface FaultInjector {
  setPlan(plan: S3FaultPlan): void;
  plan(): S3FaultPlan;
  /** What strikes a request: the time to wait, and then what becomes of it. */
  strike(target: FaultTarget): {
    readonly waitMs: number;
    readonly fault: Exclude<S3Fault, { kind: "latency" }> | undefined;
  };
}

export function createFaultInjector(random: Random): FaultInjector {
  let current: S3FaultPlan = { rules: [] };
  let timesLeft: number[] = [];
  return {
    plan: () => current,
    setPlan: (plan) => {
      current = plan;
      timesLeft = plan.rules.map(({ times }) => times ?? Infinity);
    },
    strike: ({ operation, bucketName, key }) => {
      let waitMs = 0;
      for (const [i, rule] of current.rules.entries()) {
        if (rule.operations?.includes(operation) === false) continue;
        if (rule.bucket !== undefined && rule.bucket !== bucketName) continue;
        if (rule.keyPrefix !== undefined && key?.startsWith(rule.keyPrefix) !== true) continue;
        const left = timesLeft[i] ?? 0;
        if (left <= 0 || random.float() >= rule.probability) continue;
        timesLeft[i] = left - 1;
        if (rule.fault.kind !== "latency") return { waitMs, fault: rule.fault };
        waitMs += rule.fault.minMs + random.float() * (rule.fault.maxMs - rule.fault.minMs);
      }
      return { waitMs, fault: undefined };
    },
  };
}

const rulesMax = 1000;

/** A plan from JSON that somebody sent; the failure says which rule is wrong and why. */
export function parseFaultPlan(value: unknown): Result<S3FaultPlan, string> {
  const rules = recordOf(value)?.["rules"];
  if (!Array.isArray(rules) || rules.length > rulesMax) return fail(`rules must be a list of at most ${rulesMax}`);
  const parsed: S3FaultRule[] = [];
  for (const [i, rule] of rules.entries()) {
    const result = parseRule(recordOf(rule) ?? {});
    if (typeof result === "string") return fail(`rules[${i}]: ${result}`);
    parsed.push(result);
  }
  return ok({ rules: parsed });
}

function parseRule(rule: Readonly<Record<string, unknown>>): S3FaultRule | string {
  const { operations, bucket, keyPrefix, probability, times } = rule;
  if (!isRatio(probability)) return "probability must be 0 to 1";
  if (operations !== undefined && !(Array.isArray(operations) && operations.every((one) => typeof one === "string"))) {
    return "operations must be a list of texts";
  }
  if (bucket !== undefined && typeof bucket !== "string") return "bucket must be a text";
  if (keyPrefix !== undefined && typeof keyPrefix !== "string") return "keyPrefix must be a text";
  if (times !== undefined && !isSpan(times)) return "times must be a number from 0";
  const fault = parseFault(recordOf(rule["fault"]) ?? {});
  if (typeof fault === "string") return `fault: ${fault}`;
  return {
    probability,
    fault,
    ...(operations === undefined ? {} : { operations }),
    ...(bucket === undefined ? {} : { bucket }),
    ...(keyPrefix === undefined ? {} : { keyPrefix }),
    ...(times === undefined ? {} : { times }),
  };
}

function parseFault(fault: Readonly<Record<string, unknown>>): S3Fault | string {
  const { kind, minMs, maxMs, code, applied, keptRatio, spanMs } = fault;
  switch (kind) {
    case "latency":
      return isSpan(minMs) && isSpan(maxMs) && minMs <= maxMs ? { kind, minMs, maxMs } : "minMs and maxMs are spans";
    case "error":
      return typeof code === "string" && isS3ErrorCode(code) ? { kind, code } : "code is not one of this server's";
    case "no-answer":
      return typeof applied === "boolean" ? { kind, applied } : "applied must be true or false";
    case "truncated-body":
      return isRatio(keptRatio) ? { kind, keptRatio } : "keptRatio must be 0 to 1";
    case "stalled-body":
      return isRatio(keptRatio) && isSpan(spanMs) ? { kind, keptRatio, spanMs } : "keptRatio is 0 to 1, spanMs a span";
    default:
      return "kind must be latency, error, no-answer, truncated-body or stalled-body";
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null ? { ...value } : undefined;
}

function isRatio(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 1;
}

function isSpan(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 86_400_000;
}
