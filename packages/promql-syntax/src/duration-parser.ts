/** The grammar of durations in brackets and after `offset`: a small language of its own inside PromQL. */
import type { DurationExpression, SourceRange } from "./ast.ts";
import { durationMsOfSeconds, readDuration, readNumber } from "./numbers.ts";
import { SyntaxFault } from "./syntax-fault.ts";
import type { TokenStream } from "./token-stream.ts";
import type { Token, TokenKind } from "./tokens.ts";

type DurationOperator = "+" | "-" | "*" | "/" | "%" | "^";

/** From weak to strong. A sign binds like `*`: what it applies to binds stronger. */
const precedences: ReadonlyMap<string, number> = new Map<DurationOperator, number>([
  ["+", 1],
  ["-", 1],
  ["*", 2],
  ["/", 2],
  ["%", 2],
  ["^", 3],
]);
export const durationSignPrecedence = 2;
export const durationPowerPrecedence = 3;

export function durationPrecedence(operator: DurationOperator): number {
  return precedences.get(operator) ?? 0;
}

/** Reads a duration with all its operators. */
export function parseDuration(tokens: TokenStream): DurationExpression {
  return parseOperators(tokens, parseOperand(tokens), 0);
}

/** Reads a duration that must be above zero, as far as the text tells. */
export function parsePositiveDuration(tokens: TokenStream): DurationExpression {
  const duration = parseDuration(tokens);
  if (duration.kind === "constant" && duration.ms <= 0) {
    throw new SyntaxFault(duration.range.start, "duration must be greater than 0");
  }
  return duration;
}

/**
 * Reads the duration after `offset`. It ends as early as it can: `foo offset 5 + 2` is `(foo offset 5) + 2`. Only one
 * that begins with a parenthesis or with two signs takes the operators behind it along.
 */
export function parseOffset(tokens: TokenStream): DurationExpression {
  if (tokens.isAt("(")) return parseDuration(tokens);
  const sign = tokens.accept("+", "-");
  if (sign === undefined) return parseAtom(tokens);
  if (!tokens.isAt("+", "-")) return applySign(sign, parseAtom(tokens, sign.start));
  return parseOperators(tokens, parseSigned(tokens, sign), 0);
}

/** Reads the operators behind `first`, and what they apply to, as long as they bind at least that strong. */
function parseOperators(tokens: TokenStream, first: DurationExpression, precedenceMin: number): DurationExpression {
  let left = first;
  let operatorCount = 0;
  for (;;) {
    const { kind: operator, start } = tokens.peek();
    if (!isDurationOperator(operator) || durationPrecedence(operator) < precedenceMin) break;
    tokens.next();
    // Every operator counts as a level, so that whoever evaluates a duration may recurse.
    tokens.deepen();
    operatorCount++;
    const rightMin = operator === "^" ? durationPowerPrecedence : durationPrecedence(operator) + 1;
    const right = parseOperators(tokens, parseOperand(tokens), rightMin);
    if ((operator === "/" || operator === "%") && right.kind === "constant" && right.ms === 0) {
      throw new SyntaxFault(start, operator === "/" ? "division by zero" : "modulo by zero");
    }
    left = { kind: "binary", operator, left, right, range: { start: left.range.start, end: right.range.end } };
  }
  tokens.rise(operatorCount);
  return left;
}

function parseOperand(tokens: TokenStream): DurationExpression {
  const sign = tokens.accept("+", "-");
  return sign === undefined ? parseAtom(tokens) : parseSigned(tokens, sign);
}

function parseSigned(tokens: TokenStream, sign: Token): DurationExpression {
  const operand = tokens.nested(() => parseOperators(tokens, parseOperand(tokens), durationPowerPrecedence));
  return applySign(sign, operand);
}

/** `start` is where a number that is too large gets reported. */
function parseAtom(tokens: TokenStream, start = tokens.peek().start): DurationExpression {
  const first = tokens.accept("number", "duration", "step", "range", "min_of", "max_of", "(") ?? tokens.unexpected();
  switch (first.kind) {
    case "step":
    case "range":
      tokens.expect("(");
      tokens.expect(")");
      return { kind: first.kind === "step" ? "step" : "query-range", range: rangeFrom(first, tokens) };
    case "min_of":
    case "max_of":
      return parseChoice(tokens, first, first.kind);
    case "(": {
      const inner = tokens.nested(() => parseDuration(tokens));
      tokens.expect(")");
      return inner;
    }
    default:
      return {
        kind: "constant",
        ms: readConstant(first, start),
        isDuration: first.kind === "duration",
        range: { start: first.start, end: first.end },
      };
  }
}

function parseChoice(tokens: TokenStream, first: Token, operator: "min_of" | "max_of"): DurationExpression {
  return tokens.nested(() => {
    tokens.expect("(");
    const left = parseDuration(tokens);
    tokens.expect(",");
    const right = parseDuration(tokens);
    tokens.expect(")");
    return { kind: "binary", operator, left, right, range: rangeFrom(first, tokens) };
  });
}

function readConstant(token: Token, start: number): number {
  if (token.kind === "duration") {
    const ms = readDuration(token.text);
    if (!ms.ok) throw new SyntaxFault(token.start, ms.failure);
    return ms.value;
  }
  const seconds = readNumber(token.text);
  if (!seconds.ok) throw new SyntaxFault(token.start, seconds.failure);
  const ms = durationMsOfSeconds(seconds.value);
  if (ms === undefined) throw new SyntaxFault(start, "duration out of range");
  return ms;
}

/** A plus says nothing, and a minus before a constant becomes part of it. */
function applySign(sign: Token, operand: DurationExpression): DurationExpression {
  const range = { start: sign.start, end: operand.range.end };
  if (sign.kind === "+") return { ...operand, range };
  // 0 - x rather than -x: there is no negative zero among durations.
  return operand.kind === "constant" ? { ...operand, ms: 0 - operand.ms, range } : { kind: "negate", operand, range };
}

function isDurationOperator(kind: TokenKind): kind is DurationOperator {
  return precedences.has(kind);
}

function rangeFrom(first: Token, tokens: TokenStream): SourceRange {
  return { start: first.start, end: tokens.lastEnd };
}
