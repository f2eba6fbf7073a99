import { RE2JS } from "re2js";
import { fail, ok, type Result } from "./failures.ts";
import { formatLabelName, labelValue, quoteText, type Labels } from "./labels.ts";

export type MatcherType = "=" | "!=" | "=~" | "!~";

/** A condition on one label; a label that a series lacks has the value "". Pure data, sent over the wire as is. */
export interface Matcher {
  readonly type: MatcherType;
  readonly name: string;
  readonly value: string; // for =~ and !~ an RE2 expression, matched against the whole value, `.` includes newline
}

export interface MatcherFailure {
  readonly kind: "invalid-regex";
  readonly matcher: Matcher;
  readonly reason: string;
}

/** Tells whether a label value fulfils a matcher; made once a query, called for every value. */
export type ValueTest = (value: string) => boolean;

const regexCharacters = /[\\.+*?()|[\]{}^$]/;

/** Compiles a matcher. Runs in time linear in the value, whatever the expression. */
export function compileMatcher(matcher: Matcher): Result<ValueTest, MatcherFailure> {
  const { type, value: wanted } = matcher;
  if (type === "=") return ok((value) => value === wanted);
  if (type === "!=") return ok((value) => value !== wanted);
  const test = compileRegex(wanted);
  if (!test.ok) return fail({ kind: "invalid-regex", matcher, reason: test.failure });
  const matches = test.value;
  return ok(type === "=~" ? matches : (value) => !matches(value));
}

/** Compiles an RE2 expression that must match the whole text. The failure is RE2's own message. */
export function compileRegex(expression: string): Result<ValueTest, string> {
  const alternatives = literalAlternatives(expression);
  if (alternatives !== undefined) {
    if (alternatives.length === 1) return ok((value) => value === alternatives[0]);
    const set = new Set(alternatives);
    return ok((value) => set.has(value));
  }
  if (expression === ".*") return ok(() => true);
  if (expression === ".+") return ok((value) => value !== "");
  const prefix = /^([^\\.+*?()|[\]{}^$]+)\.([*+])$/.exec(expression);
  if (prefix !== null) {
    const [, head = "", repeat] = prefix;
    return repeat === "*"
      ? ok((value) => value.startsWith(head))
      : ok((value) => value.length > head.length && value.startsWith(head));
  }
  if (expression.length > regexLengthMax) return fail(tooLongRegex);
  try {
    const compiled = RE2JS.compile(expression, RE2JS.DOTALL);
    const seen = new Map<string, boolean>();
    return ok((value) => {
      const known = seen.get(value);
      if (known !== undefined) return known;
      const verdict = compiled.matches(value);
      // Bounded: label values are few for most labels, and without number for some.
      if (seen.size < 10_000) seen.set(value, verdict);
      return verdict;
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // The flag stands before an expression that is quoted whole, though nobody wrote it.
    return fail(reason.replace(`\`(?s)${expression}\``, () => `\`${expression}\``));
  }
}

/** What takes about a second to compile. Literal alternatives may be longer, since they are not compiled. */
export const regexLengthMax = 256 * 1024;
export const tooLongRegex = `error parsing regexp: expression is longer than ${regexLengthMax} characters`;

/** The texts that an expression like `a|b|c\.d` stands for; undefined where it is more than that. */
export function literalAlternatives(expression: string): readonly string[] | undefined {
  if (!expression.includes("\\")) {
    const alternatives = expression.split("|");
    return alternatives.some((text) => regexCharacters.test(text)) ? undefined : alternatives;
  }
  // Between characters that are themselves: an escape and what it stands for, the bar, or syntax.
  const alternatives = [""];
  for (const [token] of expression.matchAll(/[^\\.+*?()|[\]{}^$]+|\\[!-/:-@[-`{-~]|[^]/g)) {
    const last = alternatives.length - 1;
    if (token === "|") alternatives.push("");
    else if (!regexCharacters.test(token)) alternatives[last] += token;
    else if (token.length === 2) alternatives[last] += token.slice(1);
    else return undefined;
  }
  return alternatives;
}

/** Compiles all matchers into one test of a whole label set. */
export function compileMatchers(matchers: readonly Matcher[]): Result<(labels: Labels) => boolean, MatcherFailure> {
  const tests: (readonly [name: string, test: ValueTest])[] = [];
  for (const matcher of matchers) {
    const test = compileMatcher(matcher);
    if (!test.ok) return test;
    tests.push([matcher.name, test.value]);
  }
  return ok((labels) => tests.every(([name, test]) => test(labelValue(labels, name))));
}

export function formatMatcher(matcher: Matcher): string {
  return `${formatLabelName(matcher.name)}${matcher.type}${quoteText(matcher.value)}`;
}

/** `{a="b",c!="d"}` */
export function formatMatchers(matchers: readonly Matcher[]): string {
  return `{${matchers.map(formatMatcher).join(",")}}`;
}
