/** From text to checked tree, and from the first fault to a failure as Prometheus words it. */
import { fail, ok, type Matcher, type Result } from "@pleiad/model";
import { defaultParseOptions, parseCeilings, type Expression, type ParseFailure, type ParseOptions } from "./ast.ts";
import { parseQuery, parseSelectorOnly } from "./parser.ts";
import { positionOf, utf8Length } from "./source-position.ts";
import { SyntaxFault } from "./syntax-fault.ts";
import { treeDepth } from "./tree.ts";
import { checkTypes } from "./type-check.ts";

/** Reads a query, types checked. The failure is the first one that Prometheus would report. */
export function parseExpression(text: string, options: Partial<ParseOptions> = {}): Result<Expression, ParseFailure> {
  const given = { ...defaultParseOptions, ...options };
  const nestingMax = Math.min(given.nestingMax, parseCeilings.nestingMax);
  const treeDepthMax = Math.min(given.treeDepthMax, parseCeilings.treeDepthMax);
  return failuresOf(text, given.textBytesMax, () => {
    const expression = parseQuery(text, { ...given, nestingMax });
    if (treeDepth(expression) > treeDepthMax) {
      throw new SyntaxFault(0, `expression has more than ${treeDepthMax} levels`);
    }
    return checkTypes(text, expression);
  });
}

/**
 * Reads a series selector such as those of `match[]`. Whether it selects everything is not checked: see
 * `selectsEverything`.
 */
export function parseSelector(text: string): Result<readonly Matcher[], ParseFailure> {
  return failuresOf(text, defaultParseOptions.textBytesMax, () => parseSelectorOnly(text).matchers);
}

function failuresOf<T>(text: string, textBytesMax: number, read: () => T): Result<T, ParseFailure> {
  try {
    if (utf8Length(text) > textBytesMax) throw new SyntaxFault(0, `expression is longer than ${textBytesMax} bytes`);
    return ok(read());
  } catch (fault) {
    if (!(fault instanceof SyntaxFault)) throw fault;
    return fail(parseFailure(text, fault));
  }
}

function parseFailure(text: string, { offset, message: reason }: SyntaxFault): ParseFailure {
  const { line, column } = positionOf(text, offset);
  const place = text === "" ? "unknown position" : `${line}:${column}`;
  return { kind: "parse", line, column, reason, message: `${place}: parse error: ${reason}` };
}
