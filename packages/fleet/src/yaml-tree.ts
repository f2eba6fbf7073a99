/**
 * YAML text to a plain value, and the place of every key and value in it.
 *
 * Works on the library's syntax tree, bounded before each step: size before lexing, depth before the recursive composer
 * sees it, aliases while they are followed. Mappings become objects without a prototype, so that a key such as
 * `__proto__` is a key like any other.
 */
import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, Parser } from "yaml";
import type { CST, Document, ParsedNode } from "yaml";
import { pathText, startOfFile, type FleetSource, type Path, type Place } from "./fleet-source.ts";
import { problemAtPlace, type FleetProblem, type Mismatch } from "./problems.ts";

export const fileCharactersMax = 1_048_576;
const depthMax = 64;
const aliasesMax = 100;
const valuesMax = 250_000;
const syntaxProblemsMax = 100;

export interface YamlTree {
  readonly source: FleetSource;
  readonly value: unknown;
  readonly problems: readonly FleetProblem[]; // where there are any, `value` is not to be used
}

/** Reads one document. Never throws on any text. */
export function readYamlTree(textWithMark: string, fileName: string): YamlTree {
  // The lexer would take a byte order mark for content of column 1.
  const text = textWithMark.startsWith("\ufeff") ? textWithMark.slice(1) : textWithMark;
  const reader = new TreeReader(text, fileName);
  return reader.read();
}

class TreeReader {
  readonly #text: string;
  readonly #lineStarts: readonly number[]; // offsets
  readonly #problems: FleetProblem[] = [];
  readonly #keyPlaces = new Map<string, Place>();
  readonly #valuePlaces = new Map<string, Place>();
  readonly #source: FleetSource;
  #aliasCount = 0;
  #valueCount = 0;

  constructor(text: string, fileName: string) {
    this.#text = text;
    const lines = text.length > fileCharactersMax ? [] : text.split(/\r?\n/);
    // The library's own counter loses lines inside a quote that never closes.
    this.#lineStarts = text.length > fileCharactersMax ? [0] : lineStartsOf(text);
    this.#source = { fileName, lines, keyPlaces: this.#keyPlaces, valuePlaces: this.#valuePlaces };
  }

  read(): YamlTree {
    const value = this.#readDocument();
    return { source: this.#source, value, problems: this.#problems };
  }

  #readDocument(): unknown {
    const text = this.#text;
    if (text.length > fileCharactersMax) {
      return this.#report(startOfFile, {
        code: "INPUT",
        expected: `at most ${fileCharactersMax} characters`,
        found: String(text.length),
        hint: "write cluster names as ranges, such as cluster-{001..180}",
      });
    }
    const tokens = this.#parse();
    if (tokens === undefined || this.#reportControlCharacter()) return undefined;
    const documents = tokens.filter((token) => token.type === "document");
    const second = documents[1];
    if (second !== undefined) {
      return this.#report(this.#place(second.offset, second.offset + 3), {
        code: "YAML_MULTI",
        expected: "one document",
        found: `${documents.length}`,
        hint: "a fleet is one document: take the line `---` out",
      });
    }
    const options = {
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: "silent",
    } as const;
    const [document] = new Composer(options).compose(tokens, true, text.length);
    if (document === undefined) return undefined;
    for (const error of [...document.errors, ...document.warnings].slice(0, syntaxProblemsMax)) {
      this.#reportSyntax(error.code, error.message, error.pos);
    }
    if (this.#problems.length > 0) return undefined;
    if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
      return this.#report(startOfFile, {
        code: "FILE_EMPTY",
        expected: "a fleet",
        found: "an empty file",
        hint: "start from a copy of fleets/laptop.yaml",
      });
    }
    return this.#valueOf(document.contents, [], document);
  }

  /** Tokens of the whole text; undefined once they nest too deeply, before anything recursive has seen them. */
  #parse(): readonly CST.Token[] | undefined {
    const parser = new Parser();
    const tokens: CST.Token[] = [];
    for (const lexeme of new Lexer().lex(this.#text)) {
      for (const token of parser.next(lexeme)) tokens.push(token);
      // Two entries are the document and the scalar at hand.
      if (parser.stack.length > depthMax + 2) {
        this.#report(this.#place(parser.offset, parser.offset + 1), {
          code: "YAML_DEPTH",
          expected: `at most ${depthMax} levels of nesting`,
          found: "more",
        });
        return undefined;
      }
    }
    for (const token of parser.end()) tokens.push(token);
    return tokens;
  }

  #reportControlCharacter(): boolean {
    // oxlint-disable-next-line no-control-regex
    const at = this.#text.search(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/);
    if (at < 0) return false;
    const code = this.#text.charCodeAt(at).toString(16).toUpperCase().padStart(4, "0");
    this.#report(this.#place(at, at + 1), {
      code: "INPUT",
      expected: "text",
      found: `the control character U+${code}`,
    });
    return true;
  }

  #reportSyntax(code: string, message: string, [from, to]: readonly [number, number]): void {
    const place = this.#place(from, to);
    // What follows from one slip on the same line only confuses.
    if (this.#problems.some((problem) => problem.line === place.line)) return;
    // After a broken structure the rest of the file is a row of tokens without place.
    if (code === "UNEXPECTED_TOKEN" && this.#problems.length > 0) return;
    const reason = `${message.charAt(0).toLowerCase()}${message.slice(1)}`;
    this.#report(place, {
      code: "YAML_SYNTAX",
      expected: "YAML",
      found: `an error: ${reason}`,
      hint: syntaxHint(code, this.#source.lines[place.line - 1] ?? ""),
    });
  }

  #valueOf(node: ParsedNode | null, path: Path, document: Document.Parsed): unknown {
    if (path.length > depthMax) {
      return this.#report(this.#nodePlace(node), {
        code: "YAML_DEPTH",
        expected: `at most ${depthMax} levels of nesting, aliases followed`,
        found: "more",
      });
    }
    this.#valueCount++;
    if (this.#valueCount > valuesMax) {
      if (this.#valueCount > valuesMax + 1) return undefined;
      return this.#report(this.#nodePlace(node), {
        code: "INPUT",
        expected: `at most ${valuesMax} values, aliases followed`,
        found: "more",
      });
    }
    if (node !== null) this.#valuePlaces.set(pathText(path), this.#nodePlace(node));
    if (node === null) return null;
    if (isAlias(node)) return this.#aliasedValue(node, path, document);
    if (isMap(node)) return this.#mapping(node, path, document);
    if (isSeq(node)) return node.items.map((item, i) => this.#valueOf(item, [...path, i], document));
    return node.value;
  }

  #aliasedValue(alias: ParsedNode, path: Path, document: Document.Parsed): unknown {
    this.#aliasCount++;
    if (this.#aliasCount > aliasesMax) {
      if (this.#aliasCount > aliasesMax + 1) return undefined;
      return this.#report(this.#nodePlace(alias), {
        code: "YAML_ALIASES",
        expected: `at most ${aliasesMax} aliases, each counted as often as it is expanded`,
        found: "more",
      });
    }
    const target = isAlias(alias) ? alias.resolve(document) : undefined;
    if (target === undefined) {
      return this.#report(this.#nodePlace(alias), {
        code: "YAML_SYNTAX",
        expected: "an alias of an anchor above it",
        found: this.#text.slice(alias.range[0], alias.range[1]),
      });
    }
    return this.#valueOf(target as ParsedNode, path, document);
  }

  #mapping(node: Extract<ParsedNode, { items: { key: unknown }[] }>, path: Path, document: Document.Parsed): unknown {
    const mapping = Object.create(null) as Record<string, unknown>;
    for (const pair of node.items as { key: ParsedNode; value: ParsedNode | null }[]) {
      const place = this.#nodePlace(pair.key);
      if (!isScalar(pair.key)) {
        this.#report(place, { code: "YAML_KEY", expected: "a key of plain text", found: "something else" });
        continue;
      }
      const key = typeof pair.key.value === "string" ? pair.key.value : (pair.key.source ?? String(pair.key.value));
      const keyPath = [...path, key];
      const known = this.#keyPlaces.get(pathText(keyPath));
      if (key in mapping && known !== undefined) {
        this.#report(
          place,
          {
            code: "YAML_DUP_KEY",
            expected: `the key ${JSON.stringify(key)} once`,
            found: `it again, first on line ${known.line}`,
            hint: "the second would replace the first",
          },
          keyPath,
        );
        continue;
      }
      this.#keyPlaces.set(pathText(keyPath), place);
      mapping[key] = this.#valueOf(pair.value, keyPath, document);
    }
    return mapping;
  }

  #nodePlace(node: ParsedNode | null): Place {
    if (node === null) return startOfFile;
    // A collection is marked by its first character: its range may be the whole rest of the file.
    const [from, to] = node.range;
    return isScalar(node) || isAlias(node) ? this.#place(from, to) : this.#place(from, from + 1);
  }

  #place(from: number, to: number): Place {
    const offset = Math.min(from, this.#text.length);
    const line = lastAtMost(this.#lineStarts, offset) + 1;
    const column = offset - (this.#lineStarts[line - 1] ?? 0) + 1;
    const lineLength = this.#source.lines[line - 1]?.length ?? 0;
    const room = Math.max(1, lineLength - column + 1);
    return { line, column, length: Math.min(Math.max(1, to - from), room) };
  }

  #report(place: Place, trouble: Mismatch & { readonly found: string }, path: Path = []): undefined {
    this.#problems.push(problemAtPlace(this.#source, place, pathText(path), trouble));
  }
}

function lineStartsOf(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** The index of the last of the ascending numbers that is at most `limit`; the first is. */
function lastAtMost(numbers: readonly number[], limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? Infinity) <= limit) low = middle;
    else high = middle;
  }
  return low;
}

function syntaxHint(code: string, line: string): string | undefined {
  if (code === "TAB_AS_INDENT") return "indent with blanks, YAML allows no tabs";
  if (/[[{].*\{\d+\.\.\d+\}/.test(line)) return "inside [ ] and { } a range needs quotes";
  return undefined;
}
