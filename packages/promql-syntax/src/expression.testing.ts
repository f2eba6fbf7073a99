/** What the tests of this package share: comparing trees, and making up queries. */
import fc from "fast-check";
import { functionSignatures } from "./functions.ts";
import { quoteString } from "./go-strings.ts";
import type { ValueType } from "./ast.ts";

/** A tree as text that is equal for trees that differ in source ranges only; tells 0 from -0, and NaN from null. */
export function withoutRanges(tree: unknown): string {
  return JSON.stringify(tree, (key, value: unknown) => {
    if (key === "range") return undefined;
    if (typeof value !== "number") return value;
    return Object.is(value, -0) || !Number.isFinite(value) ? `number ${Object.is(value, -0) ? "-0" : value}` : value;
  });
}

const words = [
  ...["up", "node_cpu_seconds_total", "job:rate:5m", ":x", "sum", "by", "offset", "and", "or", "Unless"],
  ...["start", "step", "fill", "fill_left", "anchored", "min_of", "without", "a1", "_"],
];
const labelWords = ["job", "instance", "le", "sum", "by", "on", "bool", "fill", "inf", "without", "__name__", "Nan"];
const numbers = ["0", "1", "2.5", ".5", "1e3", "1_000", "0x1F", "017", "Inf", "nan", "5m", "1h30m", "0s", "1.001"];
const durations = ["5m", "1", "1.5", "90", "0x10", "1d", "1w1d", "500ms", "0.0005", "1.001", "7200.3333333333333"];

const textLiteral = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 6 }).map((text) => quoteString(text)),
  fc.constantFrom("'it\\'s'", "`raw\\n`", '"\\xff\\u00e9\\101"', '"a.b"', "'\\U0001F600'", '""'),
);

const label = fc.oneof(fc.constantFrom("job", "instance", "sum", "by", "fill", "a:b", "OFFSET"), fc.constant('"a.b"'));
const labelList = fc.array(label, { maxLength: 3 }).chain((labels) =>
  // A comma may stand at the end of a list that holds something.
  fc.boolean().map((comma) => `(${labels.join(",")}${comma && labels.length > 0 ? "," : ""})`),
);

const regexes = fc.constantFrom("a.*", "x|y", "", "[0-9]+", "(?i)a");
const matcher = fc.oneof(
  fc.tuple(fc.constantFrom(...labelWords), fc.constantFrom("=", "!="), textLiteral).map((parts) => parts.join(" ")),
  fc.tuple(fc.constantFrom(...labelWords), fc.constantFrom("=~", "!~"), regexes).map(([n, t, v]) => `${n}${t}"${v}"`),
  fc.constantFrom('"label-x"="v"', "'a.b'!~`c`"),
);

/** A selector that does not select everything, without modifiers. */
const selector = fc
  .tuple(
    fc.constantFrom(...words, '{"metric.name"', '{__name__=~"a.+"', '{job="a"'),
    fc.array(
      matcher.filter((text) => !text.startsWith("__name__")),
      { maxLength: 2 },
    ),
  )
  .map(([head, matchers]) => {
    if (head.startsWith("{")) return `${[head, ...matchers].join(", ")} }`;
    return matchers.length === 0 ? head : `${head} {${matchers.join(",")}}`;
  });

const durationTree = fc.letrec<{ any: string; operand: string }>((tie) => ({
  operand: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(...durations, "step()", "RANGE()"),
    tie("operand").map((operand) => `-${operand}`),
    tie("any").map((inner) => `(${inner})`),
    fc.tuple(fc.constantFrom("min_of", "max_of"), tie("any"), tie("any")).map(([f, a, b]) => `${f}(${a}, ${b})`),
  ),
  any: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    tie("operand"),
    fc
      .tuple(tie("any"), fc.constantFrom("+", "-", "*", "/", "%", "^"), tie("operand"))
      .map(([left, operator, right]) => `${left} ${operator} ${right}`),
  ),
}));

// Above zero as far as the text tells: a sign in front may make a constant negative.
const windowText = durationTree.any.map((text) => (text.startsWith("-") || /^[(-]*-/.test(text) ? `1m+${text}` : text));
const offsetText = fc.oneof(
  fc.constantFrom(...durations, "-5m", "+3", "step()", "-range()", "+min_of(1m,step())", "-max_of(1, 2)", "0", "- -5"),
  durationTree.any.map((text) => `(${text})`),
  durationTree.any.map((text) => `-(${text})`),
);

const shift = fc.tuple(
  fc.option(fc.constantFrom("@ 5", "@ -1.5", "@ 1e9", "@ 1609746000.123", "@ start()", "@ end()", "@ 5m")),
  fc.option(offsetText.map((text) => `offset ${text}`)),
  fc.boolean(),
);
const shiftText = shift.map(([at, offset, swapped]) => {
  const parts = [at, offset].filter((part) => part !== null);
  return (swapped ? parts.reverse() : parts).map((part) => ` ${part}`).join("");
});
const extension = fc.constantFrom("", "", "", " anchored", " smoothed");

const fills = fc.constantFrom("", "", "fill (0)", "fill_left(-1)", "fill_right(Inf)", "fill_left(1) fill_right (NaN)");
const plainMatching = fc
  .tuple(
    fc.option(fc.tuple(fc.constantFrom("on", "ignoring"), labelList)),
    fc.option(fc.tuple(fc.constantFrom("group_left", "group_right"), fc.constantFrom("", "(x1)", "(x1, x2)"))),
    fills,
  )
  .map(([on, group, fill]) => `${on === null ? "" : `${on.join("")} ${group === null ? "" : group.join("")}`} ${fill}`);

type Makers = Record<ValueType, string>;

/** Queries of every type, from texts that mean something by themselves; all parse with experimental functions. */
const queries = fc.letrec<Makers>((tie) => {
  const options = { depthSize: "medium", maxDepth: 5 } as const;
  const calls = (type: ValueType) =>
    fc
      .constantFrom(...[...functionSignatures.values()].filter(({ returnType }) => returnType === type))
      .filter(({ name }) => name !== "info")
      .chain(({ name, argumentTypes }) =>
        fc.tuple(...argumentTypes.map((type) => tie(type))).map((given) => `${name}(${given.join(" , ")})`),
      );
  const arithmetic = fc.constantFrom("+", "-", "*", "/", "%", "^", "atan2");
  const comparison = fc.constantFrom("==", "!=", "<", ">", "<=", ">=", "== bool", "> bool");
  const vectorOperator = fc.oneof(arithmetic, comparison, fc.constantFrom("</", ">/"));
  const binary = (left: ValueType, operator: fc.Arbitrary<string>, right: ValueType) =>
    fc.tuple(tie(left), operator, tie(right)).map((parts) => parts.join(" "));
  const aggregation = fc
    .tuple(
      fc.oneof(
        fc.tuple(fc.constantFrom("sum", "avg", "MAX", "group", "stddev"), fc.constant("")),
        fc.tuple(fc.constantFrom("topk", "quantile", "limitk"), tie("scalar")),
        fc.tuple(fc.constant("count_values"), tie("string")),
      ),
      fc.option(fc.tuple(fc.constantFrom("by", "without", "BY"), labelList)),
      fc.boolean(),
      tie("vector"),
    )
    .map(([[operator, parameter], grouping, first, input]) => {
      const by = grouping === null ? "" : ` ${grouping.join("")} `;
      const given = `(${parameter === "" ? "" : `${parameter}, `}${input})`;
      return first ? operator + by + given : operator + given + by;
    });
  const parenthesised = (type: ValueType) => tie(type).map((inner) => `( ${inner} ) # )`.replace("# )", ""));
  const signed = (type: ValueType) => fc.tuple(fc.constantFrom("-", "+"), tie(type)).map((parts) => parts.join(""));
  return {
    string: textLiteral,
    scalar: fc.oneof(
      options,
      fc.constantFrom(...numbers),
      parenthesised("scalar"),
      signed("scalar"),
      calls("scalar"),
      binary("scalar", arithmetic, "scalar"),
      fc.tuple(tie("scalar"), tie("scalar")).map(([left, right]) => `(${left}) <= bool (${right})`),
    ),
    vector: fc.oneof(
      options,
      fc.tuple(selector, extension, shiftText).map((parts) => parts.join("")),
      parenthesised("vector"),
      signed("vector"),
      calls("vector"),
      aggregation,
      fc.tuple(tie("vector"), vectorOperator, tie("scalar")).map(([l, o, r]) => `(${l}) ${o} (${r})`),
      fc
        .tuple(tie("vector"), vectorOperator, plainMatching, tie("vector"))
        .map(([l, ...rest]) => `(${l}) ${rest.join(" ")}`),
      fc
        .tuple(tie("vector"), fc.constantFrom("and", "OR", "unless on (a)"), tie("vector"))
        .map((parts) => parts.join(" ")),
    ),
    matrix: fc.oneof(
      options,
      fc
        .tuple(selector, windowText, extension, shiftText)
        .map(([head, window, extended, shifted]) => `${head}[${window}]${extended}${shifted}`),
      fc
        .tuple(parenthesised("vector"), windowText, fc.option(windowText), shiftText)
        .map(([input, window, step, shifted]) => `${input}[${window}:${step ?? ""}]${shifted}`),
    ),
  };
});

/** Queries with everything that the grammar has. Most parse; where precedence mixes types up, one may not. */
export const anyQuery: fc.Arbitrary<string> = fc.oneof(queries.vector, queries.vector, queries.scalar, queries.matrix);
