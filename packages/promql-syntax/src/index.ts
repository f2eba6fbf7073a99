export {
  defaultParseOptions,
  experimentalParseOptions,
  parseCeilings,
  type AggregationOperator,
  type AtModifier,
  type BinaryOperator,
  type DurationExpression,
  type Expression,
  type FunctionSignature,
  type ParseFailure,
  type ParseOptions,
  type SourceRange,
  type TimeShift,
  type ValueType,
  type VectorMatching,
  type VectorSelector,
} from "./ast.ts";
export { formatDurationExpression } from "./duration-text.ts";
export { resolveDurationMs, type DurationContext } from "./duration-value.ts";
export { functionSignatures } from "./functions.ts";
export { quoteString } from "./go-strings.ts";
export { selectsEverything } from "./matchers.ts";
export { parseExpression, parseSelector } from "./parse-expression.ts";
export { formatExpression } from "./printer.ts";
export { selectorReader, selectorsOf } from "./selectors.ts";
export { positionOf } from "./source-position.ts";
export { childExpressions, typeOf } from "./tree.ts";
