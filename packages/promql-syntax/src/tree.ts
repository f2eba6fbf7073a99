/** Walking the tree, however deep: nothing here recurses along a chain. */
import type { Expression, ValueType } from "./ast.ts";
import { functionSignatures } from "./functions.ts";

/** The expressions directly inside one, in the order of the text, but the input of an aggregation before its parameter. */
export function childExpressions(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "matrix-selector":
      return [expression.selector];
    case "subquery":
    case "paren":
    case "unary":
      return [expression.input];
    case "binary":
      return [expression.left, expression.right];
    case "aggregation":
      return expression.parameter === undefined ? [expression.input] : [expression.input, expression.parameter];
    case "call":
      return expression.arguments;
    default:
      return [];
  }
}

/** The number of levels of the tree, 1 for a leaf. */
export function treeDepth(root: Expression): number {
  let depth = 0;
  for (let level: readonly Expression[] = [root]; level.length > 0; depth++) level = level.flatMap(childExpressions);
  return depth;
}

/** What an expression gives. */
export function typeOf(expression: Expression): ValueType {
  let current = expression;
  for (;;) {
    switch (current.kind) {
      case "number":
        return "scalar";
      case "string":
        return "string";
      case "vector-selector":
      case "aggregation":
        return "vector";
      case "matrix-selector":
      case "subquery":
        return "matrix";
      case "call":
        return returnTypeOf(current.function);
      case "paren":
      case "unary":
        current = current.input;
        break;
      case "binary":
        // Scalar only if both sides are; the right side, which no chain makes deep, is asked first.
        if (typeOf(current.right) !== "scalar") return "vector";
        if (current.left.kind !== "binary") return typeOf(current.left) === "scalar" ? "scalar" : "vector";
        current = current.left;
        break;
    }
  }
}

function returnTypeOf(name: string): ValueType {
  const signature = functionSignatures.get(name);
  if (signature === undefined) throw new Error(`a call of ${name}, which is no function`);
  return signature.returnType;
}
