/** The words of the language, and how messages name them. */
import type { AggregationOperator, BinaryOperator } from "./ast.ts";
import { quoteString } from "./go-strings.ts";
import { utf8Length } from "./source-position.ts";

type Punctuation = "(" | ")" | "{" | "}" | "[" | "]" | "," | ":" | "=" | "=~" | "!~" | "@";
type ModifierWord =
  | "offset"
  | "smoothed"
  | "anchored"
  | "by"
  | "without"
  | "on"
  | "ignoring"
  | "group_left"
  | "group_right"
  | "fill"
  | "fill_left"
  | "fill_right"
  | "bool";
/** Words that are functions, parts of durations, or names, by what stands around them. */
type RangeWord = "start" | "end" | "step" | "range" | "max_of" | "min_of";
type LiteralKind = "identifier" | "metric-identifier" | "number" | "duration" | "string";

export type TokenKind =
  | "end-of-input"
  | LiteralKind
  | Punctuation
  | BinaryOperator
  | AggregationOperator
  | ModifierWord
  | RangeWord;

export interface Token {
  readonly kind: TokenKind;
  readonly text: string; // as written
  readonly start: number; // UTF-16 offset
  readonly end: number;
}

const aggregationOperators: ReadonlySet<TokenKind> = new Set<AggregationOperator>([
  "sum",
  "avg",
  "count",
  "min",
  "max",
  "group",
  "stddev",
  "stdvar",
  "topk",
  "bottomk",
  "count_values",
  "quantile",
  "limitk",
  "limit_ratio",
]);

const modifierWords: ReadonlySet<TokenKind> = new Set<ModifierWord>([
  "offset",
  "smoothed",
  "anchored",
  "by",
  "without",
  "on",
  "ignoring",
  "group_left",
  "group_right",
  "fill",
  "fill_left",
  "fill_right",
  "bool",
]);

const rangeWords: ReadonlySet<TokenKind> = new Set<RangeWord>(["start", "end", "step", "range", "max_of", "min_of"]);

/** From weak to strong. A sign binds like `*`: what it applies to binds stronger. */
const binaryPrecedences: ReadonlyMap<TokenKind, number> = new Map<BinaryOperator, number>([
  ["or", 1],
  ["and", 2],
  ["unless", 2],
  ["==", 3],
  ["!=", 3],
  [">", 3],
  ["<", 3],
  [">=", 3],
  ["<=", 3],
  ["</", 3],
  [">/", 3],
  ["+", 4],
  ["-", 4],
  ["*", 5],
  ["/", 5],
  ["%", 5],
  ["atan2", 5],
  ["^", 6],
]);

export const signPrecedence = 5;
export const powerPrecedence = 6;

const operatorWords: readonly BinaryOperator[] = ["and", "or", "unless", "atan2"];

/** What a word stands for where keywords are words, by its lower-case form. */
export const keywords: ReadonlyMap<string, TokenKind> = new Map<string, TokenKind>([
  ...[...aggregationOperators, ...modifierWords, ...rangeWords, ...operatorWords].map((word) => [word, word] as const),
  ["inf", "number"],
  ["nan", "number"],
]);

/** Keywords that cannot name a metric. */
const notMetricNames: ReadonlySet<TokenKind> = new Set<TokenKind>([
  "bool",
  "on",
  "ignoring",
  "group_left",
  "group_right",
  "atan2",
]);

/** Keywords that cannot stand bare in a list of labels. */
const notGroupingLabels: ReadonlySet<TokenKind> = new Set<TokenKind>(["without"]);

export function isAggregationOperator(kind: TokenKind): kind is AggregationOperator {
  return aggregationOperators.has(kind);
}

export function isBinaryOperator(kind: TokenKind): kind is BinaryOperator {
  return binaryPrecedences.has(kind);
}

export function binaryPrecedence(operator: BinaryOperator): number {
  return binaryPrecedences.get(operator) ?? 0;
}

/** Whether the word may name a function though it is a keyword. */
export function isRangeWord(kind: TokenKind): kind is RangeWord {
  return rangeWords.has(kind);
}

/** Whether a token can be the name of a metric, by its kind. */
export function namesMetric(kind: TokenKind): boolean {
  return kind === "identifier" || kind === "metric-identifier" || (isKeyword(kind) && !notMetricNames.has(kind));
}

/** Whether a token can be a label in `by (...)` and its like, by its kind. */
export function namesGroupingLabel(kind: TokenKind): boolean {
  return kind === "identifier" || kind === "metric-identifier" || (isKeyword(kind) && !notGroupingLabels.has(kind));
}

/** Whether an expression can begin with such a token. */
export function startsExpression(kind: TokenKind): boolean {
  switch (kind) {
    case "number":
    case "duration":
    case "string":
    case "(":
    case "{":
    case "+":
    case "-":
      return true;
    default:
      return namesMetric(kind);
  }
}

/** The token as "unexpected …" names it. */
export function describeToken(token: Token): string {
  const { kind, text } = token;
  switch (kind) {
    case "end-of-input":
      return "end of input";
    case "identifier":
      return `identifier ${quoteString(text)}`;
    case "metric-identifier":
      return `metric identifier ${quoteString(text)}`;
    case "number":
    case "duration":
    case "string":
      return `${kind} ${quoteShortened(text)}`;
    default:
      if (modifierWords.has(kind)) return `<${text}>`;
      if (aggregationOperators.has(kind)) return `<aggr:${text}>`;
      if (isBinaryOperator(kind) || kind === "=~" || kind === "!~" || kind === "@") return `<op:${text}>`;
      return quoteShortened(text);
  }
}

function isKeyword(kind: TokenKind): boolean {
  return keywords.get(kind) === kind;
}

function quoteShortened(text: string): string {
  if (utf8Length(text) <= 10) return quoteString(text);
  const firstTen = Array.from(text.slice(0, 20)).slice(0, 10);
  return `${quoteString(firstTen.join(""))}...`;
}
