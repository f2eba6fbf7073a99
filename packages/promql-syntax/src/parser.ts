/** The grammar of PromQL: tokens to tree. Types are not looked at here, see `type-check.ts`. */
import { compileMatcher, metricNameLabel, type Matcher } from "@pleiad/model";
import type {
  AggregationOperator,
  AtModifier,
  BinaryOperator,
  DurationExpression,
  Expression,
  ParseOptions,
  SourceRange,
  TimeShift,
  VectorMatching,
  VectorSelector,
} from "./ast.ts";
import { parseOffset, parsePositiveDuration } from "./duration-parser.ts";
import { functionSignatures } from "./functions.ts";
import { quoteString, unquoteString } from "./go-strings.ts";
import { readDuration, readNumber, secondsOfDuration, timestampMsOfSeconds } from "./numbers.ts";
import { SyntaxFault } from "./syntax-fault.ts";
import { TokenStream, type ReadingContext } from "./token-stream.ts";
import {
  binaryPrecedence,
  isAggregationOperator,
  isBinaryOperator,
  isRangeWord,
  namesGroupingLabel,
  namesMetric,
  powerPrecedence,
  startsExpression,
  type Token,
} from "./tokens.ts";

const anyDuration = "number, duration, step(), or range()";
const contexts = {
  aggregation: { name: "aggregation", expected: "" },
  offset: { name: "offset", expected: anyDuration },
  at: { name: "@", expected: "timestamp" },
  window: { name: "subquery or range selector", expected: anyDuration },
  afterWindow: { name: "subquery or range", expected: '":" or "]"' },
  subqueryStep: { name: "subquery selector", expected: `${anyDuration.replace(" or", "")}, or "]"` },
  afterSubqueryStep: { name: "subquery selector", expected: '"]"' },
  grouping: { name: "grouping opts", expected: '"("' },
  groupingLabel: { name: "grouping opts", expected: "label" },
  afterGroupingLabel: { name: "grouping opts", expected: '"," or ")"' },
  matcher: { name: "label matching", expected: 'identifier or "}"' },
  matcherOperator: { name: "label matching", expected: "label matching operator" },
  matcherValue: { name: "label matching", expected: "string" },
  afterMatcher: { name: "label matching", expected: '"," or "}"' },
} as const satisfies Record<string, ReadingContext>;

const experimentalAggregations: ReadonlySet<AggregationOperator> = new Set(["limitk", "limit_ratio"]);
const aggregationsWithParameter: ReadonlySet<AggregationOperator> = new Set([
  "topk",
  "bottomk",
  "count_values",
  "quantile",
  "limitk",
  "limit_ratio",
]);

/** What may stand between an operator and its right side. */
interface BinaryModifiers {
  readonly bool: boolean;
  readonly matching: VectorMatching | undefined;
}

/** An operator whose right side is not complete. */
interface PendingOperator extends BinaryModifiers {
  readonly operator: BinaryOperator;
  readonly left: Expression;
}

type Selector = Extract<Expression, { readonly kind: "vector-selector" | "matrix-selector" | "subquery" }>;

/** Reads a whole query. Throws a `SyntaxFault`. */
export function parseQuery(text: string, options: ParseOptions): Expression {
  const tokens = new TokenStream(text, options.nestingMax);
  if (tokens.isAt("end-of-input")) throw new SyntaxFault(0, "no expression found in input");
  const expression = new ExpressionParser(tokens, options).parse();
  tokens.expect("end-of-input");
  return expression;
}

/** Reads a text that is one selector without anything behind it. Throws a `SyntaxFault`. */
export function parseSelectorOnly(text: string): VectorSelector {
  const tokens = new TokenStream(text, 1);
  const { kind } = tokens.peek();
  const selector = parseVectorSelector(tokens, namesMetric(kind) ? tokens.next() : undefined);
  tokens.expect("end-of-input");
  return selector;
}

class ExpressionParser {
  readonly #tokens: TokenStream;
  readonly #options: ParseOptions;

  constructor(tokens: TokenStream, options: ParseOptions) {
    this.#tokens = tokens;
    this.#options = options;
  }

  /** Reads an operand, and operators with their right sides as long as they bind at least as strong as asked. */
  parse(precedenceMin = 0): Expression {
    // A stack of its own rather than a call for each precedence: calls here add up with every parenthesis.
    const pending: PendingOperator[] = [];
    let operand = this.#operand();
    for (;;) {
      const { kind } = this.#tokens.peek();
      const operator = isBinaryOperator(kind) && binaryPrecedence(kind) >= precedenceMin ? kind : undefined;
      for (
        let last = pending.at(-1);
        last !== undefined && bindsBefore(last.operator, operator);
        last = pending.at(-1)
      ) {
        pending.pop();
        // Only powers pile up, to the right, and each counts as a level.
        if (last.operator === "^") this.#tokens.rise(1);
        const range = { start: last.left.range.start, end: operand.range.end };
        operand = { kind: "binary", ...last, right: operand, range };
      }
      if (operator === undefined) return operand;
      this.#tokens.next();
      if (operator === "^") this.#tokens.deepen();
      pending.push({ operator, ...this.#binaryModifiers(operand.range.start), left: operand });
      operand = this.#operand();
    }
  }

  #binaryModifiers(leftStart: number): BinaryModifiers {
    const tokens = this.#tokens;
    const bool = tokens.accept("bool") !== undefined;
    const on = tokens.accept("on", "ignoring");
    const labels = on === undefined ? [] : parseGroupingLabels(tokens);
    const group = on === undefined ? undefined : tokens.accept("group_left", "group_right");
    const include = group === undefined ? [] : parseIncludedLabels(tokens);
    const fill = parseFillValues(tokens);
    if (fill !== undefined && !this.#options.fillModifiers) {
      throw new SyntaxFault(leftStart, "binop fill modifiers are experimental and not enabled");
    }
    if (on === undefined && fill === undefined) return { bool, matching: undefined };
    const cardinality =
      group === undefined ? "one-to-one" : group.kind === "group_left" ? "many-to-one" : "one-to-many";
    const matching: VectorMatching = {
      cardinality,
      on: on?.kind === "on",
      labels,
      include,
      fillLeft: fill?.left,
      fillRight: fill?.right,
    };
    return { bool, matching };
  }

  /** Something with its signs before and its selectors and modifiers behind it. */
  #operand(): Expression {
    const sign = this.#tokens.accept("+", "-");
    return sign === undefined ? this.#modifiers(this.#atom()) : this.#signed(sign);
  }

  #signed(sign: Token): Expression {
    const operand = this.#tokens.nested(() => this.parse(powerPrecedence));
    const range = { start: sign.start, end: operand.range.end };
    // A sign before a number is part of it: `-5m` is a number still.
    if (operand.kind === "number")
      return { ...operand, value: sign.kind === "-" ? -operand.value : operand.value, range };
    return { kind: "unary", operator: sign.kind === "-" ? "-" : "+", input: operand, range };
  }

  #atom(): Expression {
    const tokens = this.#tokens;
    const first = tokens.peek();
    const { kind, start, end } = first;
    if (!startsExpression(kind)) return tokens.unexpected();
    if (kind === "{") return parseVectorSelector(tokens, undefined);
    tokens.next();
    const range = { start, end };
    switch (kind) {
      case "number":
      case "duration":
        return { kind: "number", value: readNumeric(first), isDuration: kind === "duration", range };
      case "string":
        return { kind: "string", value: unquoteString(first.text), range };
      case "(": {
        const input = tokens.nested(() => this.parse());
        tokens.expect(")");
        return { kind: "paren", input, range: rangeFrom(tokens, start) };
      }
      default:
        if (isAggregationOperator(kind) && tokens.isAt("(", "by", "without")) return this.#aggregation(first, kind);
        if ((kind === "identifier" || isRangeWord(kind)) && tokens.isAt("(")) return this.#call(first);
        return parseVectorSelector(tokens, first);
    }
  }

  #aggregation(first: Token, operator: AggregationOperator): Expression {
    const tokens = this.#tokens;
    const [before, given] = tokens.within(contexts.aggregation, () => [this.#grouping(), this.#arguments()] as const);
    const grouping = before ?? this.#grouping() ?? { without: false, grouping: [] };
    const range = rangeFrom(tokens, first.start);

    if (given.length === 0) throw new SyntaxFault(first.start, "no arguments for aggregate expression provided");
    if (experimentalAggregations.has(operator) && !this.#options.experimentalFunctions) {
      const remedy = "must be enabled with --enable-feature=promql-experimental-functions";
      throw new SyntaxFault(first.start, `${operator}() is experimental and ${remedy}`);
    }
    const wanted = aggregationsWithParameter.has(operator) ? 2 : 1;
    const [input, parameter] = given.toReversed();
    if (input === undefined || given.length !== wanted) {
      const counts = `expected ${wanted}, got ${given.length}`;
      throw new SyntaxFault(first.start, `wrong number of arguments for aggregate expression provided, ${counts}`);
    }
    return { kind: "aggregation", operator, ...grouping, parameter, input, range };
  }

  #grouping(): { readonly without: boolean; readonly grouping: readonly string[] } | undefined {
    const word = this.#tokens.accept("by", "without");
    return word && { without: word.kind === "without", grouping: parseGroupingLabels(this.#tokens) };
  }

  #call(first: Token): Expression {
    const given = this.#arguments();
    const name = first.text;
    const signature = functionSignatures.get(name);
    if (signature === undefined) {
      throw new SyntaxFault(first.start, `unknown function with name ${quoteString(name)}`);
    }
    if (signature.experimental && !this.#options.experimentalFunctions) {
      throw new SyntaxFault(first.start, `function ${quoteString(name)} is not enabled`);
    }
    return { kind: "call", function: name, arguments: given, range: rangeFrom(this.#tokens, first.start) };
  }

  #arguments(): readonly Expression[] {
    const tokens = this.#tokens;
    tokens.expect("(");
    if (tokens.accept(")")) return [];
    const given: Expression[] = [];
    tokens.nested(() => {
      for (;;) {
        given.push(this.parse());
        const comma = tokens.accept(",");
        if (comma === undefined) return;
        if (!startsExpression(tokens.peek().kind)) {
          throw new SyntaxFault(comma.start, "trailing commas not allowed in function call args");
        }
      }
    });
    tokens.expect(")");
    return given;
  }

  #modifiers(expression: Expression): Expression {
    const tokens = this.#tokens;
    let modified = expression;
    for (;;) {
      switch (tokens.peek().kind) {
        case "[":
          modified = parseWindow(tokens, modified);
          break;
        case "offset":
          tokens.next();
          modified = addOffset(
            tokens,
            modified,
            tokens.within(contexts.offset, () => parseOffset(tokens)),
          );
          break;
        case "@":
          tokens.next();
          modified = addAt(
            tokens,
            modified,
            tokens.within(contexts.at, () => parseAt(tokens, modified)),
          );
          break;
        case "anchored":
        case "smoothed":
          modified = this.#extended(modified, tokens.next().kind === "anchored" ? "anchored" : "smoothed");
          break;
        default:
          return modified;
      }
    }
  }

  #extended(expression: Expression, extension: "anchored" | "smoothed"): Expression {
    if (this.#options.extendedRangeSelectors) return addExtension(expression, extension);
    throw new SyntaxFault(expression.range.start, `${extension} modifier is experimental and not enabled`);
  }
}

/** Whether an operator takes what stands between it and the next one. */
function bindsBefore(operator: BinaryOperator, next: BinaryOperator | undefined): boolean {
  if (next === undefined) return true;
  const surplus = binaryPrecedence(operator) - binaryPrecedence(next);
  return surplus > 0 || (surplus === 0 && operator !== "^");
}

function parseVectorSelector(tokens: TokenStream, name: Token | undefined): VectorSelector {
  const start = name?.start ?? tokens.peek().start;
  const matchers = name === undefined || tokens.isAt("{") ? parseMatchers(tokens) : [];
  const nameMatchers: readonly Matcher[] =
    name === undefined ? [] : [{ type: "=", name: metricNameLabel, value: name.text }];
  return {
    kind: "vector-selector",
    matchers: [...matchers, ...nameMatchers],
    metricName: name?.text,
    offset: undefined,
    at: undefined,
    extension: undefined,
    range: rangeFrom(tokens, start),
  };
}

function parseMatchers(tokens: TokenStream): readonly Matcher[] {
  const matchers: Matcher[] = [];
  tokens.expect("{");
  while (!tokens.accept("}")) {
    matchers.push(parseMatcher(tokens));
    if (!tokens.isAt("}")) tokens.expect(",", contexts.afterMatcher);
  }
  return matchers;
}

function parseMatcher(tokens: TokenStream): Matcher {
  const label = tokens.accept("identifier", "string") ?? tokens.unexpected(contexts.matcher);
  const name = label.kind === "string" ? unquoteString(label.text) : label.text;
  const operator = tokens.accept("=", "!=", "=~", "!~");
  if (operator === undefined) {
    if (label.kind === "identifier") tokens.unexpected(contexts.matcherOperator);
    return { type: "=", name: metricNameLabel, value: name };
  }
  const value = unquoteString(tokens.expect("string", contexts.matcherValue).text);
  const type = operator.kind === "=" || operator.kind === "!=" || operator.kind === "=~" ? operator.kind : "!~";
  const matcher: Matcher = { type, name, value };
  const compiled = compileMatcher(matcher);
  if (!compiled.ok) throw new SyntaxFault(label.start, compiled.failure.reason);
  return matcher;
}

function parseGroupingLabels(tokens: TokenStream): readonly string[] {
  tokens.expect("(", contexts.grouping);
  const labels: string[] = [];
  while (!tokens.accept(")")) {
    labels.push(parseGroupingLabel(tokens));
    if (!tokens.isAt(")")) tokens.expect(",", contexts.afterGroupingLabel);
  }
  return labels;
}

function parseGroupingLabel(tokens: TokenStream): string {
  const token = tokens.peek();
  if (namesGroupingLabel(token.kind)) return tokens.next().text;
  const label = unquoteString(tokens.expect("string", contexts.groupingLabel).text);
  if (label === "" || !label.isWellFormed()) {
    throw new SyntaxFault(token.start, `invalid label name for grouping: ${quoteString(label)}`);
  }
  return label;
}

/** The labels of `group_left` and `group_right`, which may be left out. */
function parseIncludedLabels(tokens: TokenStream): readonly string[] {
  if (tokens.isAt("(")) return parseGroupingLabels(tokens);
  return startsExpression(tokens.peek().kind) ? [] : tokens.unexpected(contexts.grouping);
}

function parseFillValues(
  tokens: TokenStream,
): { readonly left: number | undefined; readonly right: number | undefined } | undefined {
  const word = tokens.accept("fill", "fill_left", "fill_right");
  if (word === undefined) return undefined;
  const first = parseFillValue(tokens);
  if (word.kind === "fill") return { left: first, right: first };
  const second = tokens.accept(word.kind === "fill_left" ? "fill_right" : "fill_left") && parseFillValue(tokens);
  return word.kind === "fill_left" ? { left: first, right: second } : { left: second, right: first };
}

function parseFillValue(tokens: TokenStream): number {
  tokens.expect("(");
  const value = parseSignedNumber(tokens);
  tokens.expect(")");
  return value;
}

function parseSignedNumber(tokens: TokenStream): number {
  const sign = tokens.accept("+", "-");
  const value = readNumeric(tokens.accept("number", "duration") ?? tokens.unexpected());
  return sign?.kind === "-" ? -value : value;
}

/** The number that a token stands for; a duration counts in seconds. */
function readNumeric(token: Token): number {
  const value = token.kind === "duration" ? readDuration(token.text) : readNumber(token.text);
  if (!value.ok) throw new SyntaxFault(token.start, value.failure);
  return token.kind === "duration" ? secondsOfDuration(value.value) : value.value;
}

/** Brackets: a range selector, or a subquery if there is a colon inside. */
function parseWindow(tokens: TokenStream, input: Expression): Expression {
  const bracket = tokens.expect("[");
  const window = tokens.within(contexts.window, () => parsePositiveDuration(tokens));
  const { start } = input.range;
  if (!tokens.accept(":")) {
    tokens.expect("]", contexts.afterWindow);
    const selector = rangeSelectorOf(input, bracket.start);
    return { kind: "matrix-selector", selector, window, range: rangeFrom(tokens, start) };
  }
  const step = tokens.isAt("]") ? undefined : tokens.within(contexts.subqueryStep, () => parsePositiveDuration(tokens));
  tokens.expect("]", contexts.afterSubqueryStep);
  const range = rangeFrom(tokens, start);
  return { kind: "subquery", input, window, step, offset: undefined, at: undefined, range };
}

function rangeSelectorOf(input: Expression, bracketStart: number): VectorSelector {
  if (input.kind !== "vector-selector") throw new SyntaxFault(bracketStart, "ranges only allowed for vector selectors");
  if (isOffset(input)) throw new SyntaxFault(bracketStart, "no offset modifiers allowed before range");
  if (input.at !== undefined) throw new SyntaxFault(bracketStart, "no @ modifiers allowed before range");
  return input;
}

function addOffset(tokens: TokenStream, expression: Expression, offset: DurationExpression): Expression {
  const selector = asSelector(expression, "offset");
  if (isOffset(shiftOf(selector))) {
    throw new SyntaxFault(expression.range.start, "offset may not be set multiple times");
  }
  return withShift(selector, { ...shiftOf(selector), offset }, rangeFrom(tokens, expression.range.start));
}

function parseAt(tokens: TokenStream, expression: Expression): AtModifier {
  const end = tokens.accept("start", "end");
  if (end !== undefined) {
    tokens.expect("(");
    tokens.expect(")");
    return { kind: end.kind === "start" ? "start" : "end" };
  }
  const seconds = parseSignedNumber(tokens);
  const timestampMs = timestampMsOfSeconds(seconds);
  if (timestampMs === undefined) {
    const reason = `timestamp out of bounds for @ modifier: ${formatFixed(seconds)}`;
    throw new SyntaxFault(expression.range.start, reason);
  }
  return { kind: "time", timestampMs };
}

function addAt(tokens: TokenStream, expression: Expression, at: AtModifier): Expression {
  const selector = asSelector(expression, "@");
  if (shiftOf(selector).at !== undefined) {
    throw new SyntaxFault(expression.range.start, "@ <timestamp> may not be set multiple times");
  }
  return withShift(selector, { ...shiftOf(selector), at }, rangeFrom(tokens, expression.range.start));
}

function asSelector(expression: Expression, modifier: "offset" | "@"): Selector {
  switch (expression.kind) {
    case "vector-selector":
    case "matrix-selector":
    case "subquery":
      return expression;
    default: {
      const wish = "must be preceded by an instant vector selector or range vector selector or a subquery";
      throw new SyntaxFault(expression.range.start, `${modifier} modifier ${wish}`);
    }
  }
}

function shiftOf(selector: Selector): TimeShift {
  return selector.kind === "matrix-selector" ? selector.selector : selector;
}

function withShift(selector: Selector, { offset, at }: TimeShift, range: SourceRange): Expression {
  if (selector.kind !== "matrix-selector") return { ...selector, offset, at, range };
  return { ...selector, selector: { ...selector.selector, offset, at }, range };
}

/** Whether an offset is set; one of zero may be set again. */
function isOffset({ offset }: TimeShift): boolean {
  return offset !== undefined && !(offset.kind === "constant" && offset.ms === 0);
}

function addExtension(expression: Expression, extension: "anchored" | "smoothed"): Expression {
  const { start } = expression.range;
  switch (expression.kind) {
    case "vector-selector":
    case "matrix-selector": {
      const selector = expression.kind === "matrix-selector" ? expression.selector : expression;
      if (selector.extension !== undefined && selector.extension !== extension) {
        throw new SyntaxFault(start, "anchored and smoothed modifiers cannot be used together");
      }
      const extended = { ...selector, extension };
      return expression.kind === "matrix-selector" ? { ...expression, selector: extended } : extended;
    }
    case "subquery":
      throw new SyntaxFault(start, `${extension} modifier is not supported for subqueries`);
    default:
      throw new SyntaxFault(start, `${extension} modifier not implemented`);
  }
}

function rangeFrom(tokens: TokenStream, start: number): SourceRange {
  return { start, end: tokens.lastEnd };
}

/** Six decimals, as Go's %f writes them. */
function formatFixed(value: number): string {
  if (value !== value) return "NaN";
  if (Math.abs(value) === Infinity) return value > 0 ? "+Inf" : "-Inf";
  return Math.abs(value) < 1e21 ? value.toFixed(6) : `${BigInt(value)}.000000`;
}
