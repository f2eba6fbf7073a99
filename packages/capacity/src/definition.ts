/** What the model knows by name: inputs with their defaults, and figures with their formulas. Tables hold them. */

/** A scope of the load: the whole fleet, a region of it, or clusters of a region that are alike. */
export type Level = "fleet" | "region" | "clusters";

export type Unit =
  | "cores"
  | "bytes"
  | "bytes/s"
  | "bytes/day"
  | "bits/s"
  | "requests/day"
  | "requests/s"
  | "queries/s"
  | "samples/s"
  | "s"
  | "days"
  | "series"
  | "blocks"
  | "count"
  | "share"
  | "bytes/series"
  | "bytes/sample"
  | "bytes/block"
  | "cores/(sample/s)";

export type Engine = "thanos" | "embedded";

interface Named {
  readonly name: string; // `store-gateway.memory`: role, then what of it
  readonly level: Level;
  readonly unit: Unit;
  readonly meaning: string;
  readonly source: string; // what the default or the formula rests on
}

export interface InputDefinition extends Named {
  readonly kind: "input";
  /** Of each engine where they differ; undefined where only the fleet can say it. */
  readonly fallback: number | Readonly<Record<Engine, number>> | undefined;
}

export interface FigureDefinition extends Named {
  readonly kind: "figure";
  readonly formula: string;
}

export type Definition = InputDefinition | FigureDefinition;

type Row = readonly [name: string, unit: Unit, what: string, meaning: string, source: string];
type InputRow = readonly [
  name: string,
  unit: Unit,
  fallback: InputDefinition["fallback"],
  meaning: string,
  source: string,
];

/** Rows of a table of inputs at one level. */
export function inputs(level: Level, rows: readonly InputRow[]): readonly InputDefinition[] {
  return rows.map(([name, unit, fallback, meaning, source]) => ({
    kind: "input",
    name,
    level,
    unit,
    fallback,
    meaning,
    source,
  }));
}

/** Rows of a table of figures at one level. */
export function figures(level: Level, rows: readonly Row[]): readonly FigureDefinition[] {
  return rows.map(([name, unit, formula, meaning, source]) => ({
    kind: "figure",
    name,
    level,
    unit,
    formula,
    meaning,
    source,
  }));
}

/** What several defaults of Pleiad's own roles rest on. */
export const alone = "Pleiad's roles: measured, each alone in a process, nobody asking";
