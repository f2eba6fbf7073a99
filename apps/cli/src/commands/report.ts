/** `pleiad report [file] -o folder`: the plan, its findings, load, growth and cost as Markdown with charts. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lintFleet } from "@pleiad/findings";
import { costOf, growthOf, reportOf } from "@pleiad/forecast";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { loadFleet, planOf } from "../fleet-input.ts";
import { loadMeasured } from "../measured-file.ts";
import type { Command } from "commander";
import { readClustersPerMonth, readCounts } from "../command-options.ts";

interface ReportCommandOptions {
  readonly output: string;
  readonly clusters: readonly number[] | undefined; // sizes that growth is planned for
  readonly rate: number | undefined;
  readonly measured?: string;
}

export function addReportCommand(program: Command): void {
  program
    .command("report")
    .description("write the plan, its findings, load, growth and cost as Markdown with charts")
    .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
    .requiredOption("-o, --output <folder>", "that the files are written to")
    .option(
      "--clusters <count,...>",
      "sizes that growth is planned for; default: half as many more, twice, three times",
      readCounts,
    )
    .option(
      "--rate <count/month>",
      "new clusters, such as 5/month; default: growth.clusters of the file",
      readClustersPerMonth,
    )
    .option("--measured <file>", "measured values in place of the capacity model's, YAML or JSON")
    .action((file: string | undefined, options: ReportCommandOptions) => reportCommand(file, options));
}

function reportCommand(file: string | undefined, options: ReportCommandOptions): void {
  const { output, clusters, rate } = options;
  const fleet = loadFleet(file);
  const measured = loadMeasured(options.measured);
  const plan = planOf(fleet, { measured });
  const now = fleet.clusters.length;
  const sizes = (clusters ?? [now * 1.5, now * 2, now * 3].map(Math.ceil)).filter((size) => size > now);
  const growth = growthOf(fleet, plan, { sizes, clustersPerMonth: rate, measured });
  const findings = lintFleet({ fleet, plan, measured });
  const files = reportOf({ fleet, plan, findings, cost: costOf(fleet, measured), growth, measured });
  try {
    mkdirSync(output, { recursive: true });
    for (const { name, text } of files) writeFileSync(join(output, name), text);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandFailure(exitCodes.failed, `${output}: cannot be written (${code ?? "unknown"})`);
  }
  process.stdout.write(`${files.map(({ name }) => join(output, name)).join("\n")}\n`);
}
