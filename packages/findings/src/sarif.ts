/** Findings as SARIF 2.1.0, which code hosts show at the lines they are about. */
import { pageOf, severities, type Finding, type Severity } from "./finding.ts";
import { findingRules } from "./registry.ts";

const levels: Readonly<Record<Severity, "error" | "warning" | "note">> = {
  fatal: "error",
  high: "error",
  medium: "warning",
  low: "note",
};
/** What GitHub orders alerts by. */
const securitySeverities: Readonly<Record<Severity, string>> = { fatal: "9.5", high: "8.0", medium: "5.0", low: "2.0" };

/** One run with all rules. Keys are in a fixed order: equal findings give equal texts. */
export function findingsToSarif(findings: readonly Finding[], version: string): string {
  const rules = findingRules.map(({ code, severity, title, why }) => ({
    id: code,
    shortDescription: { text: title },
    fullDescription: { text: why },
    help: { text: `${why} See ${pageOf(code)}.` },
    defaultConfiguration: { level: levels[severity] },
    properties: { "security-severity": securitySeverities[severity] },
  }));
  const results = findings.map(({ code, severity, file, line, column, length, found, instead, accepted }) => ({
    ruleId: code,
    level: levels[severity],
    message: { text: `${found}. Write instead: ${instead}` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: file },
          region: { startLine: line, startColumn: column, endColumn: column + length },
        },
      },
    ],
    ...(accepted === undefined ? {} : { suppressions: [{ kind: "inSource", justification: accepted }] }),
  }));
  const run = { tool: { driver: { name: "pleiad lint", version, rules } }, results };
  const log = { $schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs: [run] };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

/** Findings as data, with a count of those of each severity that nobody has accepted. */
export function findingsToJson(findings: readonly Finding[]): string {
  const counts = Object.fromEntries(
    severities.map((severity) => [
      severity,
      findings.filter((one) => one.severity === severity && one.accepted === undefined).length,
    ]),
  );
  return `${JSON.stringify({ counts, findings }, undefined, 2)}\n`;
}
