/** A rule: what it looks for in a fleet and its plan, and why that matters. */
import type { CapacityModel } from "@pleiad/capacity";
import type { Fleet, FleetEdit, FleetValue, Path, Plan } from "@pleiad/fleet";
import type { Finding, Severity } from "./finding.ts";

export interface LintSubject {
  readonly fleet: Fleet;
  readonly plan: Plan;
  readonly capacity: CapacityModel;
  readonly found: readonly Pick<Finding, "code" | "path">[]; // by the rules before this one
}

/** What a rule found, before it has a line and a column. */
export interface Fault {
  readonly path: Path; // of the value that is at fault, or of what it is missing from
  readonly found: string;
  readonly instead: string;
  readonly severity?: Severity; // where it is not the rule's own
  readonly edits?: readonly FleetEdit[];
}

export interface FindingRule {
  readonly code: string;
  readonly severity: Severity; // of most of its findings
  readonly title: string; // what is wrong, one sentence
  readonly why: string; // what comes of it, one or two sentences
  readonly find: (subject: LintSubject) => readonly Fault[];
}

export function set(path: Path, value: FleetValue): FleetEdit {
  return { kind: "set", path, value };
}

export function remove(path: Path): FleetEdit {
  return { kind: "remove", path };
}
