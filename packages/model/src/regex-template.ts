import { RE2JS } from "re2js";
import { fail, ok, type Result } from "./failures.ts";
import { regexLengthMax, tooLongRegex } from "./matchers.ts";

/**
 * Compiles an RE2 expression that must match a whole text, and a template with Go's references to its groups: `$1`,
 * `${1}`, `$name`, `$$`. The result fills the template, or gives undefined where a text does not match. The failure is
 * RE2's own message.
 */
export function compileRegexTemplate(
  expression: string,
  template: string,
): Result<(text: string) => string | undefined, string> {
  if (expression.length > regexLengthMax) return fail(tooLongRegex);
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(`^(?s:${expression})$`);
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
  const names = compiled.namedGroups();
  const groupCount = compiled.groupCount();
  return ok((text) => {
    const matcher = compiled.matcher(text);
    if (!matcher.find()) return undefined;
    return template.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (whole, bare?: string, braced?: string) => {
      if (whole === "$$") return "$";
      const reference = bare ?? braced ?? "";
      const group = /^\d+$/.test(reference) ? Number(reference) : names[reference];
      // A reference to a group that is not there is the empty text.
      return group === undefined || group > groupCount ? "" : (matcher.group(group) ?? "");
    });
  });
}
