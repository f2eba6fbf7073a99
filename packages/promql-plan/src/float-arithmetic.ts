/** Arithmetic and comparison of two floats, as every part of the engine and constant folding must agree on it. */
import type { BinaryOperator } from "@pleiad/promql-syntax";

export type ArithmeticOperator = Extract<BinaryOperator, "+" | "-" | "*" | "/" | "%" | "^" | "atan2">;
export type ComparisonOperator = Extract<BinaryOperator, "==" | "!=" | ">" | "<" | ">=" | "<=">;

export const arithmetic: Readonly<Record<ArithmeticOperator, (left: number, right: number) => number>> = {
  "+": (left, right) => left + right,
  "-": (left, right) => left - right,
  "*": (left, right) => left * right,
  "/": (left, right) => left / right,
  "%": (left, right) => left % right,
  "^": power,
  atan2: Math.atan2,
};

export const comparisons: Readonly<Record<ComparisonOperator, (left: number, right: number) => boolean>> = {
  "==": (left, right) => left === right,
  "!=": (left, right) => left !== right,
  ">": (left, right) => left > right,
  "<": (left, right) => left < right,
  ">=": (left, right) => left >= right,
  "<=": (left, right) => left <= right,
};

export function isArithmetic(operator: BinaryOperator): operator is ArithmeticOperator {
  return Object.hasOwn(arithmetic, operator);
}

export function isComparison(operator: BinaryOperator): operator is ComparisonOperator {
  return Object.hasOwn(comparisons, operator);
}

/** IEEE 754 pow. ECMAScript differs from it, and from Prometheus, where the base is 1 or -1. */
function power(base: number, exponent: number): number {
  if (base === 1) return 1;
  if (base === -1 && (exponent === Infinity || exponent === -Infinity)) return 1;
  return base ** exponent;
}
