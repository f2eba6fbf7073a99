/**
 * The first thing wrong with a query.
 *
 * Thrown, so that lexer, grammar and type checker need not hand a failure through every level, and caught in
 * `parse-expression.ts`: it never leaves this package.
 */
export class SyntaxFault extends Error {
  /** Where in the text, in UTF-16 units. */
  readonly offset: number;

  constructor(offset: number, reason: string) {
    super(reason);
    this.offset = offset;
  }
}
