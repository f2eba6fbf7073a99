/**
 * Query text to tokens, one at a time.
 *
 * What a character means depends on where it stands: words inside braces are never keywords, and inside brackets only
 * durations and the words of duration expressions may stand. The lexer also sees to it that brackets are balanced,
 * since that gives the better message.
 */
import { describeCharacter, isLoneSurrogate, quoteCharacter, quoteString } from "./go-strings.ts";
import { scanNumeric } from "./numbers.ts";
import { SyntaxFault } from "./syntax-fault.ts";
import { isRangeWord, keywords, type Token, type TokenKind } from "./tokens.ts";

/** Longest first: the first that fits is the token. */
const statementSymbols = [
  ...(["==", "!=", "<=", ">=", "</", ">/"] as const),
  ...(["+", "-", "*", "/", "%", "^", "=", "<", ">", "@", ",", "(", ")", "{", "[", "]"] as const),
] satisfies readonly TokenKind[];
const durationSymbols = ["+", "-", "*", "/", "%", "^", ",", "(", ")", "]", ":"] satisfies readonly TokenKind[];
const braceSymbols = ["=~", "!~", "!=", "=", ",", "}"] satisfies readonly TokenKind[];

/** Where the next token stands. */
type Place =
  | "statement"
  | "braces"
  /** Between `[` and the first number after it. */
  | "duration"
  /** From there to `]`. */
  | "brackets";

export class Lexer {
  readonly #text: string;
  /** Where the token under way begins; faults point here. */
  #start = 0;
  /** Behind the last token or blank. */
  #end = 0;
  #place: Place = "statement";
  #placeAroundBraces: Place = "statement";
  #parenDepth = 0;
  #sawColon = false;
  /** Never unset, as in Prometheus: only the first brackets of a query get the message about an early colon. */
  #sawDuration = false;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next token; `end-of-input` again and again at the end. Throws a `SyntaxFault` where the text is no token. */
  next(): Token {
    this.#skipBlanks();
    this.#start = this.#end;
    switch (this.#place) {
      case "braces":
        return this.#nextInBraces();
      case "duration":
        return this.#nextInDuration();
      default:
        return this.#nextInStatement();
    }
  }

  #nextInStatement(): Token {
    const character = this.#characterAt(this.#start);
    if (character === "") return this.#endOfInput();
    if (this.#startsNumber(character)) return this.#number();
    if (character === '"' || character === "'" || character === "`") return this.#string(character);
    if (isLetter(character) || character === ":") {
      return this.#place === "brackets" ? this.#wordInBrackets(character) : this.#word();
    }
    const symbol = statementSymbols.find((symbol) => this.#text.startsWith(symbol, this.#start));
    const follower = this.#characterAt(this.#start + character.length);
    if (symbol === undefined && character === "!") {
      this.#fault(`unexpected character after '!': ${quoteCharacter(follower)}`);
    }
    if (symbol === "=" && follower === "~") this.#fault("unexpected character after '=': '~'");
    if (symbol === undefined) this.#fault(`unexpected character: ${quoteCharacter(character)}`);
    switch (symbol) {
      case "(":
      case ")":
        return this.#parenthesis(symbol);
      case "{":
        this.#placeAroundBraces = this.#place;
        this.#place = "braces";
        break;
      case "[":
        if (this.#place === "brackets") this.#fault("unexpected left bracket '['");
        this.#place = "duration";
        this.#sawColon = false;
        break;
      case "]":
        if (this.#place !== "brackets") this.#fault("unexpected right bracket ']'");
        this.#place = "statement";
        break;
      default:
    }
    return this.#token(symbol, this.#start + symbol.length);
  }

  #nextInDuration(): Token {
    const character = this.#characterAt(this.#start);
    if (character === "") this.#fault("unexpected end of input in duration expression");
    if (this.#startsNumber(character)) {
      this.#place = "brackets";
      this.#sawDuration = true;
      return this.#number();
    }
    const symbol = durationSymbols.find((symbol) => symbol === character);
    if (symbol === undefined) {
      return (
        this.#durationWord() ?? this.#fault(`unexpected character in duration expression: ${quoteCharacter(character)}`)
      );
    }
    if (symbol === "(" || symbol === ")") return this.#parenthesis(symbol);
    if (symbol === "]") this.#place = "statement";
    if (symbol === ":") {
      if (!this.#sawDuration) this.#faultBehind(symbol, "unexpected colon before duration in duration expression");
      if (this.#sawColon) this.#faultBehind(symbol, "unexpected repeated colon in duration expression");
      this.#sawColon = true;
    }
    return this.#token(symbol, this.#start + symbol.length);
  }

  #nextInBraces(): Token {
    const character = this.#characterAt(this.#start);
    if (character === "") this.#fault("unexpected end of input inside braces");
    if (isLetter(character)) return this.#token("identifier", this.#matchEnd(/\w+/y));
    if (character === '"' || character === "'" || character === "`") return this.#string(character);
    const symbol = braceSymbols.find((symbol) => this.#text.startsWith(symbol, this.#start));
    if (symbol === undefined) {
      if (character === "{") this.#fault("unexpected left brace '{'");
      if (character !== "!") this.#fault(`unexpected character inside braces: ${quoteCharacter(character)}`);
      const follower = this.#characterAt(this.#start + 1);
      this.#fault(`unexpected character after '!' inside braces: ${quoteCharacter(follower)}`);
    }
    if (symbol === "}") this.#place = this.#placeAroundBraces;
    return this.#token(symbol, this.#start + symbol.length);
  }

  #endOfInput(): Token {
    if (this.#parenDepth > 0) this.#fault("unclosed left parenthesis");
    if (this.#place === "brackets") this.#fault("unclosed left bracket");
    return this.#token("end-of-input", this.#start);
  }

  #parenthesis(symbol: "(" | ")"): Token {
    this.#parenDepth += symbol === "(" ? 1 : -1;
    if (this.#parenDepth < 0) this.#faultBehind(symbol, "unexpected right parenthesis ')'");
    return this.#token(symbol, this.#start + 1);
  }

  #number(): Token {
    const { kind, end } = scanNumeric(this.#text, this.#start);
    if (kind !== undefined) return this.#token(kind, end);
    return this.#fault(`bad number or duration syntax: ${quoteString(this.#text.slice(this.#start, end))}`);
  }

  #word(): Token {
    const end = this.#matchEnd(/[\w:]+/y);
    const word = this.#text.slice(this.#start, end);
    const keyword = keywords.get(word.toLowerCase());
    switch (keyword) {
      case undefined:
        return this.#token(word.includes(":") ? "metric-identifier" : "identifier", end);
      case "fill":
      case "fill_left":
      case "fill_right":
        // These came late to the language: a metric of that name stays one where no value follows.
        return this.#token(this.#matchEnd(/[\w:]+[ \t\r\n]*\(/y) > end ? keyword : "identifier", end);
      default:
        return this.#token(keyword, end);
    }
  }

  #wordInBrackets(character: string): Token {
    if (character === ":") {
      if (this.#sawColon) this.#fault("unexpected colon ':'");
      this.#sawColon = true;
      return this.#token(":", this.#start + 1);
    }
    return this.#durationWord() ?? this.#fault(`unexpected character: ${quoteCharacter(character)}, expected ':'`);
  }

  /** `step`, `range`, `min_of` or `max_of`, if one of them stands here. */
  #durationWord(): Token | undefined {
    const end = this.#matchEnd(/[a-zA-Z_]*/y);
    const keyword = keywords.get(this.#text.slice(this.#start, end).toLowerCase());
    if (keyword === undefined || !isRangeWord(keyword) || keyword === "start" || keyword === "end") return undefined;
    return this.#token(keyword, end);
  }

  #string(quote: string): Token {
    for (let i = this.#start + 1; ;) {
      const character = this.#characterAt(i);
      i += character.length;
      if (character === quote) return this.#token("string", i);
      if (character === "\ufffd" || isLoneSurrogate(character)) this.#fault("invalid UTF-8 rune");
      if (quote === "`") {
        if (character === "") this.#fault("unterminated raw string");
      } else {
        if (character === "" || character === "\n") this.#fault("unterminated quoted string");
        if (character === "\\") i = this.#escapeEnd(i, quote);
      }
    }
  }

  /** The end of the escape whose backslash stands before `start`. */
  #escapeEnd(start: number, quote: string): number {
    const letter = this.#characterAt(start);
    if (letter === "") this.#fault("escape sequence not terminated");
    if (letter === quote || "abfnrtv\\".includes(letter)) return start + 1;
    const form = escapeForms.find(({ letters }) => letters.includes(letter));
    if (form === undefined) this.#fault(`unknown escape sequence ${describeCharacter(letter)}`);
    const first = start + form.skipped;
    const end = first + form.digitCount;
    for (let i = first; i < end; i++) {
      const digit = this.#characterAt(i);
      if (digit === "") this.#fault("escape sequence not terminated");
      if (!form.digits.test(digit)) this.#fault(`illegal character ${describeCharacter(digit)} in escape sequence`);
    }
    const value = Number.parseInt(this.#text.slice(first, end), form.radix);
    if (value > form.valueMax || (value >= 0xd800 && value < 0xe000)) {
      this.#fault("escape sequence is an invalid Unicode code point");
    }
    return end;
  }

  #skipBlanks(): void {
    for (;;) {
      this.#start = this.#end;
      this.#end = this.#matchEnd(/[ \t\r\n]+/y);
      if (this.#place === "duration" || !this.#text.startsWith("#", this.#end)) return;
      this.#start = this.#end;
      this.#end = this.#matchEnd(/#[^\r\n]*/y);
    }
  }

  #startsNumber(character: string): boolean {
    return isDigit(character) || (character === "." && isDigit(this.#characterAt(this.#start + 1)));
  }

  #matchEnd(pattern: RegExp): number {
    pattern.lastIndex = this.#start;
    return pattern.test(this.#text) ? pattern.lastIndex : this.#start;
  }

  #characterAt(offset: number): string {
    const codePoint = this.#text.codePointAt(offset);
    return codePoint === undefined ? "" : String.fromCodePoint(codePoint);
  }

  #token(kind: TokenKind, end: number): Token {
    this.#end = end;
    return { kind, text: this.#text.slice(this.#start, end), start: this.#start, end };
  }

  #fault(reason: string): never {
    throw new SyntaxFault(this.#start, reason);
  }

  #faultBehind(symbol: string, reason: string): never {
    throw new SyntaxFault(this.#start + symbol.length, reason);
  }
}

interface EscapeForm {
  readonly letters: string;
  readonly skipped: number; // characters before the digits
  readonly digitCount: number;
  readonly digits: RegExp;
  readonly radix: number;
  readonly valueMax: number;
}

const escapeForms: readonly EscapeForm[] = [
  { letters: "01234567", skipped: 0, digitCount: 3, digits: /^[0-7]$/, radix: 8, valueMax: 0xff },
  { letters: "x", skipped: 1, digitCount: 2, digits: /^[0-9a-fA-F]$/, radix: 16, valueMax: 0xff },
  { letters: "u", skipped: 1, digitCount: 4, digits: /^[0-9a-fA-F]$/, radix: 16, valueMax: 0x10ffff },
  { letters: "U", skipped: 1, digitCount: 8, digits: /^[0-9a-fA-F]$/, radix: 16, valueMax: 0x10ffff },
];

function isDigit(character: string): boolean {
  return character >= "0" && character <= "9" && character.length === 1;
}

function isLetter(character: string): boolean {
  return /^[a-zA-Z_]$/.test(character);
}
