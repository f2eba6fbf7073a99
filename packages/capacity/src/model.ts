/**
 * The model: scopes of a load, and every figure in them. A figure is found in its own scope or in one around it, and is
 * computed when it is first asked for. One rule holds for all of them: what was measured, else what the fleet file says,
 * else the formula or the default.
 */
import { unreachable } from "@pleiad/model";
import { clusterDefinitions } from "./cluster-definitions.ts";
import type { Definition, Engine, Level } from "./definition.ts";
import type { Figure, Origin } from "./figure.ts";
import { evaluateFormula, namesOf, parseFormula, type Expression } from "./formula.ts";
import { objectStoreDefinitions } from "./object-store-definitions.ts";
import { blockDefinitions } from "./block-definitions.ts";
import { queryDefinitions } from "./query-definitions.ts";
import { compactorDefinitions } from "./compactor-definitions.ts";
import { querierDefinitions } from "./querier-definitions.ts";
import { roleDefinitions } from "./role-definitions.ts";
import { storeGatewayDefinitions } from "./store-gateway-definitions.ts";
import type { Measured } from "./measured.ts";

/** A value that the fleet gives, with its place in the fleet file where it was written there. */
export interface Given {
  readonly value: number;
  readonly place?: string;
}

/** A part of the load. The fleet has regions, a region has clusters that are alike. */
export interface LoadScope {
  readonly name: string;
  readonly alsoCalled?: string; // what measured values may call it too: of clusters their group
  readonly level: Level;
  readonly given: Readonly<Record<string, Given>>;
  readonly parts: readonly LoadScope[];
}

export interface CapacityScope {
  readonly name: string;
  readonly level: Level;
  readonly parts: readonly CapacityScope[];
  /** The figure of that name here or in a scope around. A name that is not known here is a mistake, and throws. */
  figure(name: string): Figure;
}

export interface CapacityModel {
  readonly fleet: CapacityScope;
  readonly regions: readonly CapacityScope[];
}

/** Every definition, by name. */
export const definitions: ReadonlyMap<string, Definition> = new Map(
  [
    ...clusterDefinitions,
    ...blockDefinitions,
    ...objectStoreDefinitions,
    ...queryDefinitions,
    ...querierDefinitions,
    ...storeGatewayDefinitions,
    ...compactorDefinitions,
    ...roleDefinitions,
  ].map((definition) => [definition.name, definition]),
);

/** The names that a question such as `store-gateway.memory` means: itself, or every one that ends with it. */
export function figureNames(asked: string): readonly string[] {
  if (definitions.has(asked)) return [asked];
  return [...definitions.keys()].filter((name) => name.endsWith(`-${asked}`));
}

/** A model of the load; `load` is the scope of the whole fleet. */
export function capacityModel(load: LoadScope, engine: Engine, measured: Measured = new Map()): CapacityModel {
  const fleet = new Scope(load, undefined, { engine, measured });
  return { fleet, regions: fleet.parts };
}

/** Every scope of a level, the fleet itself included. */
export function scopesAt(model: CapacityModel, level: Level): readonly CapacityScope[] {
  switch (level) {
    case "fleet":
      return [model.fleet];
    case "region":
      return model.regions;
    case "clusters":
      return model.regions.flatMap(({ parts }) => parts);
    default:
      return unreachable(level);
  }
}

const expressions = new Map<string, Expression>();

function expressionOf(formula: string): Expression {
  const known = expressions.get(formula);
  if (known !== undefined) return known;
  const expression = parseFormula(formula);
  expressions.set(formula, expression);
  return expression;
}

interface Setting {
  readonly engine: Engine;
  readonly measured: Measured;
}

class Scope implements CapacityScope {
  readonly name: string;
  readonly level: Level;
  readonly parts: readonly Scope[];
  readonly #given: Readonly<Record<string, Given>>;
  readonly #names: readonly string[];
  readonly #around: Scope | undefined;
  readonly #setting: Setting;
  readonly #figures = new Map<string, Figure>();

  constructor({ name, alsoCalled, level, given, parts }: LoadScope, around: Scope | undefined, setting: Setting) {
    this.name = name;
    this.level = level;
    this.#given = given;
    this.#names = alsoCalled === undefined ? [name] : [name, alsoCalled];
    this.#around = around;
    this.#setting = setting;
    this.parts = parts.map((part) => new Scope(part, this, setting));
  }

  figure(name: string): Figure {
    const definition = definitions.get(name);
    if (definition === undefined) throw new Error(`the capacity model has no figure ${name}`);
    // eslint-disable-next-line typescript/no-this-alias -- the scope that the definition belongs to may be further out
    let scope: Scope | undefined = this;
    while (scope !== undefined && scope.level !== definition.level) scope = scope.#around;
    if (scope === undefined)
      throw new Error(`${name} belongs to ${definition.level}, not to ${this.level} ${this.name}`);
    return scope.#own(definition);
  }

  /** The figures of that name in every part below this scope that has it. */
  figuresBelow(name: string): readonly Figure[] {
    if (definitions.get(name)?.level === this.level) return [this.figure(name)];
    return this.parts.flatMap((part) => part.figuresBelow(name));
  }

  #own(definition: Definition): Figure {
    const known = this.#figures.get(definition.name);
    if (known !== undefined) return known;
    const figure = this.#make(definition);
    this.#figures.set(definition.name, figure);
    return figure;
  }

  #make(definition: Definition): Figure {
    const { name } = definition;
    const { measured, engine } = this.#setting;
    const own = this.#names.map((scope) => measured.get(`${name}@${scope}`)).find((one) => one !== undefined);
    const found = own ?? measured.get(name);
    if (found !== undefined) return this.#plain(definition, found, "measured");
    const given = this.#given[name];
    if (given !== undefined) {
      // What the fleet says without a place in the file, it says by a default of the file's format.
      return this.#plain(definition, given.value, given.place === undefined ? "default" : "file", given.place);
    }
    if (definition.kind === "figure") return this.#derived(definition, expressionOf(definition.formula));
    const { fallback } = definition;
    if (fallback === undefined) throw new Error(`the load does not say ${name} of ${this.name}`);
    return this.#plain(definition, typeof fallback === "number" ? fallback : fallback[engine], "default");
  }

  #plain(definition: Definition, value: number, origin: Origin, place?: string): Figure {
    const { name, level, unit, meaning, source } = definition;
    const formula = undefined;
    return { name, scope: this.name, level, value, unit, origin, meaning, source, place, formula, inputs: [] };
  }

  #derived(definition: Definition & { readonly formula: string }, expression: Expression): Figure {
    const { name, level, unit, meaning, source, formula } = definition;
    const value = evaluateFormula(expression, {
      valueOf: (input) => this.figure(input).value,
      valuesOf: (input) => this.figuresBelow(input).map((one) => one.value),
    });
    const inputs = () =>
      namesOf(expression).flatMap((input) =>
        input.isGathered ? this.figuresBelow(input.name) : [this.figure(input.name)],
      );
    return {
      name,
      scope: this.name,
      level,
      value,
      unit,
      origin: "derived",
      meaning,
      source,
      place: undefined,
      formula,
      get inputs() {
        return inputs();
      },
    };
  }
}
