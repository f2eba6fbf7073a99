/** `pleiad explain [figure] [fleet]`: what the capacity model says, and what it rests on. */
import {
  defaultExplanation,
  definitions,
  explainFigure,
  figureNames,
  figureToData,
  formatAmount,
  scopesAt,
  type CapacityModel,
  type Definition,
  type Figure,
} from "@pleiad/capacity";
import { capacityOf } from "@pleiad/fleet";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { loadFleet } from "../fleet-input.ts";
import { loadMeasured } from "../measured-file.ts";
import { foldLines } from "../text-lines.ts";
import { formatTable } from "../table.ts";
import type { Command } from "commander";

interface ExplainCommandOptions {
  readonly json: boolean;
  readonly measured?: string;
  readonly scope?: string; // a region, or `group-a in a1`
  readonly depth?: number;
}

export function addExplainCommand(program: Command): void {
  program
    .command("explain")
    .description("show what the capacity model says of a fleet, and what that rests on")
    .argument("[figure]", "such as store-gateway.memory, or a role; default: list them all")
    .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
    .option("--measured <file>", "measured values in place of the model's, YAML or JSON")
    .option("--scope <name>", "only of this region, or of these clusters")
    .option("--depth <number>", "how far down inputs are explained", Number)
    .option("--json", "print it as data", false)
    .action((figure: string | undefined, file: string | undefined, options: ExplainCommandOptions) =>
      explainCommand(figure, file, options),
    );
}

/** Explains a figure; a role such as `compactor` lists its figures, nothing lists all of them. */
export function explainCommand(asked: string | undefined, file: string | undefined, options: ExplainCommandOptions) {
  const model = capacityOf(loadFleet(file), loadMeasured(options.measured));
  const names = asked === undefined ? [] : figureNames(asked);
  const listed = names.length > 0 ? [] : definitionsOf(asked);
  if (names.length === 0 && listed.length === 0) {
    throw new CommandFailure(
      exitCodes.badInput,
      `the capacity model has no figure and no role ${asked ?? ""}; pleiad explain lists them`,
    );
  }
  const figures = (names.length > 0 ? names : listed.map(({ name }) => name)).flatMap((name) =>
    figuresOf(model, name, options.scope),
  );
  if (figures.length === 0) {
    throw new CommandFailure(
      exitCodes.badInput,
      `there is nothing of ${asked ?? "it"} in ${options.scope ?? "the fleet"}`,
    );
  }
  const depth = options.depth ?? defaultExplanation.depth;
  if (options.json) {
    const data = figures.map((figure) => figureToData(figure, names.length > 0 ? depth : 0));
    process.stdout.write(`${JSON.stringify(data, undefined, 2)}\n`);
    return;
  }
  // A pipe has no width: a script finds every figure on one line.
  const width = process.stdout.columns ?? Number.POSITIVE_INFINITY;
  process.stdout.write(names.length > 0 ? foldLines(explanations(figures, depth), width) : listing(figures));
}

function definitionsOf(role: string | undefined): readonly Definition[] {
  return [...definitions.values()].filter(
    ({ name, kind }) => kind === "figure" && (role === undefined || name.startsWith(`${role}.`)),
  );
}

function figuresOf(model: CapacityModel, name: string, scope: string | undefined): readonly Figure[] {
  const level = definitions.get(name)?.level ?? "fleet";
  return scopesAt(model, level)
    .filter((one) => scope === undefined || one.name === scope || one.name.endsWith(` in ${scope}`))
    .map((one) => one.figure(name));
}

/** Scopes with the same value share one explanation. */
function explanations(figures: readonly Figure[], depth: number): string {
  const alike = Map.groupBy(figures, ({ name, value }) => `${name} ${value}`);
  return [...alike.values()]
    .flatMap(([first, ...others]) => {
      if (first === undefined) return [];
      const text = explainFigure(first, { ...defaultExplanation, depth });
      const scopes = others.map(({ scope }) => scope).join(", ");
      return [others.length === 0 ? text : `${text}The same: ${scopes}\n`];
    })
    .join("\n");
}

/** One row a figure; where scopes differ, from the least to the most. */
function listing(figures: readonly Figure[]): string {
  const byName = Map.groupBy(figures, ({ name }) => name);
  const rows = [...byName].map(([name, all]) => {
    const [first] = all;
    const values = all.map(({ value }) => value);
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const unit = first?.unit ?? "count";
    const value = formatAmount(least, unit);
    const amount = least === most ? value : `${value} to ${formatAmount(most, unit)}`;
    return [
      name,
      amount,
      all.length === 1 ? (first?.scope ?? "") : `${all.length} ${scopeNoun(first)}`,
      first?.meaning ?? "",
    ];
  });
  return formatTable([{ title: "FIGURE" }, { title: "VALUE" }, { title: "OF" }, { title: "WHAT IT IS" }], rows);
}

function scopeNoun(figure: Figure | undefined): string {
  return figure?.level === "region" ? "regions" : "kinds of clusters";
}
