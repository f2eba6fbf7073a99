/**
 * The formulas of the model as text: what is printed is what is computed.
 *
 * Numbers, names, `+ - * / ^`, parentheses, `min max ceil floor`, and `sum largest product` of a name over the parts of
 * a scope. A name may hold dots and hyphens, so a minus stands between blanks.
 */
import { unreachable } from "@pleiad/model";

export type Operator = "+" | "-" | "*" | "/" | "^";
export type Rounding = "min" | "max" | "ceil" | "floor";
export type Gathering = "sum" | "largest" | "product";

export type Expression =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "name"; readonly name: string }
  | {
      readonly kind: "operation";
      readonly operator: Operator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: "call"; readonly function: Rounding; readonly of: readonly Expression[] }
  | { readonly kind: "gather"; readonly function: Gathering; readonly name: string };

/** Where the names of a formula get their values. */
export interface FormulaNames {
  valueOf(name: string): number;
  /** The values of a name in every part of the scope that has it. */
  valuesOf(name: string): readonly number[];
}

/** Reads a formula. A text that is none is a mistake in this package's tables, and throws. */
export function parseFormula(text: string): Expression {
  const tokens = tokensOf(text);
  let at = 0;
  const peek = () => tokens[at] ?? "";
  const take = () => tokens[at++] ?? "";
  const expect = (token: string) => {
    if (take() !== token) throw new Error(`expected ${token} in the formula ${text}`);
  };
  const operation = (operators: readonly Operator[], next: () => Expression): Expression => {
    let left = next();
    for (;;) {
      const operator = operators.find((one) => one === peek());
      if (operator === undefined) return left;
      at++;
      left = { kind: "operation", operator, left, right: next() };
    }
  };
  const sum = (): Expression => operation(["+", "-"], product);
  const product = (): Expression => operation(["*", "/"], power);
  const power = (): Expression => operation(["^"], atom);
  const list = (): readonly Expression[] => {
    const items = [sum()];
    while (peek() === ",") {
      at++;
      items.push(sum());
    }
    return items;
  };
  const atom = (): Expression => {
    const token = take();
    if (token === "(") {
      const inner = sum();
      expect(")");
      return inner;
    }
    if (/^\d/.test(token)) return { kind: "number", value: Number(token) };
    if (!/^[a-z]/.test(token)) throw new Error(`unexpected ${token || "end"} in the formula ${text}`);
    if (peek() !== "(") return { kind: "name", name: token };
    at++;
    const of = list();
    expect(")");
    return callOf(token, of, text);
  };
  const whole = sum();
  if (at < tokens.length) throw new Error(`unexpected ${peek()} in the formula ${text}`);
  return whole;
}

const roundings: readonly Rounding[] = ["min", "max", "ceil", "floor"];
const gatherings: readonly Gathering[] = ["sum", "largest", "product"];

function callOf(name: string, of: readonly Expression[], text: string): Expression {
  const rounding = roundings.find((one) => one === name);
  if (rounding !== undefined) return { kind: "call", function: rounding, of };
  const gathering = gatherings.find((one) => one === name);
  const [only] = of;
  if (gathering === undefined || of.length !== 1 || only?.kind !== "name") {
    throw new Error(`${name}(…) is not known, or not of one name, in the formula ${text}`);
  }
  return { kind: "gather", function: gathering, name: only.name };
}

function tokensOf(text: string): readonly string[] {
  const tokens = text.match(/\d+(?:\.\d+)?(?:e\d+)?|[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*|\S/g) ?? [];
  const strange = tokens.find((token) => !/^(?:\d.*|[a-z].*|[-+*/^(),])$/.test(token));
  if (strange !== undefined) throw new Error(`unexpected ${strange} in the formula ${text}`);
  return tokens;
}

/** The value of a formula. Dividing by zero gives what doubles give: a bound that nothing reaches. */
export function evaluateFormula(expression: Expression, names: FormulaNames): number {
  switch (expression.kind) {
    case "number":
      return expression.value;
    case "name":
      return names.valueOf(expression.name);
    case "operation": {
      const left = evaluateFormula(expression.left, names);
      return operate(expression.operator, left, evaluateFormula(expression.right, names));
    }
    case "call": {
      const values = expression.of.map((one) => evaluateFormula(one, names));
      return round(expression.function, values);
    }
    case "gather":
      return gather(expression.function, names.valuesOf(expression.name));
    default:
      return unreachable(expression);
  }
}

function operate(operator: Operator, left: number, right: number): number {
  switch (operator) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return left / right;
    case "^":
      return left ** right;
    default:
      return unreachable(operator);
  }
}

function round(how: Rounding, values: readonly number[]): number {
  const [first = Number.NaN] = values;
  switch (how) {
    case "min":
      return Math.min(...values);
    case "max":
      return Math.max(...values);
    case "ceil":
      return Math.ceil(first);
    case "floor":
      return Math.floor(first);
    default:
      return unreachable(how);
  }
}

function gather(how: Gathering, values: readonly number[]): number {
  switch (how) {
    case "sum":
      return values.reduce((total, value) => total + value, 0);
    case "largest":
      return values.reduce((largest, value) => Math.max(largest, value), 0);
    case "product":
      return values.reduce((product, value) => product * value, 1);
    default:
      return unreachable(how);
  }
}

/** The names of a formula in the order of its text, each once, and whether they are gathered over parts. */
export function namesOf(expression: Expression): readonly { readonly name: string; readonly isGathered: boolean }[] {
  const found = new Map<string, boolean>();
  const visit = (one: Expression): void => {
    if (one.kind === "name" || one.kind === "gather") found.set(one.name, one.kind === "gather");
    if (one.kind === "call") one.of.forEach(visit);
    if (one.kind === "operation") {
      visit(one.left);
      visit(one.right);
    }
  };
  visit(expression);
  return [...found].map(([name, isGathered]) => ({ name, isGathered }));
}
