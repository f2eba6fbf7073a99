/** A number of the model with all that it rests on, and its explanation as text and as data. */
import { unreachable } from "@pleiad/model";
import type { Level, Unit } from "./definition.ts";
import { formatAmount } from "./amount.ts";

/** Where a value comes from: the fleet file, a default of the model, somebody's measurement, or a formula. */
export type Origin = "file" | "default" | "measured" | "derived";

export interface Figure {
  readonly name: string;
  readonly scope: string; // `fleet`, a region's name, or `group-a in a1`
  readonly level: Level;
  readonly value: number;
  readonly unit: Unit;
  readonly origin: Origin;
  readonly meaning: string;
  readonly source: string;
  readonly place: string | undefined; // in the fleet file, where it comes from there
  readonly formula: string | undefined; // where it is derived
  /** What the formula is made of, each once; made when asked for. */
  readonly inputs: readonly Figure[];
}

export interface ExplanationOptions {
  readonly depth: number; // 1 = the figure and its inputs
  readonly partsMax: number; // of inputs that are gathered over parts, so many are printed
}

export const defaultExplanation: ExplanationOptions = { depth: 4, partsMax: 4 };

/** The figure, its formula, and its inputs indented below, each as `name = value (origin)`. */
export function explainFigure(figure: Figure, options: ExplanationOptions = defaultExplanation): string {
  const lines = [
    `${figure.name} of ${figure.scope}: ${formatAmount(figure.value, figure.unit)}`,
    `  ${figure.meaning}`,
    ...(figure.formula === undefined ? [] : [`  = ${figure.formula}`]),
    `  source: ${figure.source}`,
  ];
  const seen = new Set<string>();
  const visit = (one: Figure, depth: number): void => {
    const shown = new Map<string, number>();
    for (const input of one.inputs) {
      const count = (shown.get(input.name) ?? 0) + 1;
      shown.set(input.name, count);
      if (count > options.partsMax) continue;
      const key = `${input.name} of ${input.scope}`;
      const isKnown = seen.has(key);
      lines.push(`${"  ".repeat(depth)}${inputLine(input, one, isKnown)}`);
      if (isKnown || depth >= options.depth) continue;
      seen.add(key);
      visit(input, depth + 1);
    }
    for (const [name, count] of shown) {
      if (count > options.partsMax) lines.push(`${"  ".repeat(depth)}${name} of ${count - options.partsMax} more`);
    }
  };
  visit(figure, 1);
  return `${lines.join("\n")}\n`;
}

function inputLine(input: Figure, of: Figure, isKnown: boolean): string {
  const scope = input.scope === of.scope ? "" : ` of ${input.scope}`;
  const amount = formatAmount(input.value, input.unit);
  if (isKnown) return `${input.name}${scope} = ${amount} (as above)`;
  switch (input.origin) {
    case "derived":
      return `${input.name}${scope} = ${amount} = ${input.formula ?? ""}`;
    case "file":
      return `${input.name}${scope} = ${amount} (file${input.place === undefined ? "" : `: ${input.place}`})`;
    case "measured":
      return `${input.name}${scope} = ${amount} (measured)`;
    case "default":
      return `${input.name}${scope} = ${amount} (default: ${input.source})`;
    default:
      return unreachable(input.origin);
  }
}

export interface FigureData {
  readonly name: string;
  readonly scope: string;
  readonly value: number | null; // null = without bound
  readonly unit: Unit;
  readonly origin: Origin;
  readonly meaning: string;
  readonly source: string;
  readonly place?: string;
  readonly formula?: string;
  readonly inputs?: readonly FigureData[];
}

/** The same as plain data, as deep as `depth`. */
export function figureToData(figure: Figure, depth: number = defaultExplanation.depth): FigureData {
  const { name, scope, value, unit, origin, meaning, source, place, formula } = figure;
  const inputs = depth <= 0 ? [] : figure.inputs;
  return {
    name,
    scope,
    value: Number.isFinite(value) ? value : null,
    unit,
    origin,
    meaning,
    source,
    ...(place === undefined ? {} : { place }),
    ...(formula === undefined ? {} : { formula }),
    ...(inputs.length === 0 ? {} : { inputs: inputs.map((input) => figureToData(input, depth - 1)) }),
  };
}
