/** The tokens of a query as the grammar takes them. */
import { Lexer } from "./lexer.ts";
import { SyntaxFault } from "./syntax-fault.ts";
import { describeToken, type Token, type TokenKind } from "./tokens.ts";

/** What the grammar was reading: `unexpected … in <name>, expected <expected>`. Empty texts are left out. */
export interface ReadingContext {
  readonly name: string;
  readonly expected: string;
}

/**
 * The tokens of a query with one token of look-ahead, read only when it is asked for: of two faults in a text, the
 * one that is met first is the one reported. Also holds what messages and limits need to know of the way there.
 */
export class TokenStream {
  readonly #lexer: Lexer;
  readonly #nestingMax: number;
  #ahead: Token | undefined;
  #nesting = 0;
  #lastEnd = 0;
  #context: ReadingContext = { name: "", expected: "" };

  constructor(text: string, nestingMax: number) {
    this.#lexer = new Lexer(text);
    this.#nestingMax = nestingMax;
  }

  /** Where the last token taken ends. */
  get lastEnd(): number {
    return this.#lastEnd;
  }

  peek(): Token {
    this.#ahead ??= this.#lexer.next();
    return this.#ahead;
  }

  next(): Token {
    const token = this.peek();
    this.#ahead = undefined;
    this.#lastEnd = token.end;
    return token;
  }

  isAt(...kinds: readonly TokenKind[]): boolean {
    return kinds.includes(this.peek().kind);
  }

  /** Takes the next token if it is of one of the kinds. */
  accept(...kinds: readonly TokenKind[]): Token | undefined {
    return this.isAt(...kinds) ? this.next() : undefined;
  }

  /** Takes the next token, which must be of the kind. */
  expect(kind: TokenKind, context?: ReadingContext): Token {
    return this.accept(kind) ?? this.unexpected(context);
  }

  /** Complains about the next token. */
  unexpected(context = this.#context): never {
    const token = this.peek();
    const place = context.name === "" ? "" : ` in ${context.name}`;
    const wish = context.expected === "" ? "" : `, expected ${context.expected}`;
    throw new SyntaxFault(token.start, `unexpected ${describeToken(token)}${place}${wish}`);
  }

  /** Reads something; complaints inside name the context, unless a nearer one is set. */
  within<T>(context: ReadingContext, read: () => T): T {
    const outer = this.#context;
    this.#context = context;
    const value = read();
    this.#context = outer;
    return value;
  }

  /** Reads something one level deeper. */
  nested<T>(read: () => T): T {
    this.deepen();
    const value = read();
    this.rise(1);
    return value;
  }

  /** Goes a level deeper; every level costs stack here and wherever the tree is walked. */
  deepen(): void {
    if (this.#nesting >= this.#nestingMax) {
      throw new SyntaxFault(this.peek().start, `nesting deeper than ${this.#nestingMax}`);
    }
    this.#nesting++;
  }

  rise(levels: number): void {
    this.#nesting -= levels;
  }
}
