/**
 * Trees back to text.
 *
 * The text of a tree that the parser made reads back as an equal tree, source ranges aside. A tree made by other hands
 * gets parentheses where its shape needs them.
 */
import { formatDuration, metricNameLabel, unreachable, type Matcher } from "@pleiad/model";
import type { AtModifier, BinaryOperator, Expression, TimeShift, VectorMatching, VectorSelector } from "./ast.ts";
import { formatDurationExpression, formatOffset } from "./duration-text.ts";
import { quoteString } from "./go-strings.ts";
import { formatNumber, secondsOfDuration, secondsReadAs, timestampMsOfSeconds } from "./numbers.ts";
import {
  binaryPrecedence,
  keywords,
  namesGroupingLabel,
  namesMetric,
  powerPrecedence,
  signPrecedence,
} from "./tokens.ts";

type Binary = Extract<Expression, { readonly kind: "binary" }>;
type Aggregation = Extract<Expression, { readonly kind: "aggregation" }>;

/** What stands around an operand decides whether it needs parentheses. */
interface Surroundings {
  /** An operand that binds weaker than this would fall apart. */
  readonly precedenceMin: number;
  /** A sign may stand here, however weak it binds: behind an operator or another sign. */
  readonly signFits: boolean;
  /** Behind the operand comes an operator that an offset at its end could take for its own. */
  readonly arithmeticFollows: boolean;
}

const durationOperators: ReadonlySet<BinaryOperator> = new Set(["+", "-", "*", "/", "%", "^"]);

/** The expression as one line of PromQL. */
export function formatExpression(expression: Expression): string {
  return format(expression, false);
}

function format(expression: Expression, arithmeticFollows: boolean): string {
  switch (expression.kind) {
    case "number":
      return expression.isDuration ? formatDurationLiteral(expression.value) : formatNumber(expression.value);
    case "string":
      return quoteString(expression.value);
    case "vector-selector":
      return formatSelector(expression) + formatModifiers(expression, arithmeticFollows);
    case "matrix-selector": {
      const { selector, window } = expression;
      const brackets = `[${formatDurationExpression(window)}]`;
      return formatSelector(selector) + brackets + formatModifiers(selector, arithmeticFollows);
    }
    case "subquery": {
      const { input, window, step } = expression;
      const stepText = step === undefined ? "" : formatDurationExpression(step);
      const brackets = `[${formatDurationExpression(window)}:${stepText}]`;
      const operand = formatOperand(input, { precedenceMin: Infinity, signFits: false, arithmeticFollows: false });
      return operand + brackets + formatShift(expression, arithmeticFollows);
    }
    case "paren":
      return `(${format(expression.input, false)})`;
    case "unary": {
      const { operator, input } = expression;
      return operator + formatOperand(input, { precedenceMin: powerPrecedence, signFits: true, arithmeticFollows });
    }
    case "binary":
      return formatBinary(expression, arithmeticFollows);
    case "aggregation": {
      const { operator, parameter, input } = expression;
      const given = parameter === undefined ? [input] : [parameter, input];
      return `${operator}${formatGrouping(expression)}(${formatArguments(given)})`;
    }
    case "call":
      return `${expression.function}(${formatArguments(expression.arguments)})`;
    default:
      return unreachable(expression);
  }
}

/** Unrolls the left side: chains like `a + b + …` grow there without end. */
function formatBinary(outermost: Binary, arithmeticFollows: boolean): string {
  const links = [outermost];
  let innermost = outermost;
  while (innermost.left.kind === "binary" && precedenceOf(innermost.left) >= leftPrecedenceMin(innermost.operator)) {
    innermost = innermost.left;
    links.push(innermost);
  }
  links.reverse();
  const texts = [
    formatOperand(innermost.left, {
      precedenceMin: leftPrecedenceMin(innermost.operator),
      signFits: false,
      arithmeticFollows: durationOperators.has(innermost.operator),
    }),
  ];
  links.forEach(({ operator, bool, matching, right }, i) => {
    const follower = links[i + 1];
    texts.push(` ${operator}${bool ? " bool" : ""}${formatMatching(matching)} `);
    texts.push(
      formatOperand(right, {
        precedenceMin: rightPrecedenceMin(operator),
        signFits: true,
        arithmeticFollows: follower === undefined ? arithmeticFollows : durationOperators.has(follower.operator),
      }),
    );
  });
  return texts.join("");
}

function formatOperand(operand: Expression, { precedenceMin, signFits, arithmeticFollows }: Surroundings): string {
  const isSigned = operand.kind === "unary" || operand.kind === "number";
  if ((signFits && isSigned) || precedenceOf(operand) >= precedenceMin) return format(operand, arithmeticFollows);
  return `(${format(operand, false)})`;
}

/** How strong the outermost operator of an expression binds; infinite where there is none. */
function precedenceOf(expression: Expression): number {
  switch (expression.kind) {
    case "binary":
      return binaryPrecedence(expression.operator);
    case "unary":
      return signPrecedence;
    case "number":
      return expression.value < 0 || Object.is(expression.value, -0) ? signPrecedence : Infinity;
    default:
      return Infinity;
  }
}

function leftPrecedenceMin(operator: BinaryOperator): number {
  return operator === "^" ? powerPrecedence + 1 : binaryPrecedence(operator);
}

function rightPrecedenceMin(operator: BinaryOperator): number {
  return operator === "^" ? powerPrecedence : binaryPrecedence(operator) + 1;
}

function formatArguments(given: readonly Expression[]): string {
  return given.map((argument) => format(argument, false)).join(", ");
}

function formatGrouping({ without, grouping }: Aggregation): string {
  if (!without && grouping.length === 0) return "";
  return ` ${without ? "without" : "by"} ${formatLabelList(grouping)} `;
}

function formatMatching(matching: VectorMatching | undefined): string {
  if (matching === undefined) return "";
  const { cardinality, on, labels, include, fillLeft, fillRight } = matching;
  const grouped = cardinality === "many-to-one" || cardinality === "one-to-many";
  let text = "";
  if (on || labels.length > 0 || grouped) text += ` ${on ? "on" : "ignoring"} ${formatLabelList(labels)}`;
  if (grouped) text += ` group_${cardinality === "many-to-one" ? "left" : "right"} ${formatLabelList(include)}`;
  if (fillLeft !== undefined && Object.is(fillLeft, fillRight)) return `${text} fill (${formatNumber(fillLeft)})`;
  if (fillLeft !== undefined) text += ` fill_left (${formatNumber(fillLeft)})`;
  if (fillRight !== undefined) text += ` fill_right (${formatNumber(fillRight)})`;
  return text;
}

function formatLabelList(labels: readonly string[]): string {
  return `(${labels.map(formatGroupingLabel).join(", ")})`;
}

function formatGroupingLabel(label: string): string {
  const keyword = keywords.get(label.toLowerCase());
  const mayBeBare = keyword === undefined || namesGroupingLabel(keyword);
  return mayBeBare ? formatLabel(label) : quoteString(label);
}

function formatLabel(label: string): string {
  return /^[a-zA-Z_]\w*$/.test(label) ? label : quoteString(label);
}

function formatSelector(selector: VectorSelector): string {
  const name = bareNameOf(selector);
  // A bare name stands for its matcher; without it, the matcher is written like any other.
  const inBraces = selector.matchers.filter((matcher) => name === undefined || matcher.name !== metricNameLabel);
  if (name !== undefined && inBraces.length === 0) return name;
  return `${name ?? ""}{${inBraces.map(formatMatcher).join(",")}}`;
}

function bareNameOf({ metricName, matchers }: VectorSelector): string | undefined {
  if (metricName === undefined || !/^[a-zA-Z_:][\w:]*$/.test(metricName)) return undefined;
  const keyword = keywords.get(metricName.toLowerCase());
  if (keyword !== undefined && !namesMetric(keyword)) return undefined;
  const [matcher, second] = matchers.filter(({ name }) => name === metricNameLabel);
  const isTheOne = matcher?.type === "=" && matcher.value === metricName && second === undefined;
  return isTheOne ? metricName : undefined;
}

function formatMatcher({ name, type, value }: Matcher): string {
  return `${formatLabel(name)}${type}${quoteString(value)}`;
}

function formatModifiers(selector: VectorSelector, arithmeticFollows: boolean): string {
  const extension = selector.extension === undefined ? "" : ` ${selector.extension}`;
  return extension + formatShift(selector, arithmeticFollows);
}

function formatShift({ at, offset }: TimeShift, arithmeticFollows: boolean): string {
  const atText = at === undefined ? "" : ` @ ${formatAt(at)}`;
  return offset === undefined ? atText : `${atText} offset ${formatOffset(offset, arithmeticFollows)}`;
}

function formatAt(at: AtModifier): string {
  if (at.kind !== "time") return `${at.kind}()`;
  return formatNumber(secondsReadAs(at.timestampMs, timestampMsOfSeconds));
}

/** A number that was written as a duration, such as `5m`. */
function formatDurationLiteral(seconds: number): string {
  const ms = Math.round(Math.abs(seconds) * 1000);
  if (!Number.isSafeInteger(ms) || secondsOfDuration(ms) !== Math.abs(seconds)) return formatNumber(seconds);
  const sign = seconds < 0 || Object.is(seconds, -0) ? "-" : "";
  return sign + formatDuration(ms);
}
