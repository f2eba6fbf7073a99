import type { ArithmeticOperator } from "@pleiad/promql-plan";

/** Puts the results of a whole row into `many`; the row of its partner begins at `at` of `one`. */
export type RowArithmetic = (many: Float64Array, one: Float64Array, at: number) => void;

/** Loops of their own for the commonest operators: a call for each sample takes longer than what it computes. */
export function rowArithmetic(operator: ArithmeticOperator, oneIsLeft: boolean): RowArithmetic | undefined {
  switch (operator) {
    case "+":
      return add;
    case "-":
      return oneIsLeft ? subtractFromOne : subtractOne;
    case "*":
      return multiply;
    case "/":
      return oneIsLeft ? divideOne : divideByOne;
    default:
      return undefined;
  }
}

function add(many: Float64Array, one: Float64Array, at: number): void {
  for (let step = 0; step < many.length; step++) many[step] += one[at + step];
}

function subtractOne(many: Float64Array, one: Float64Array, at: number): void {
  for (let step = 0; step < many.length; step++) many[step] -= one[at + step];
}

function subtractFromOne(many: Float64Array, one: Float64Array, at: number): void {
  for (let step = 0; step < many.length; step++) many[step] = one[at + step] - many[step];
}

function multiply(many: Float64Array, one: Float64Array, at: number): void {
  for (let step = 0; step < many.length; step++) many[step] *= one[at + step];
}

function divideByOne(many: Float64Array, one: Float64Array, at: number): void {
  for (let step = 0; step < many.length; step++) many[step] /= one[at + step];
}

function divideOne(many: Float64Array, one: Float64Array, at: number): void {
  for (let step = 0; step < many.length; step++) many[step] = one[at + step] / many[step];
}
