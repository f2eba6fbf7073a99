export { isAtLeast, pageOf, severities, type Finding, type Severity } from "./finding.ts";
export type { Fault, FindingRule, LintSubject } from "./finding-rule.ts";
export { fixFleet, type FixedFleet, type FixFailure } from "./fix.ts";
export { countFindings, findingsFrom, lintFleet, type LintedFleet } from "./lint.ts";
export { findingRules } from "./registry.ts";
export { findingsToJson, findingsToSarif } from "./sarif.ts";
