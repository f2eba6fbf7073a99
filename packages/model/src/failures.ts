/** Failures as values: what a caller must decide on is returned, what can only be a bug is thrown. */
export type Result<T, F> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: F };

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function fail<F>(failure: F): { readonly ok: false; readonly failure: F } {
  return { ok: false, failure };
}

/** The end of a `switch` over a union: a new kind fails to compile here. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}

/** Why a source of series could not give all it has. */
export type SourceFailure =
  | { readonly kind: "unavailable"; readonly source: string; readonly reason: string }
  | { readonly kind: "timeout"; readonly source: string; readonly afterMs: number }
  | { readonly kind: "canceled"; readonly source: string }
  | {
      readonly kind: "limit";
      readonly source: string;
      readonly of: "series" | "samples" | "chunks" | "bytes";
      readonly max: number;
    }
  | { readonly kind: "corrupt"; readonly source: string; readonly reason: string }
  | { readonly kind: "invalid"; readonly source: string; readonly reason: string };

/** One line for people: names the source and what happened to it. */
export function formatSourceFailure(failure: SourceFailure): string {
  switch (failure.kind) {
    case "unavailable":
      return `${failure.source}: ${failure.reason}`;
    case "timeout":
      return `${failure.source}: no answer within ${failure.afterMs / 1000} s`;
    case "canceled":
      return `${failure.source}: the request was canceled`;
    case "limit":
      return `${failure.source}: more than ${failure.max} ${failure.of}`;
    case "corrupt":
      return `${failure.source}: corrupt data: ${failure.reason}`;
    case "invalid":
      return `${failure.source}: ${failure.reason}`;
    default:
      return unreachable(failure);
  }
}
