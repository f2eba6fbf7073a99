/** What the grammar cannot see: whether operators and functions get the types they take. */
import { metricNameLabel, unreachable } from "@pleiad/model";
import type {
  BinaryOperator,
  Expression,
  FunctionSignature,
  ValueType,
  VectorMatching,
  VectorSelector,
} from "./ast.ts";
import { functionSignatures } from "./functions.ts";
import { quoteString } from "./go-strings.ts";
import { selectsEverything } from "./matchers.ts";
import { SyntaxFault } from "./syntax-fault.ts";
import { typeOf } from "./tree.ts";

type Node<Kind extends Expression["kind"]> = Extract<Expression, { readonly kind: Kind }>;

/** A checked expression and what it gives. */
interface Checked {
  readonly type: ValueType;
  readonly expression: Expression;
}

const oneToOne: VectorMatching = {
  cardinality: "one-to-one",
  on: false,
  labels: [],
  include: [],
  fillLeft: undefined,
  fillRight: undefined,
};

const comparisons: ReadonlySet<BinaryOperator> = new Set(["==", "!=", "<=", "<", ">=", ">"]);
const setOperators: ReadonlySet<BinaryOperator> = new Set(["and", "or", "unless"]);

/**
 * Checks a tree as the grammar made it, and settles what depends on types: `matching`, until now there where it was
 * written, then stands at every operator between vectors and nowhere else. Throws the `SyntaxFault` that Prometheus
 * would report.
 */
export function checkTypes(text: string, root: Expression): Expression {
  return check(text, root).expression;
}

function check(text: string, expression: Expression): Checked {
  switch (expression.kind) {
    case "number":
      return { type: "scalar", expression };
    case "string":
      return { type: "string", expression };
    case "vector-selector":
      return checkSelector(expression, false);
    case "matrix-selector":
      checkSelector(expression.selector, false);
      return { type: "matrix", expression };
    case "paren": {
      const { type, expression: input } = check(text, expression.input);
      return { type, expression: { ...expression, input } };
    }
    case "subquery":
      return checkSubquery(text, expression);
    case "unary":
      return checkUnary(text, expression);
    case "binary":
      return checkBinary(text, expression);
    case "aggregation":
      return checkAggregation(text, expression);
    case "call":
      return checkCall(text, expression);
    default:
      return unreachable(expression);
  }
}

function checkSelector(selector: VectorSelector, mayBeEmpty: boolean): Checked {
  const { matchers, metricName, range } = selector;
  if (metricName !== undefined) {
    // The matcher made from the name before the braces is the last.
    const second = matchers.slice(0, -1).find(({ name }) => name === metricNameLabel);
    if (second !== undefined) {
      const names = `${quoteString(metricName)} or ${quoteString(second.value)}`;
      throw new SyntaxFault(range.start, `metric name must not be set twice: ${names}`);
    }
  } else if (!mayBeEmpty && selectsEverything(matchers)) {
    throw new SyntaxFault(range.start, "vector selector must contain at least one non-empty matcher");
  }
  return { type: "vector", expression: selector };
}

function checkSubquery(text: string, subquery: Node<"subquery">): Checked {
  const input = check(text, subquery.input);
  if (input.type !== "vector") {
    const reason = `subquery is only allowed on instant vector, got ${input.type} instead`;
    throw new SyntaxFault(subquery.range.start, reason);
  }
  return { type: "matrix", expression: { ...subquery, input: input.expression } };
}

function checkUnary(text: string, unary: Node<"unary">): Checked {
  const { type, expression: input } = check(text, unary.input);
  if (type !== "scalar" && type !== "vector") {
    const wish = "unary expression only allowed on expressions of type scalar or instant vector";
    throw new SyntaxFault(unary.range.start, `${wish}, got ${quoteString(documentedType(type))}`);
  }
  return { type, expression: { ...unary, input } };
}

function checkAggregation(text: string, aggregation: Node<"aggregation">): Checked {
  const input = expectType(text, aggregation.input, "vector", "aggregation expression");
  if (aggregation.parameter === undefined) return { type: "vector", expression: { ...aggregation, input } };
  const parameterType = aggregation.operator === "count_values" ? "string" : "scalar";
  const parameter = expectType(text, aggregation.parameter, parameterType, "aggregation parameter");
  return { type: "vector", expression: { ...aggregation, input, parameter } };
}

function checkCall(text: string, call: Node<"call">): Checked {
  const signature = functionSignatures.get(call.function);
  if (signature === undefined) throw new Error(`a call of ${call.function}, which is no function`);
  checkArgumentCount(call, signature);
  const context = `call to function ${quoteString(signature.name)}`;
  const labelSelector = signature.name === "info" ? checkLabelSelector(call) : undefined;
  const { argumentTypes } = signature;
  const checked = call.arguments.map((argument, i) => {
    if (argument === labelSelector) return argument;
    const type = argumentTypes[Math.min(i, argumentTypes.length - 1)];
    return type === undefined ? argument : expectType(text, argument, type, context);
  });
  return { type: signature.returnType, expression: { ...call, arguments: checked } };
}

function checkArgumentCount(call: Node<"call">, { name, argumentTypes, variadic }: FunctionSignature): void {
  const given = call.arguments.length;
  const least = variadic === 0 ? argumentTypes.length : argumentTypes.length - 1;
  const most = variadic < 0 ? Infinity : least + variadic;
  if (given >= least && given <= most) return;
  const wish = variadic === 0 ? `${least}` : given < least ? `at least ${least}` : `at most ${most}`;
  const reason = `expected ${wish} argument(s) in call to ${quoteString(name)}, got ${given}`;
  throw new SyntaxFault(call.range.start, reason);
}

/** The second argument of `info`: conditions on labels, which may all match the empty text, without a name before them. */
function checkLabelSelector(call: Node<"call">): Expression | undefined {
  const selector = call.arguments[1];
  if (selector === undefined) return undefined;
  const type = typeOf(selector);
  if (type !== "vector") {
    const reason = `expected type instant vector in call to function "info", got ${documentedType(type)}`;
    throw new SyntaxFault(call.range.start, reason);
  }
  if (selector.kind !== "vector-selector") {
    throw new SyntaxFault(selector.range.start, "expected label selectors only");
  }
  if (selector.metricName !== undefined) {
    throw new SyntaxFault(selector.range.start, "expected label selectors only, got vector selector instead");
  }
  return selector;
}

function checkBinary(text: string, binary: Node<"binary">): Checked {
  const left = check(text, binary.left);
  const right = check(text, binary.right);
  const { operator, bool, matching, range } = binary;
  const isComparison = comparisons.has(operator);
  const isSetOperator = setOperators.has(operator);
  const operatorStart = afterBlanks(text, binary.left.range.end);

  if (bool && !isComparison) {
    throw new SyntaxFault(operatorStart, "bool modifier can only be used on comparison operators");
  }
  if (isComparison && !bool && left.type === "scalar" && right.type === "scalar") {
    throw new SyntaxFault(operatorStart, "comparisons between scalars must use BOOL modifier");
  }
  const included = new Set(matching?.include);
  const repeated = matching?.on ? matching.labels.find((label) => included.has(label)) : undefined;
  if (repeated !== undefined) {
    const reason = `label ${quoteString(repeated)} must not occur in ON and GROUP clause at once`;
    throw new SyntaxFault(operatorStart, reason);
  }
  for (const [type, side] of [
    [left.type, binary.left],
    [right.type, binary.right],
  ] as const) {
    if (type !== "scalar" && type !== "vector") {
      throw new SyntaxFault(side.range.start, "binary expression must contain only scalar and instant vector types");
    }
  }

  const type = left.type === "scalar" && right.type === "scalar" ? "scalar" : "vector";
  const sides = { left: left.expression, right: right.expression };
  if (left.type === "vector" && right.type === "vector") {
    const settled = isSetOperator ? checkSetMatching(operator, matching, range.start) : (matching ?? oneToOne);
    return { type, expression: { ...binary, ...sides, matching: settled } };
  }
  if (matching !== undefined && matching.labels.length > 0) {
    throw new SyntaxFault(range.start, "vector matching only allowed between instant vectors");
  }
  if (matching !== undefined && fillsIn(matching)) {
    throw new SyntaxFault(range.start, "filling in missing series only allowed between instant vectors");
  }
  if (isSetOperator) {
    const reason = `set operator ${quoteString(operator)} not allowed in binary scalar expression`;
    throw new SyntaxFault(range.start, reason);
  }
  return { type, expression: { ...binary, ...sides, matching: undefined } };
}

function checkSetMatching(
  operator: BinaryOperator,
  written: VectorMatching | undefined,
  start: number,
): VectorMatching {
  const matching = written ?? oneToOne;
  if (matching.cardinality !== "one-to-one") {
    throw new SyntaxFault(start, `no grouping allowed for ${quoteString(operator)} operation`);
  }
  if (fillsIn(matching)) throw new SyntaxFault(start, "filling in missing series not allowed for set operators");
  return { ...matching, cardinality: "many-to-many" };
}

function fillsIn(matching: VectorMatching): boolean {
  return matching.fillLeft !== undefined || matching.fillRight !== undefined;
}

/** Checks an expression and that it gives `wanted`. */
function expectType(text: string, expression: Expression, wanted: ValueType, context: string): Expression {
  const checked = check(text, expression);
  if (checked.type === wanted) return checked.expression;
  const reason = `expected type ${documentedType(wanted)} in ${context}, got ${documentedType(checked.type)}`;
  throw new SyntaxFault(expression.range.start, reason);
}

function documentedType(type: ValueType): string {
  return type === "vector" ? "instant vector" : type === "matrix" ? "range vector" : type;
}

function afterBlanks(text: string, start: number): number {
  const blanks = /[ \t\r\n]*/y;
  blanks.lastIndex = start;
  return blanks.test(text) ? blanks.lastIndex : start;
}
