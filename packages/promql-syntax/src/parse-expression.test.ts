import { describe, expect, it } from "vitest";
import { experimentalParseOptions, parseCeilings, type Expression, type ParseOptions } from "./ast.ts";
import { parseExpression, parseSelector } from "./parse-expression.ts";
import { formatExpression } from "./printer.ts";
import { typeOf } from "./tree.ts";

const all = experimentalParseOptions;

function parsed(text: string, options: Partial<ParseOptions> = all): Expression {
  const result = parseExpression(text, options);
  if (!result.ok) throw new Error(`${text}: ${result.failure.message}`);
  return result.value;
}

function messageOf(text: string, options: Partial<ParseOptions> = all): string {
  const result = parseExpression(text, options);
  return result.ok ? `parsed: ${formatExpression(result.value)}` : result.failure.message;
}

/** The shape of an expression: every operator and sign with its operands in brackets. */
function shapeOf(expression: Expression): string {
  switch (expression.kind) {
    case "binary":
      return `[${shapeOf(expression.left)} ${expression.operator} ${shapeOf(expression.right)}]`;
    case "unary":
      return `[${expression.operator}${shapeOf(expression.input)}]`;
    default:
      return formatExpression(expression);
  }
}

describe("numbers", () => {
  for (const [rule, text, value] of [
    ["decimal", "1.5e-3", 0.0015],
    ["no digit before the dot", ".5", 0.5],
    ["no digit behind the dot", "5.", 5],
    ["hexadecimal", "0X1f", 31],
    ["a leading zero makes it octal", "010", 8],
    ["unless it cannot be octal", "08", 8],
    ["separators", "1_000_000", 1e6],
    ["infinity in any case", "iNf", Infinity],
    ["not a number in any case", "nAN", NaN],
    ["a sign is part of the number", "-5", -5],
    ["so are several", "- + -5", 5],
    ["a duration counts in seconds", "1h30m", 5400],
    ["milliseconds", "1s500ms", 1.5],
    ["a negative duration", "-5m", -300],
  ] as const) {
    it(`${rule}: ${text}`, () => expect(parsed(text)).toMatchObject({ kind: "number", value }));
  }
});

describe("strings", () => {
  for (const [rule, text, value] of [
    ["double quotes", String.raw`"it's"`, "it's"],
    ["single quotes", String.raw`'say "x"'`, 'say "x"'],
    ["an escaped quote", String.raw`'it\'s'`, "it's"],
    ["backticks keep backslashes", "`a\\n\"b'`", "a\\n\"b'"],
    ["control characters", String.raw`"\a\b\f\n\r\t\v\\"`, "\u0007\b\f\n\r\t\v\\"],
    ["bytes that are UTF-8 together", String.raw`"\xc3\xa9\303\251"`, "éé"],
    ["code points", String.raw`"\u00e9\U0001F600"`, "é😀"],
    ["a byte that is no UTF-8 stays one", String.raw`"a\xc5z"`, "a\udcc5z"],
  ] as const) {
    it(`${rule}: ${text}`, () => expect(parsed(text)).toMatchObject({ kind: "string", value }));
  }
});

describe("precedence", () => {
  for (const [text, shape] of [
    ["a or b and c", "[a or [b and c]]"],
    ["a and b unless c", "[[a and b] unless c]"],
    ["a == b and c > d", "[[a == b] and [c > d]]"],
    ["a + b == c - d", "[[a + b] == [c - d]]"],
    ["a </ 1 + 2 >/ 3", "[[a </ [1 + 2]] >/ 3]"],
    ["a + b * c", "[a + [b * c]]"],
    ["a - b - c", "[[a - b] - c]"],
    ["a / b % c atan2 d", "[[[a / b] % c] atan2 d]"],
    ["a ^ b ^ c", "[a ^ [b ^ c]]"],
    ["-2^2", "[-[2 ^ 2]]"],
    ["-a * b", "[[-a] * b]"],
    ["2 ^ -a * b", "[[2 ^ [-a]] * b]"],
    ["--a", "[-[-a]]"],
    ["1 - -1", "[1 - -1]"],
    ["a offset 5m + 2", "[a offset 5m + 2]"],
    ["a offset -2 ^ 2", "[a offset -2 ^ 2]"],
    ["a offset -step()*2", "[a offset -step() * 2]"],
    ["a offset -(1+2)+3", "[a offset -(1 + 2) + 3]"],
    ["a offset (1+2)+3", "a offset (1 + 2 + 3)"],
    ["a offset - -1 + 3", "a offset (1 + 3)"],
  ] as const) {
    it(`${text} is ${shape}`, () => expect(shapeOf(parsed(text))).toBe(shape));
  }
});

describe("what is written in many ways is printed in one", () => {
  for (const [rule, text, printed] of [
    ["blanks and comments", "sum # total\n (\ta ) ", "sum(a)"],
    ["keywords in any case", "SUM BY (a) (b) OR c Unless d", "sum by (a) (b) or c unless d"],
    ["grouping behind the input", "sum(a) without (b)", "sum without (b) (a)"],
    ["grouping by nothing", "sum by () (a)", "sum(a)"],
    ["grouping without nothing", "sum without () (a)", "sum without () (a)"],
    ["commas at the end of lists", "sum by (a,) (b{c='d',})", 'sum by (a) (b{c="d"})'],
    ["quoted labels", `sum by ("a.b", 'c') (d)`, 'sum by ("a.b", c) (d)'],
    ["keywords as labels", "sum by (sum, by, offset, fill, on) (a)", "sum by (sum, by, offset, fill, on) (a)"],
    ["a keyword that has to be quoted there", 'sum by ("without", "inf") (a)', 'sum by ("without", "inf") (a)'],
    ["keywords as names", "and and or or unless", "and and or or unless"],
    ["an aggregation as a name", 'sum{a="b"} + count', 'sum{a="b"} + count'],
    ["fill as a name", "fill + fill (1) fill", "fill + fill (1) fill"],
    ["a name with colons", ":a:b:", ":a:b:"],
    ["a quoted name", `{"metric.name", 'label-x'="v"}`, '{__name__="metric.name","label-x"="v"}'],
    ["all matchers", "a{b='1',c!='2',d=~'3',e!~`4`}", 'a{b="1",c!="2",d=~"3",e!~"4"}'],
    ["keywords as labels of matchers", 'a{on="1",bool="2"}', 'a{on="1",bool="2"}'],
    ["offset and @ in either order", "a offset 5m @ 10", "a @ 10 offset 5m"],
    ["ends of the query range", "a @ start() - a @ end()", "a @ start() - a @ end()"],
    ["a negative offset", "a offset - 5m", "a offset -5m"],
    ["an offset of zero may be set again", "a offset 0 offset 5", "a offset 5"],
    ["a time as duration", "a @ 5m", "a @ 300"],
    ["milliseconds of a time", "a @ 1609746000.1234", "a @ 1609746000.123"],
    ["a window in seconds", "rate(a[300])", "rate(a[300])"],
    ["modifiers of a range", "rate(a[5m] @ 1 offset 2h smoothed)", "rate(a[5m] smoothed @ 1 offset 2h)"],
    ["extension before the brackets", "rate(a anchored[5m])", "rate(a[5m] anchored)"],
    ["a smoothed selector", "a smoothed offset 1m", "a smoothed offset 1m"],
    ["a subquery", "rate(a[1h : 5m] offset 1d)", "rate(a[1h:5m] offset 1d)"],
    ["a subquery of default step", "max_over_time((a > 1)[1h:])", "max_over_time((a > 1)[1h:])"],
    ["a subquery of a shifted selector", "rate(a offset 5m[10m:])", "rate(a offset 5m[10m:])"],
    ["duration expressions", "a[1h/2+(5*STEP())]", "a[1h / 2 + 5 * step()]"],
    ["parentheses that a duration needs", "a[((8 - 2) / (3 * 7s)) ^ -2]", "a[((8 - 2) / (3 * 7s)) ^ -2]"],
    ["functions of durations", "a[max_of(1m,min_of(range(),2))]", "a[max_of(1m, min_of(range(), 2))]"],
    ["comparison as number", "1 >=bool 2", "1 >= bool 2"],
    ["matching", "a * ON(x,y) b", "a * on (x, y) b"],
    ["matching on nothing", "a * on() b", "a * on () b"],
    ["ignoring nothing says nothing", "a * ignoring() b", "a * b"],
    ["many to one", "a * on(x)group_left b", "a * on (x) group_left () b"],
    ["one to many", "a * ignoring(x) group_right(y) b", "a * ignoring (x) group_right (y) b"],
    ["fill both", "a + fill_left(1) fill_right(1) b", "a + fill (1) b"],
    ["fill each", "a + on(x) fill_right(-1) fill_left(NaN) b", "a + on (x) fill_left (NaN) fill_right (-1) b"],
    ["fill one", "a + fill_right (5m) b", "a + fill_right (300) b"],
    ["functions whose names are keywords", "start() + step() * max_of(1, 2)", "start() + step() * max_of(1, 2)"],
    ["any number of arguments", 'label_join(a, "b", "-")', 'label_join(a, "b", "-")'],
    ["label selectors of info", 'info(a, {b=~".+",c=""})', 'info(a, {b=~".+",c=""})'],
    ["which may be empty", "info(a, {})", "info(a, {})"],
    ["infinite numbers", "1e21 + +Inf - -Inf", "1e+21 + Inf - -Inf"],
    ["durations as numbers", "-1.5 * 90s", "-1.5 * 1m30s"],
    ["broken UTF-8", String.raw`"\xe2\x82z\ufffd\x00"`, String.raw`"\xe2\x82z\ufffd\x00"`],
  ] as const) {
    it(rule, () => expect(formatExpression(parsed(text))).toBe(printed));
  }
});

describe("what the tree says", () => {
  it("keeps conditions in the order of the text, the name before the braces last", () => {
    expect(parsed('a{b="c"}')).toMatchObject({
      matchers: [
        { type: "=", name: "b", value: "c" },
        { type: "=", name: "__name__", value: "a" },
      ],
      metricName: "a",
    });
    expect(parsed('{"a"}')).toMatchObject({ metricName: undefined, matchers: [{ name: "__name__", value: "a" }] });
  });

  it("has matching between vectors only", () => {
    expect(parsed("a + b")).toMatchObject({ matching: { cardinality: "one-to-one", on: false, labels: [] } });
    expect(parsed("a and on (c) b")).toMatchObject({ matching: { cardinality: "many-to-many", on: true } });
    expect(parsed("a + on () group_left (d) b")).toMatchObject({
      matching: { cardinality: "many-to-one", include: ["d"] },
    });
    expect(parsed("a + on () 1")).toMatchObject({ matching: undefined });
    expect(parsed("1 + 2")).toMatchObject({ matching: undefined });
  });

  it("says where everything stands, in UTF-16 units", () => {
    expect(parsed("sum (a @ 3)  + 1").range).toEqual({ start: 0, end: 16 });
    expect(parsed(' label_replace(a,"😀","","","") ').range).toEqual({ start: 1, end: 31 });
    expect(parsed("-a")).toMatchObject({ range: { start: 0, end: 2 }, input: { range: { start: 1, end: 2 } } });
    expect(parsed("a[5m] offset -1m")).toMatchObject({
      range: { start: 0, end: 16 },
      window: { range: { start: 2, end: 4 } },
      selector: { range: { start: 0, end: 1 }, offset: { ms: -60_000, range: { start: 13, end: 16 } } },
    });
  });

  it("rounds times as Prometheus does: halves away from zero", () => {
    expect(parsed("a @ 0.0005")).toMatchObject({ at: { kind: "time", timestampMs: 1 } });
    expect(parsed("a @ -0.0005")).toMatchObject({ at: { kind: "time", timestampMs: -1 } });
  });

  it("reads windows to the nanosecond", () => {
    expect(parsed("a[1.001]")).toMatchObject({ window: { ms: 1001 } });
    expect(parsed("a[0.0000005]")).toMatchObject({ window: { ms: 0.0005 } });
  });
});

describe("types", () => {
  for (const [text, type] of [
    ["1 + time()", "scalar"],
    ["-(1 <= bool 2)", "scalar"],
    ["1 + a", "vector"],
    ["scalar(a) * 2 + vector(1)", "vector"],
    ["+abs(a)", "vector"],
    ["sum(a)", "vector"],
    ["(a)", "vector"],
    ["a[5m]", "matrix"],
    ["(a[5m:])", "matrix"],
    ["'a'", "string"],
  ] as const) {
    it(`${text} is a ${type}`, () => expect(typeOf(parsed(text))).toBe(type));
  }
});

// Every message here is, letter for letter, what Prometheus 3.14 answers.
describe("messages about the text", () => {
  for (const [text, message] of [
    ["", "unknown position: parse error: no expression found in input"],
    ["# nothing", "1:1: parse error: no expression found in input"],
    ["sum(up", "1:7: parse error: unclosed left parenthesis"],
    ["1)", "1:3: parse error: unexpected right parenthesis ')'"],
    ["up[5m", "1:6: parse error: unclosed left bracket"],
    ["up]", "1:3: parse error: unexpected right bracket ']'"],
    ["up[", "1:4: parse error: unexpected end of input in duration expression"],
    ["up[:1m]", "1:5: parse error: unexpected colon before duration in duration expression"],
    ["up[1m::]", "1:7: parse error: unexpected colon ':'"],
    ["up[m]", "1:4: parse error: unexpected character in duration expression: 'm'"],
    ["up[1m m]", "1:7: parse error: unexpected character: 'm', expected ':'"],
    ["up{", "1:4: parse error: unexpected end of input inside braces"],
    ["{{", "1:2: parse error: unexpected left brace '{'"],
    ["{1}", "1:2: parse error: unexpected character inside braces: '1'"],
    ["{a!b}", "1:3: parse error: unexpected character after '!' inside braces: 'b'"],
    ["a ! b", "1:3: parse error: unexpected character after '!': ' '"],
    ["a !", "1:3: parse error: unexpected character after '!': '\ufffd'"],
    ["a =~ b", "1:3: parse error: unexpected character after '=': '~'"],
    ["a & b", "1:3: parse error: unexpected character: '&'"],
    ["a \u00a0", "1:3: parse error: unexpected character: '\\u00a0'"],
    ["'a", "1:1: parse error: unterminated quoted string"],
    ["'a\n'", "1:1: parse error: unterminated quoted string"],
    ["`a", "1:1: parse error: unterminated raw string"],
    ['"\\', "1:1: parse error: escape sequence not terminated"],
    ['"\\q"', "1:1: parse error: unknown escape sequence U+0071 'q'"],
    ['"\\\'"', "1:1: parse error: unknown escape sequence U+0027 '''"],
    ['"\\xg0"', "1:1: parse error: illegal character U+0067 'g' in escape sequence"],
    ['"\\400"', "1:1: parse error: escape sequence is an invalid Unicode code point"],
    ['"\\ud800"', "1:1: parse error: escape sequence is an invalid Unicode code point"],
    ['"\ufffd"', "1:1: parse error: invalid UTF-8 rune"],
    ["1.2.3", '1:1: parse error: bad number or duration syntax: "1.2."'],
    ["0x1e", '1:1: parse error: bad number or duration syntax: "0x1e"'],
    ["5m6", '1:1: parse error: bad number or duration syntax: "5m6"'],
    ["1e400", '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "1e400": value out of range'],
    ["0.5.6", '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "0.5.6": invalid syntax'],
    ["up[5hs]", '1:4: parse error: unknown unit "hs" in duration "5hs"'],
    ["up[1m1h]", '1:4: parse error: not a valid duration string: "1m1h"'],
    ["up[300y]", "1:4: parse error: duration out of range"],
    ["up offset -inf", "1:11: parse error: duration out of range"],
  ] as const) {
    it(`${JSON.stringify(text)}: ${message}`, () => expect(messageOf(text)).toBe(message));
  }
});

describe("messages about the grammar", () => {
  for (const [text, message] of [
    ["1 + ", "1:5: parse error: unexpected end of input"],
    ["a b", '1:3: parse error: unexpected identifier "b"'],
    ["a b:c", '1:3: parse error: unexpected metric identifier "b:c"'],
    ["a 5m", '1:3: parse error: unexpected duration "5m"'],
    ["a 'it is too long'", '1:3: parse error: unexpected string "\'it is too"...'],
    ["a = b", '1:3: parse error: unexpected "="'],
    ["* a", "1:1: parse error: unexpected <op:*>"],
    ["a sum (b)", "1:3: parse error: unexpected <aggr:sum>"],
    ["bool", "1:1: parse error: unexpected <bool>"],
    ["(a\n  b)", '2:3: parse error: unexpected identifier "b"'],
    ['{a="é"} b', '1:10: parse error: unexpected identifier "b"'],
    ["sum(1 +)", '1:8: parse error: unexpected ")" in aggregation'],
    ["sum by (a) b", '1:12: parse error: unexpected identifier "b" in aggregation'],
    ["sum by a", '1:8: parse error: unexpected identifier "a" in grouping opts, expected "("'],
    ["sum by (=)", '1:9: parse error: unexpected "=" in grouping opts, expected label'],
    ["sum by (a b)(c)", '1:11: parse error: unexpected identifier "b" in grouping opts, expected "," or ")"'],
    ["sum by (a,,)(b)", '1:11: parse error: unexpected "," in grouping opts, expected label'],
    ['sum by ("")(a)', '1:9: parse error: invalid label name for grouping: ""'],
    ["a + on b", '1:8: parse error: unexpected identifier "b" in grouping opts, expected "("'],
    ["a + group_left b", "1:5: parse error: unexpected <group_left>"],
    ["a + on(b) group_left", '1:21: parse error: unexpected end of input in grouping opts, expected "("'],
    ["a + fill(b) c", '1:10: parse error: unexpected identifier "b"'],
    ["up{a=}", '1:6: parse error: unexpected "}" in label matching, expected string'],
    ["up{a}", '1:5: parse error: unexpected "}" in label matching, expected label matching operator'],
    ["{,}", '1:2: parse error: unexpected "," in label matching, expected identifier or "}"'],
    ['{"a" "b"}', '1:6: parse error: unexpected string "\\"b\\"" in label matching, expected "," or "}"'],
    ["a offset", "1:9: parse error: unexpected end of input in offset, expected number, duration, step(), or range()"],
    ["a @ b", '1:5: parse error: unexpected identifier "b" in @, expected timestamp'],
    [
      "a[1m +]",
      '1:7: parse error: unexpected "]" in subquery or range selector, expected number, duration, step(), or range()',
    ],
    ["a[1m 1m]", '1:6: parse error: unexpected duration "1m" in subquery or range, expected ":" or "]"'],
    [
      "a[1m:,]",
      '1:6: parse error: unexpected "," in subquery selector, expected number, duration, step(), range(), or "]"',
    ],
    ["a[1m:1m,]", '1:8: parse error: unexpected "," in subquery selector, expected "]"'],
    ["abs(a,)", "1:6: parse error: trailing commas not allowed in function call args"],
    ["foo()", '1:1: parse error: unknown function with name "foo"'],
    ["Abs(a)", '1:1: parse error: unknown function with name "Abs"'],
    ["sum()", "1:1: parse error: no arguments for aggregate expression provided"],
    ["topk(a)", "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1"],
    ["(a)[5m]", "1:4: parse error: ranges only allowed for vector selectors"],
    ["a offset 5m[5m]", "1:12: parse error: no offset modifiers allowed before range"],
    ["a @ 5[5m]", "1:6: parse error: no @ modifiers allowed before range"],
    ["a[0]", "1:3: parse error: duration must be greater than 0"],
    ["a[1m:-1s]", "1:6: parse error: duration must be greater than 0"],
    ["a[1/0]", "1:4: parse error: division by zero"],
    ["a[1%0]", "1:4: parse error: modulo by zero"],
    ["a offset 1 offset 2", "1:1: parse error: offset may not be set multiple times"],
    ["a @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times"],
    ["a @ inf", "1:1: parse error: timestamp out of bounds for @ modifier: +Inf"],
    ["a @ 1e19", "1:1: parse error: timestamp out of bounds for @ modifier: 10000000000000000000.000000"],
    ["a anchored smoothed", "1:1: parse error: anchored and smoothed modifiers cannot be used together"],
    ["a[5m:] anchored", "1:1: parse error: anchored modifier is not supported for subqueries"],
    ["(a) smoothed", "1:1: parse error: smoothed modifier not implemented"],
    [
      "(a) offset 1",
      "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
    ],
    [
      "1 @ 1",
      "1:1: parse error: @ modifier must be preceded by an instant vector selector or range vector selector or a subquery",
    ],
  ] as const) {
    it(`${JSON.stringify(text)}: ${message}`, () => expect(messageOf(text)).toBe(message));
  }
});

describe("messages about regular expressions", () => {
  for (const [expression, reason] of [
    ["(a", "missing closing ): `(a`"],
    ["(?=x)", "invalid or unsupported Perl syntax: `(?=`"],
    ["\\\\1", "invalid escape sequence: `\\1`"],
    ["a{1001}", "invalid repeat count: `{1001}`"],
    ["*", "missing argument to repetition operator: `*`"],
  ] as const) {
    it(expression, () => {
      expect(messageOf(`a{b=~"${expression}"}`)).toBe(`1:3: parse error: error parsing regexp: ${reason}`);
    });
  }
});

describe("messages about types", () => {
  for (const [text, message] of [
    ["{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"],
    ['{a=~".*",b!="c"}', "1:1: parse error: vector selector must contain at least one non-empty matcher"],
    ['a{__name__="b"}', '1:1: parse error: metric name must not be set twice: "a" or "b"'],
    ["abs(a[5m])", '1:5: parse error: expected type instant vector in call to function "abs", got range vector'],
    ["rate(a)", '1:6: parse error: expected type range vector in call to function "rate", got instant vector'],
    ["vector('a')", '1:8: parse error: expected type scalar in call to function "vector", got string'],
    ["absent()", '1:1: parse error: expected 1 argument(s) in call to "absent", got 0'],
    ["label_join(a)", '1:1: parse error: expected at least 3 argument(s) in call to "label_join", got 1'],
    ["round(a, 1, 2)", '1:1: parse error: expected at most 2 argument(s) in call to "round", got 3'],
    ["sum(1)", "1:5: parse error: expected type instant vector in aggregation expression, got scalar"],
    ["topk(a, a)", "1:6: parse error: expected type scalar in aggregation parameter, got instant vector"],
    ["count_values(1, a)", "1:14: parse error: expected type string in aggregation parameter, got scalar"],
    ["1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier"],
    ["a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators"],
    ["'a' + 1", "1:1: parse error: binary expression must contain only scalar and instant vector types"],
    ["a + b[5m]", "1:5: parse error: binary expression must contain only scalar and instant vector types"],
    ["a and 1", '1:1: parse error: set operator "and" not allowed in binary scalar expression'],
    ["a + on(b) 1", "1:1: parse error: vector matching only allowed between instant vectors"],
    ["a + fill(1) 2", "1:1: parse error: filling in missing series only allowed between instant vectors"],
    ["a or fill(1) b", "1:1: parse error: filling in missing series not allowed for set operators"],
    ["a or on(b) group_left(c) d", '1:1: parse error: no grouping allowed for "or" operation'],
    ["a + on(b) group_left(b) c", '1:3: parse error: label "b" must not occur in ON and GROUP clause at once'],
    [
      "-a[5m]",
      '1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "range vector"',
    ],
    ["a[5m:][5m:]", "1:1: parse error: subquery is only allowed on instant vector, got matrix instead"],
    ["info(a, b)", "1:9: parse error: expected label selectors only, got vector selector instead"],
    ["info(a, abs(b))", "1:9: parse error: expected label selectors only"],
    ["info(a, 1)", '1:1: parse error: expected type instant vector in call to function "info", got scalar'],
  ] as const) {
    it(`${JSON.stringify(text)}: ${message}`, () => expect(messageOf(text)).toBe(message));
  }
});

describe("what has to be enabled", () => {
  for (const [text, message] of [
    ["sort_by_label(a)", '1:1: parse error: function "sort_by_label" is not enabled'],
    ["1 + step()", '1:5: parse error: function "step" is not enabled'],
    ["sum(rate(a[5m] anchored))", "1:10: parse error: anchored modifier is experimental and not enabled"],
    ["a smoothed", "1:1: parse error: smoothed modifier is experimental and not enabled"],
    ["1 + a * on (b) fill(0) c", "1:5: parse error: binop fill modifiers are experimental and not enabled"],
    [
      "limitk(1, a)",
      "1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
    ],
  ] as const) {
    it(text, () => {
      expect(messageOf(text, {})).toBe(message);
      expect(parseExpression(text, all).ok).toBe(true);
    });
  }

  it("durations may use step() all the same", () => expect(parseExpression("a[step()]").ok).toBe(true));
});

describe("limits", () => {
  const nested = (open: string, inner: string, close: string, levels: number) =>
    open.repeat(levels) + inner + close.repeat(levels);

  for (const [rule, text, message] of [
    ["parentheses", nested("(", "1", ")", 100_000), "1:258: parse error: nesting deeper than 256"],
    ["parentheses without end", "(".repeat(100_000), "1:258: parse error: nesting deeper than 256"],
    ["signs", `${"-".repeat(100_000)}1`, "1:258: parse error: nesting deeper than 256"],
    ["powers", `${"1^".repeat(20_000)}1`, "1:515: parse error: nesting deeper than 256"],
    ["calls", nested("abs(", "a", ")", 20_000), "1:1029: parse error: nesting deeper than 256"],
    ["aggregations", nested("sum(", "a", ")", 20_000), "1:1029: parse error: nesting deeper than 256"],
    ["operators of a duration", `a[${"1+".repeat(20_000)}1]`, "1:517: parse error: nesting deeper than 256"],
    ["a chain of operators", `${"1+".repeat(20_000)}1`, "1:1: parse error: expression has more than 500 levels"],
    ["a chain of subqueries", `a${"[1m:]".repeat(20_000)}`, "1:1: parse error: expression has more than 500 levels"],
  ] as const) {
    it(`${rule}: ${message}`, () => expect(messageOf(text)).toBe(message));
  }

  it("leave room for what people write", () => {
    expect(parseExpression(nested("(", "1", ")", 256)).ok).toBe(true);
    expect(parseExpression(`${"a or ".repeat(400)}a`).ok).toBe(true);
    expect(parseExpression(`a{b=~"${"x|".repeat(20_000)}y"}`).ok).toBe(true);
  });

  it("hold up to the ceilings, whatever mixture of levels fills the stack", () => {
    const options = { ...all, nestingMax: 1e9, treeDepthMax: 1e9 };
    for (const [open, close] of [
      ["a or a and a == bool a + a * sum(", ")"],
      ["a or a and a == a + a * (", ")"],
      ["-abs(", ")"],
      ["a ^ -(", ")"],
      ["a ^ ", ""],
      ["sum by (a) (", ")"],
    ] as const) {
      for (let levels = 1; levels <= 2 * parseCeilings.nestingMax; levels = Math.ceil(levels * 1.2)) {
        const result = parseExpression(nested(open, "a", close, levels), options);
        if (result.ok) expect(formatExpression(result.value)).toContain("a");
        else expect(result.failure.reason).toMatch(/^(nesting deeper than 400|expression has more than 800 levels)$/);
      }
    }
  });

  it("bound the length in bytes", () => {
    expect(messageOf('"éé"', { textBytesMax: 6 })).toBe('parsed: "éé"');
    expect(messageOf('"éé"', { textBytesMax: 5 })).toBe("1:1: parse error: expression is longer than 5 bytes");
  });

  it("trees of other makers may be longer: printing and typing a chain does not recurse", () => {
    const leaf: Expression = { kind: "number", value: 1, isDuration: false, range: { start: 0, end: 1 } };
    let chain: Expression = leaf;
    for (let i = 0; i < 100_000; i++) {
      chain = {
        kind: "binary",
        operator: "+",
        bool: false,
        left: chain,
        right: leaf,
        matching: undefined,
        range: leaf.range,
      };
    }
    expect(typeOf(chain)).toBe("scalar");
    expect(formatExpression(chain)).toBe(`1${" + 1".repeat(100_000)}`);
  });
});

describe("parseSelector", () => {
  it("reads the matchers of one selector", () => {
    expect(parseSelector(' up{job!="a"} # all')).toEqual({
      ok: true,
      value: [
        { type: "!=", name: "job", value: "a" },
        { type: "=", name: "__name__", value: "up" },
      ],
    });
    expect(parseSelector("{}")).toEqual({ ok: true, value: [] });
  });

  for (const [text, message] of [
    ["", "unknown position: parse error: unexpected end of input"],
    ["up[5m]", '1:3: parse error: unexpected "["'],
    ["up or down", "1:4: parse error: unexpected <op:or>"],
    ["1", '1:1: parse error: unexpected number "1"'],
    ["bool", "1:1: parse error: unexpected <bool>"],
    ["{a=~'['}", "1:2: parse error: error parsing regexp: missing closing ]: `[`"],
  ] as const) {
    it(`${text}: ${message}`, () => {
      const result = parseSelector(text);
      expect(result.ok ? "parsed" : result.failure.message).toBe(message);
    });
  }
});
