/** Label names in paths: as they are, and `U__…`, the escaped form of those with characters that a path would mangle. */

const escapePrefix = "U__";

/**
 * The name that a path segment stands for. In an escaped one `__` is `_`, `_3b1_` the character U+03B1; what is not well
 * escaped is a name as it stands, as in Prometheus.
 */
export function labelNameOfPath(name: string): string {
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
