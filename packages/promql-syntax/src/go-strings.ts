/**
 * String literals, which PromQL shares with Go.
 *
 * Escapes like `\xff` can spell bytes that are no UTF-8. Each such byte is kept as a lone surrogate, U+DC80 for 0x80 to
 * U+DCFF for 0xff: it equals no text that comes out of UTF-8, and prints back as the escape it came from.
 */

const escapeOf: ReadonlyMap<number, string> = new Map([
  [0x07, "\\a"],
  [0x08, "\\b"],
  [0x0c, "\\f"],
  [0x0a, "\\n"],
  [0x0d, "\\r"],
  [0x09, "\\t"],
  [0x0b, "\\v"],
  [0x5c, "\\\\"],
]);

const characterOf: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

const escapesAndPlainRuns =
  /\\(?:(?<letter>[abfnrtv\\'"])|x(?<hexByte>[0-9a-fA-F]{2})|(?<octalByte>[0-7]{3})|(?<codePoint>u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}))|[^\\]+/g;

const invalidByteBase = 0xdc00;
const replacementCharacter = 0xfffd;
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** The text that a literal stands for. Takes what the lexer accepted, quotes included. */
export function unquoteString(literal: string): string {
  const body = literal.slice(1, -1);
  if (literal.startsWith("`") || !body.includes("\\")) return body;
  let text = "";
  let bytes: number[] = [];
  for (const { 0: part, groups = {} } of body.matchAll(escapesAndPlainRuns)) {
    const { letter, hexByte, octalByte, codePoint } = groups;
    if (hexByte !== undefined) {
      bytes.push(Number.parseInt(hexByte, 16));
    } else if (octalByte !== undefined) {
      bytes.push(Number.parseInt(octalByte, 8));
    } else {
      text += decodeBytes(bytes);
      bytes = [];
      if (letter !== undefined) text += characterOf[letter] ?? letter;
      else if (codePoint !== undefined) text += String.fromCodePoint(Number.parseInt(codePoint.slice(1), 16));
      else text += part;
    }
  }
  return text + decodeBytes(bytes);
}

/** A double-quoted literal that reads back as `text`. */
export function quoteString(text: string): string {
  let quoted = '"';
  for (const character of text) quoted += character === '"' ? '\\"' : escapeCharacter(character);
  return `${quoted}"`;
}

/** One character between single quotes, as messages show it; "" is the end of the text. */
export function quoteCharacter(character: string): string {
  if (character === "'") return "'\\''";
  const unreadable = character === "" || character === "\ufffd" || isLoneSurrogate(character);
  return unreadable ? "'\ufffd'" : `'${escapeCharacter(character)}'`;
}

/** One character by its number, as messages about escapes show it: `U+0071 'q'`. */
export function describeCharacter(character: string): string {
  const codePoint = character.codePointAt(0) ?? replacementCharacter;
  const number = `U+${codePoint.toString(16).toUpperCase().padStart(4, "0")}`;
  return printable.test(character) ? `${number} '${character}'` : number;
}

/** Whether a character is half of a pair: JavaScript's way to hold what no UTF-8 can. */
export function isLoneSurrogate(character: string): boolean {
  const unit = character.charCodeAt(0);
  return character.length === 1 && unit >= 0xd800 && unit <= 0xdfff;
}

function escapeCharacter(character: string): string {
  const codePoint = character.codePointAt(0) ?? 0;
  const known = escapeOf.get(codePoint);
  if (known !== undefined) return known;
  if (codePoint < 0x20 || codePoint === 0x7f) return `\\x${hex(codePoint, 2)}`;
  if (codePoint >= invalidByteBase + 0x80 && codePoint <= invalidByteBase + 0xff) {
    return `\\x${hex(codePoint - invalidByteBase, 2)}`;
  }
  // The lexer takes this character, written plainly, for broken UTF-8.
  if (codePoint === replacementCharacter || isLoneSurrogate(character)) return "\\ufffd";
  if (printable.test(character)) return character;
  return codePoint < 0x10000 ? `\\u${hex(codePoint, 4)}` : `\\U${hex(codePoint, 8)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

function decodeBytes(bytes: readonly number[]): string {
  let text = "";
  for (let i = 0; i < bytes.length;) {
    const lead = bytes[i] ?? 0;
    const length = sequenceLength(bytes, i);
    // The lead byte has as many ones at its top as there are bytes, then a zero; each byte after it holds six bits.
    let codePoint = length === 1 ? lead : length === 0 ? invalidByteBase + lead : lead & (0x7f >> length);
    for (let next = 1; next < length; next++) codePoint = (codePoint << 6) | ((bytes[i + next] ?? 0) & 0x3f);
    text += String.fromCodePoint(codePoint);
    i += Math.max(length, 1);
  }
  return text;
}

/** The length of the well-formed UTF-8 sequence at `start`, 0 where there is none. */
function sequenceLength(bytes: readonly number[], start: number): number {
  const lead = bytes[start] ?? 0;
  if (lead < 0x80) return 1;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || start + length > bytes.length) return 0;
  for (let i = start + 1; i < start + length; i++) if (((bytes[i] ?? 0) & 0xc0) !== 0x80) return 0;
  const second = bytes[start + 1] ?? 0;
  // Overlong forms, surrogates, and numbers above U+10FFFF.
  const malformed =
    (lead === 0xe0 && second < 0xa0) ||
    (lead === 0xed && second > 0x9f) ||
    (lead === 0xf0 && second < 0x90) ||
    (lead === 0xf4 && second > 0x8f);
  return malformed ? 0 : length;
}
