/** How operators report that there will be no answer. */
import type { QueryFailure } from "./answer.ts";

/**
 * Carries a failure from an operator out to the engine, which alone catches it and returns it as a value. Operators pull
 * each other through many levels, none of which can do anything about a failure below.
 */
export class QueryError extends Error {
  readonly failure: QueryFailure;

  constructor(kind: QueryFailure["kind"], message: string) {
    super(message);
    this.failure = { kind, message };
  }
}

/** Valid PromQL that this engine does not evaluate yet. */
export function notEvaluated(what: string): QueryError {
  return new QueryError("not-evaluated", `${what} not evaluated by this engine yet`);
}

export const sameLabelsetText = "vector cannot contain metrics with the same labelset";
