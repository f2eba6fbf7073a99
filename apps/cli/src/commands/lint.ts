/** `pleiad lint [file]`: what is wrong or risky in a fleet that can be planned, and what to write instead. */
import { readFileSync, writeFileSync } from "node:fs";
import {
  countFindings,
  findingsFrom,
  findingsToJson,
  findingsToSarif,
  fixFleet,
  isAtLeast,
  lintFleet,
  severities,
  type Finding,
  type Severity,
} from "@pleiad/findings";
import type { Measured } from "@pleiad/capacity";
import { formatFleetFailure } from "@pleiad/fleet";
import { unreachable } from "@pleiad/model";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { loadFleet, planOf, resolveFleetFile } from "../fleet-input.ts";
import { loadMeasured } from "../measured-file.ts";
import { linesOf } from "../text-lines.ts";
import { Option, type Command } from "commander";
import { pleiadVersion } from "../command-options.ts";

interface LintCommandOptions {
  readonly severity: Severity; // the least that is shown
  readonly failOn: Severity | "none"; // the least that ends the command with exit code 3
  readonly format: "text" | "json" | "sarif";
  readonly fix: boolean;
  readonly measured?: string; // file of values in place of the capacity model's own
  readonly version: string;
}

export function addLintCommand(program: Command): void {
  const severityOption = (flag: string, description: string) =>
    new Option(`${flag} <severity>`, description).choices([...severities]);

  program
    .command("lint")
    .description("say what is wrong or risky in a fleet file that can be planned")
    .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
    .addOption(severityOption("--severity", "the least that is shown").default("low"))
    .addOption(
      new Option("--fail-on <severity>", "the least that ends with exit code 3")
        .choices([...severities, "none"])
        .default("high"),
    )
    .addOption(new Option("--format <format>", "of the output").choices(["text", "json", "sarif"]).default("text"))
    .option("--json", "the same as --format json", false)
    .option("--fix", "write the corrected file in place of the old one", false)
    .option("--measured <file>", "measured values in place of the capacity model's, YAML or JSON")
    .action((file: string | undefined, options: Omit<LintCommandOptions, "version"> & { json: boolean }) =>
      lintCommand(file, { ...options, format: options.json ? "json" : options.format, version: pleiadVersion }),
    );
}

function lintCommand(file: string | undefined, options: LintCommandOptions): void {
  const findings = findingsFrom(
    options.fix ? fixFile(file) : findingsOf(file, loadMeasured(options.measured)),
    options.severity,
  );
  process.stdout.write(formatFindings(findings, options));
  const { failOn } = options;
  if (
    failOn !== "none" &&
    findings.some(({ severity, accepted }) => accepted === undefined && isAtLeast(severity, failOn))
  ) {
    process.exitCode = exitCodes.findings;
  }
}

function findingsOf(file: string | undefined, measured: Measured): readonly Finding[] {
  const fleet = loadFleet(file);
  return lintFleet({ fleet, plan: planOf(fleet, { measured }), measured });
}

/** Writes the corrected file in place of the old one, and gives what is left to people. */
function fixFile(file: string | undefined): readonly Finding[] {
  planOf(loadFleet(file)); // a file that is wrong in itself is told of as everywhere
  const { path, shown } = resolveFleetFile(file);
  const text = readFileSync(path, "utf8");
  const fixed = fixFleet(text, shown);
  if (!fixed.ok) {
    const { failure } = fixed;
    if (failure.kind === "invalid-fleet") throw new Error(formatFleetFailure(failure));
    throw new CommandFailure(
      exitCodes.failed,
      `${shown}: not changed, for the corrected file would have no plan. It would say:\n${formatFleetFailure(failure.failure)}`,
    );
  }
  if (fixed.value.text !== text) writeFileSync(path, fixed.value.text);
  const count = fixed.value.fixed.length;
  process.stderr.write(
    count === 0
      ? `${shown}: nothing to correct\n`
      : `${shown}: ${count} ${count === 1 ? "finding" : "findings"} corrected\n`,
  );
  return fixed.value.left;
}

function formatFindings(findings: readonly Finding[], { format, version }: LintCommandOptions): string {
  switch (format) {
    case "json":
      return findingsToJson(findings);
    case "sarif":
      return findingsToSarif(findings, version);
    case "text":
      return `${inOrder(findings).map(findingText).join("")}${summaryOf(findings)}\n`;
    default:
      return unreachable(format);
  }
}

const width = 80;

/** What was accepted comes last. */
function inOrder(findings: readonly Finding[]): readonly Finding[] {
  const isOpen = ({ accepted }: Finding) => accepted === undefined;
  return [...findings.filter(isOpen), ...findings.filter((one) => !isOpen(one))];
}

/** A line that editors and CI can jump to, and below it what is there and what to write, or why it stays. */
function findingText({ severity, code, file, line, column, found, instead, page, accepted }: Finding): string {
  const head = `${severity.padEnd(6)}  ${file}:${line}:${column}  ${code}`;
  const rest = accepted === undefined ? hanging("instead: ", instead) : hanging("accepted: ", accepted);
  const body = [...linesOf(found, width - 8), ...rest, page].map((text) => `        ${text}`);
  return `${[head, ...body].join("\n")}\n\n`;
}

function hanging(label: string, text: string): readonly string[] {
  return linesOf(text, width - 8 - label.length).map(
    (line, i) => `${i === 0 ? label : " ".repeat(label.length)}${line}`,
  );
}

function summaryOf(findings: readonly Finding[]): string {
  const counts = countFindings(findings);
  const parts = severities
    .filter((severity) => counts[severity] > 0)
    .map((severity) => `${counts[severity]} ${severity}`);
  const open = severities.reduce((sum, severity) => sum + counts[severity], 0);
  const accepted = findings.length - open;
  const tail = accepted === 0 ? "" : `, ${accepted} accepted`;
  if (parts.length === 0) return `no findings${tail}`;
  return `${open} ${open === 1 ? "finding" : "findings"}: ${parts.join(", ")}${tail}`;
}
