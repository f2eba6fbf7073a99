/** Durations back to text. */
import { formatDuration, unreachable } from "@pleiad/model";
import type { DurationExpression } from "./ast.ts";
import { durationPowerPrecedence, durationPrecedence, durationSignPrecedence } from "./duration-parser.ts";
import { durationMsOfSeconds, formatNumber, secondsReadAs } from "./numbers.ts";

/** A duration as it may stand in brackets. */
export function formatDurationExpression(duration: DurationExpression): string {
  switch (duration.kind) {
    case "constant":
      return duration.isDuration === false ? formatSeconds(duration.ms) : formatConstant(duration.ms);
    case "step":
      return "step()";
    case "query-range":
      return "range()";
    case "negate":
      return `-${formatOperand(duration.operand, durationPowerPrecedence)}`;
    case "identity":
      return formatDurationExpression(duration.operand);
    case "binary":
      return formatBinary(duration);
    default:
      return unreachable(duration);
  }
}

/**
 * A duration as it may stand after `offset`, where it ends as early as it can. `arithmeticFollows` says that an operator
 * comes behind it, which a plain parenthesis would take along.
 */
export function formatOffset(duration: DurationExpression, arithmeticFollows: boolean): string {
  if (duration.kind === "identity") return formatOffset(duration.operand, arithmeticFollows);
  if (duration.kind === "negate") {
    const operand = formatDurationExpression(duration.operand);
    return isAtom(duration.operand) ? `-${operand}` : `-(${operand})`;
  }
  const text = formatDurationExpression(duration);
  return isAtom(duration) ? text : `${arithmeticFollows ? "+" : ""}(${text})`;
}

function formatBinary(duration: Extract<DurationExpression, { readonly kind: "binary" }>): string {
  const { operator, left, right } = duration;
  if (operator === "min_of" || operator === "max_of") {
    return `${operator}(${formatDurationExpression(left)}, ${formatDurationExpression(right)})`;
  }
  const precedence = durationPrecedence(operator);
  const [leftMin, rightMin] = operator === "^" ? [precedence + 1, precedence] : [precedence, precedence + 1];
  return `${formatOperand(left, leftMin)} ${operator} ${formatOperand(right, rightMin, true)}`;
}

function formatOperand(operand: DurationExpression, precedenceMin: number, signFits = false): string {
  const text = formatDurationExpression(operand);
  return precedenceOf(operand, signFits) < precedenceMin ? `(${text})` : text;
}

/** How strong a duration's outermost operator binds. A sign may follow any operator (`signFits`), not precede a power. */
function precedenceOf(duration: DurationExpression, signFits: boolean): number {
  switch (duration.kind) {
    case "constant":
      return duration.ms < 0 && !signFits ? durationSignPrecedence : Infinity;
    case "negate":
      return signFits ? Infinity : durationSignPrecedence;
    case "identity":
      return precedenceOf(duration.operand, signFits);
    case "binary":
      return duration.operator === "min_of" || duration.operator === "max_of"
        ? Infinity
        : durationPrecedence(duration.operator);
    default:
      return Infinity;
  }
}

/** Whether a duration is one word or call, perhaps with a sign. */
function isAtom(duration: DurationExpression): boolean {
  return precedenceOf(duration, true) === Infinity && duration.kind !== "negate" && duration.kind !== "identity";
}

function formatConstant(ms: number): string {
  return Number.isSafeInteger(ms) ? formatDuration(ms) : formatSeconds(ms);
}

function formatSeconds(ms: number): string {
  return formatNumber(secondsReadAs(ms, durationMsOfSeconds));
}
