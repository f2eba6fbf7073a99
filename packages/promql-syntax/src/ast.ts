/** The PromQL tree. Pure data; every node knows where in the text it stands, for messages and annotations. */
import type { Matcher } from "@pleiad/model";

/** Positions in the query text, in UTF-16 units, end exclusive. A printed position counts bytes from 1. */
export interface SourceRange {
  readonly start: number;
  readonly end: number;
}

export type ValueType = "scalar" | "vector" | "matrix" | "string";

export type BinaryOperator =
  | "+"
  | "-"
  | "*"
  | "/"
  | "%"
  | "^"
  | "atan2"
  | "=="
  | "!="
  | ">"
  | "<"
  | ">="
  | "<="
  | "</"
  | ">/"
  | "and"
  | "or"
  | "unless";

export type AggregationOperator =
  | "sum"
  | "avg"
  | "count"
  | "min"
  | "max"
  | "group"
  | "stddev"
  | "stdvar"
  | "topk"
  | "bottomk"
  | "count_values"
  | "quantile"
  | "limitk"
  | "limit_ratio";

/**
 * A duration as written: a constant, or an expression over numbers, `step()`, `range()`, `min_of`, `max_of`.
 * Expressions calculate in seconds (`2m * 15` is 30 minutes), see `resolveDurationMs`; `ms` may have a fraction.
 */
export type DurationExpression =
  | {
      readonly kind: "constant";
      readonly ms: number;
      readonly isDuration?: boolean; // false where it was written as a number of seconds; for printing
      readonly range: SourceRange;
    }
  | { readonly kind: "step" | "query-range"; readonly range: SourceRange }
  | { readonly kind: "negate" | "identity"; readonly operand: DurationExpression; readonly range: SourceRange }
  | {
      readonly kind: "binary";
      readonly operator: "+" | "-" | "*" | "/" | "%" | "^" | "min_of" | "max_of";
      readonly left: DurationExpression;
      readonly right: DurationExpression;
      readonly range: SourceRange;
    };

/** `@`: a time in milliseconds, or an end of the query range. */
export type AtModifier = { readonly kind: "time"; readonly timestampMs: number } | { readonly kind: "start" | "end" };

/** When a selector or subquery looks: `offset` and `@`, in whichever order they were written. */
export interface TimeShift {
  readonly offset: DurationExpression | undefined; // absent = none written
  readonly at: AtModifier | undefined;
}

export interface VectorSelector extends TimeShift {
  readonly kind: "vector-selector";
  /** All conditions, the metric name among them as `__name__=`. */
  readonly matchers: readonly Matcher[];
  /** The name written before the braces, for printing; a quoted name inside them is a matcher like any other. */
  readonly metricName: string | undefined;
  /** How samples at the borders of a range are made up; on the selector of a matrix, or on a plain one (smoothed). */
  readonly extension: "anchored" | "smoothed" | undefined;
  readonly range: SourceRange;
}

export interface VectorMatching {
  readonly cardinality: "one-to-one" | "many-to-one" | "one-to-many" | "many-to-many";
  readonly on: boolean; // true: only `labels` are compared; false: all but `labels`
  readonly labels: readonly string[];
  readonly include: readonly string[]; // labels of group_left(...) and group_right(...)
  readonly fillLeft: number | undefined;
  readonly fillRight: number | undefined;
}

export type Expression =
  | { readonly kind: "number"; readonly value: number; readonly isDuration: boolean; readonly range: SourceRange }
  | { readonly kind: "string"; readonly value: string; readonly range: SourceRange }
  | VectorSelector
  | {
      readonly kind: "matrix-selector";
      readonly selector: VectorSelector; // carries offset and @ of the whole
      readonly window: DurationExpression;
      readonly range: SourceRange;
    }
  | ({
      readonly kind: "subquery";
      readonly input: Expression;
      readonly window: DurationExpression;
      readonly step: DurationExpression | undefined; // undefined = the server's evaluation interval
      readonly range: SourceRange;
    } & TimeShift)
  | { readonly kind: "paren"; readonly input: Expression; readonly range: SourceRange }
  | { readonly kind: "unary"; readonly operator: "+" | "-"; readonly input: Expression; readonly range: SourceRange }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly bool: boolean;
      readonly left: Expression;
      readonly right: Expression;
      readonly matching: VectorMatching | undefined; // there when both sides are vectors, absent otherwise
      readonly range: SourceRange;
    }
  | {
      readonly kind: "aggregation";
      readonly operator: AggregationOperator;
      readonly without: boolean;
      readonly grouping: readonly string[];
      readonly parameter: Expression | undefined;
      readonly input: Expression;
      readonly range: SourceRange;
    }
  | {
      readonly kind: "call";
      readonly function: string; // a name in `functionSignatures`
      readonly arguments: readonly Expression[];
      readonly range: SourceRange;
    };

/**
 * What a call takes and gives. `variadic`: 0 means that every argument must be there; n > 0, that the last may be left
 * out or given up to n times; -1, that it may be left out or given any number of times.
 */
export interface FunctionSignature {
  readonly name: string;
  readonly argumentTypes: readonly ValueType[];
  readonly variadic: number;
  readonly returnType: ValueType;
  readonly experimental: boolean;
}

export interface ParseFailure {
  readonly kind: "parse";
  readonly line: number; // from 1
  readonly column: number; // from 1, in bytes
  readonly reason: string;
  /** `line:column: parse error: reason`, as Prometheus words it. */
  readonly message: string;
}

export interface ParseOptions {
  readonly experimentalFunctions: boolean;
  readonly extendedRangeSelectors: boolean; // anchored, smoothed
  readonly fillModifiers: boolean; // fill, fill_left, fill_right
  /** Levels of parentheses, calls, signs and powers inside each other. */
  readonly nestingMax: number;
  /** Levels of the tree, long chains like `a or b or c` included, so that whoever walks it may recurse. */
  readonly treeDepthMax: number;
  readonly textBytesMax: number;
}

export const defaultParseOptions: ParseOptions = {
  experimentalFunctions: false,
  extendedRangeSelectors: false,
  fillModifiers: false,
  nestingMax: 256,
  treeDepthMax: 500,
  textBytesMax: 1 << 20,
};

/** With all that Prometheus calls experimental. */
export const experimentalParseOptions: ParseOptions = {
  ...defaultParseOptions,
  experimentalFunctions: true,
  extendedRangeSelectors: true,
  fillModifiers: true,
};

/** No option goes beyond: V8's own stack gives out at about twice as many levels, here or wherever a tree is walked. */
export const parseCeilings = { nestingMax: 400, treeDepthMax: 800 } as const satisfies Partial<ParseOptions>;
