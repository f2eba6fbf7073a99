/** `pleiad report [file] -o folder`: the plan, its findings, load, growth and cost as Markdown with charts. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lintFleet } from "@pleiad/findings";
import { costOf, growthOf, reportOf } from "@pleiad/forecast";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { loadFleet, planOf } from "../fleet-input.ts";

export interface ReportCommandOptions {
  readonly output: string;
  readonly clusters: readonly number[] | undefined; // sizes that growth is planned for
  readonly rate: number | undefined;
}

export function reportCommand(file: string | undefined, { output, clusters, rate }: ReportCommandOptions): void {
  const fleet = loadFleet(file);
  const plan = planOf(fleet);
  const now = fleet.clusters.length;
  const sizes = (clusters ?? [now * 1.5, now * 2, now * 3].map(Math.ceil)).filter((size) => size > now);
  const growth = growthOf(fleet, plan, { sizes, clustersPerMonth: rate });
  const files = reportOf({ fleet, plan, findings: lintFleet({ fleet, plan }), cost: costOf(fleet), growth });
  try {
    mkdirSync(output, { recursive: true });
    for (const { name, text } of files) writeFileSync(join(output, name), text);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandFailure(exitCodes.failed, `${output}: cannot be written (${code ?? "unknown"})`);
  }
  process.stdout.write(`${files.map(({ name }) => join(output, name)).join("\n")}\n`);
}
