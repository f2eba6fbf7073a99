/**
 * A finding: something in a fleet file that reads and plans, and yet is wrong or risky. Pure data.
 *
 * Codes are names in kebab-case, as those of ESLint and kube-linter are: a line of a CI log then says what it is about
 * without a table, and no number has to be given out, reserved or kept in order. A code is never given a second meaning.
 */
import type { FleetEdit } from "@pleiad/fleet";

/** From worst: data loss or no start; wrong answers, outages, open doors; avoidable trouble; untidiness. */
export const severities = ["fatal", "high", "medium", "low"] as const;
export type Severity = (typeof severities)[number];

export interface Finding {
  readonly code: string;
  readonly severity: Severity;
  readonly file: string;
  readonly line: number; // from 1
  readonly column: number; // from 1, in UTF-16 units as editors count
  readonly length: number; // characters from there on that the finding is about, at least 1
  readonly path: string; // `regions.a1.on`
  readonly found: string; // what is there and what comes of it, one sentence without a full stop
  readonly why: string;
  readonly instead: string; // what to write
  readonly page: string; // `docs/findings/<code>.md`
  readonly edits: readonly FleetEdit[]; // what `--fix` writes; empty where only people can decide
  readonly accepted?: string; // why the file lives with it: it is listed, and fails nothing
}

/** Whether `severity` is as bad as `least`, or worse. */
export function isAtLeast(severity: Severity, least: Severity): boolean {
  return severities.indexOf(severity) <= severities.indexOf(least);
}

export function pageOf(code: string): string {
  return `docs/findings/${code}.md`;
}
