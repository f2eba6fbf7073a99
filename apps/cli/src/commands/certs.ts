/** `pleiad certs [file] -o dir`: keys and certificates for gRPC, for those without cert-manager and for its authority. */
import { join } from "node:path";
import { parseDuration } from "@pleiad/model";
import { deploymentOf } from "@pleiad/manifests";
import { InvalidArgumentError, type Command } from "commander";
import { previousOption } from "../command-options.ts";
import { checkCertificates, updateCertificates, type CertificateReport } from "../certificate-folder.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { loadPlannedFleet } from "../previous-plan.ts";
import { settingsOfFolder } from "../rendered-folder.ts";

interface CertsOptions {
  readonly output: string;
  readonly days: number;
  readonly authorityDays: number;
  readonly renewBefore: number;
  readonly check: boolean;
  readonly previous?: string; // an older plan
}

export function addCertsCommand(program: Command): void {
  program
    .command("certs")
    .description("write keys and certificates for gRPC as Secrets, and renew those near their end")
    .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
    .requiredOption("-o, --output <folder>", "of the rendered files; the Secrets stand in its folder secrets")
    .option("--days <number>", "how long a certificate lasts", readDays, 365)
    .option("--authority-days <number>", "how long an authority lasts", readDays, 3650)
    .option("--renew-before <duration>", "what is left when a certificate is renewed", readDuration, 30 * dayMs)
    .option("--check", "write nothing; exit code 3 where something would be renewed", false)
    .addOption(previousOption)
    .action((file: string | undefined, options: CertsOptions) => certsCommand(file, options));
}

const dayMs = 86_400_000;

function certsCommand(file: string | undefined, options: CertsOptions): void {
  const { output, days, authorityDays, renewBefore, check } = options;
  if (renewBefore >= Math.min(days, authorityDays) * dayMs) {
    throw new CommandFailure(exitCodes.badInput, "--renew-before: a new certificate would be renewed at once");
  }
  const { fleet, plan } = loadPlannedFleet(file, options.previous);
  const deployment = deploymentOf(fleet, plan, settingsOfFolder(output));
  if (!deployment.ok) throw new CommandFailure(exitCodes.badInput, deployment.failure.message);
  const folder = join(output, "secrets");
  const times = { nowMs: Date.now(), days, authorityDays, renewBeforeMs: renewBefore };
  const report = (check ? checkCertificates : updateCertificates)(folder, deployment.value, times);
  process.stdout.write(reportText(folder, report, check));
  if (check && report.renewed.length > 0) process.exitCode = exitCodes.findings;
}

const linesMax = 20;

function reportText(folder: string, { kept, renewed }: CertificateReport, check: boolean): string {
  const lines = renewed.slice(0, linesMax).map(({ secret, why }) => `${secret}: ${why}`);
  const more = renewed.length > linesMax ? [`and ${renewed.length - linesMax} more`] : [];
  const sum = `${folder}: ${kept.length} kept, ${renewed.length} ${check ? "to renew" : "new"}.`;
  const next =
    check || renewed.length === 0
      ? []
      : [
          "",
          `Apply ${folder}/monitoring.yaml to the monitoring cluster, and each file below`,
          `${folder}/app-clusters to its own.`,
        ];
  return `${[...lines, ...more, sum, ...next].join("\n")}\n`;
}

function readDays(text: string): number {
  const days = Number(text);
  if (!Number.isInteger(days) || days < 1 || days > 36_500) throw new InvalidArgumentError("expected days, 1 to 36500");
  return days;
}

function readDuration(text: string): number {
  const span = parseDuration(text);
  if (!span.ok) throw new InvalidArgumentError("expected a duration such as 30d");
  return span.value;
}
