/** Label names in paths: plain ones, and `U__…`, the escaped form of those with characters that a path would mangle. */

const escapePrefix = "U__";

/** The name that a path segment stands for; undefined where it is not a label name. */
export function labelNameOfPath(segment: string): string | undefined {
  if (segment.startsWith(escapePrefix)) return unescapeLabelName(segment);
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(segment) ? segment : undefined;
}

/**
 * Undoes the escaping of values: `__` is `_`, `_3b1_` the character U+03B1. A text that is not well escaped is a name
 * as it stands, as in Prometheus.
 */
export function unescapeLabelName(name: string): string {
  if (!name.startsWith(escapePrefix)) return name;
  const body = name.slice(escapePrefix.length);
  if (!/^(?:[^_]|__|_[0-9a-fA-F]{1,6}_)*$/u.test(body)) return name;
  let valid = true;
  const unescaped = body.replace(/__|_([0-9a-fA-F]{1,6})_/g, (_match, hex: string | undefined) => {
    if (hex === undefined) return "_";
    const codePoint = Number.parseInt(hex, 16);
    if (codePoint > 0x10ffff || (codePoint >= 0xd800 && codePoint <= 0xdfff)) {
      valid = false;
      return "";
    }
    return String.fromCodePoint(codePoint);
  });
  return valid && unescaped !== "" ? unescaped : name;
}
