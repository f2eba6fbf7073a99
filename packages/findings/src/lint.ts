/** A fleet and its plan to everything that is wrong or risky in them. Pure: the same fleet gives the same findings. */
import type { Measured } from "@pleiad/capacity";
import { compareText } from "@pleiad/model";
import {
  capacityOf,
  keyPlace,
  pathText,
  valuePlace,
  type Fleet,
  type FleetSource,
  type Path,
  type Place,
} from "@pleiad/fleet";
import { reasonToAccept } from "./acceptance.ts";
import type { FindingRule, LintSubject, Fault } from "./finding-rule.ts";
import { isAtLeast, pageOf, severities, type Finding, type Severity } from "./finding.ts";
import { findingRules } from "./registry.ts";

export interface LintedFleet extends Pick<LintSubject, "fleet" | "plan"> {
  readonly measured?: Measured; // values in place of the capacity model's own
}

/** All findings, accepted ones included, the worst first, then by position, then by code. */
export function lintFleet({ fleet, plan, measured }: LintedFleet): readonly Finding[] {
  const findings: Finding[] = [];
  const subject: LintSubject = { fleet, plan, capacity: capacityOf(fleet, measured), found: findings };
  for (const rule of findingRules) findings.push(...rule.find(subject).map((fault) => locate(rule, fault, fleet)));
  return findings.sort(
    (a, b) =>
      severities.indexOf(a.severity) - severities.indexOf(b.severity) ||
      a.line - b.line ||
      a.column - b.column ||
      compareText(a.code, b.code) ||
      compareText(a.path, b.path),
  );
}

/** How many findings there are of each severity that nobody has accepted. */
export function countFindings(findings: readonly Finding[]): Readonly<Record<Severity, number>> {
  const counts = { fatal: 0, high: 0, medium: 0, low: 0 };
  for (const { severity, accepted } of findings) if (accepted === undefined) counts[severity]++;
  return counts;
}

export function findingsFrom(findings: readonly Finding[], least: Severity): readonly Finding[] {
  return findings.filter(({ severity }) => isAtLeast(severity, least));
}

function locate({ code, severity, why }: FindingRule, fault: Fault, { source, accepted }: Fleet): Finding {
  const { line, column, length } = placeOf(source, fault.path);
  const path = pathText(fault.path);
  const reason = reasonToAccept(accepted, { code, path });
  return {
    code,
    severity: fault.severity ?? severity,
    file: source.fileName,
    line,
    column,
    length,
    path,
    found: fault.found,
    why,
    instead: fault.instead,
    page: pageOf(code),
    edits: fault.edits ?? [],
    ...(reason === undefined ? {} : { accepted: reason }),
  };
}

/** A value of one line is marked itself; of a mapping or list over several, its key. */
function placeOf(source: FleetSource, path: Path): Place {
  const value = valuePlace(source, path);
  const key = keyPlace(source, path);
  return value.line === key.line && value.length > 1 ? value : key;
}
