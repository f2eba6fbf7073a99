/** The envelope around every answer of `/api/v1`, and the kinds of errors with their HTTP status. */
import type { HttpResponse } from "@pleiad/ports";
import { quoteJson } from "./json-text.ts";

export type ErrorType =
  | "bad_data"
  | "execution"
  | "timeout"
  | "canceled"
  | "internal"
  | "not_found"
  | "not_acceptable"
  | "unavailable"
  | "too_many_requests";

/** A kind without a status does not compile. */
export const statusOfError = {
  bad_data: 400,
  execution: 422,
  timeout: 503,
  canceled: 499,
  internal: 500,
  not_found: 404,
  not_acceptable: 406,
  unavailable: 500,
  too_many_requests: 429,
} satisfies Record<ErrorType, number>;

export interface ApiFailure {
  readonly errorType: ErrorType;
  readonly message: string;
  /** In place of the status of the error type: 413, 414. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export function badData(message: string): ApiFailure {
  return { errorType: "bad_data", message };
}

export function invalidParameter(name: string, reason: string): ApiFailure {
  return badData(`invalid parameter "${name}": ${reason}`);
}

/** Text, or its UTF-8. */
export type JsonPiece = string | Uint8Array;

export interface ApiAnswer {
  /** JSON of the `data` field, in pieces of any length. Read once. */
  readonly data: Iterable<JsonPiece>;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  /** Whether a source is missing from the answer: such an answer must not be cached. */
  readonly partial: boolean;
  /** Fields beside `data` that Prometheus does not have, each with its JSON. */
  readonly extraFields?: Readonly<Record<string, string>>;
}

/** An answer whose data fits in one piece, whole and without remarks. */
export function wholeAnswer(data: unknown): ApiAnswer {
  return { data: [quoteJson(data)], warnings: [], infos: [], partial: false };
}

export const limitWarning = "results truncated due to limit";

/** Prometheus shows this many of each kind and counts the rest. */
export const annotationsMax = 10;

/** The text of a successful answer. Pieces of `data` come through as they are. */
export function* successText(answer: ApiAnswer): Generator<JsonPiece> {
  yield `{"status":"success","data":`;
  yield* answer.data;
  let tail = "";
  if (answer.warnings.length > 0) tail += `,"warnings":${quoteJson(shorten(answer.warnings, "warning"))}`;
  if (answer.infos.length > 0) tail += `,"infos":${quoteJson(shorten(answer.infos, "info"))}`;
  for (const [name, json] of Object.entries(answer.extraFields ?? {})) tail += `,${quoteJson(name)}:${json}`;
  yield `${tail}}`;
}

export function failureResponse(failure: ApiFailure): HttpResponse {
  const fields = { status: "error", errorType: failure.errorType, error: failure.message };
  return {
    status: failure.status ?? statusOfError[failure.errorType],
    headers: { ...failure.headers, "content-type": "application/json" },
    body: quoteJson(fields),
  };
}

function shorten(texts: readonly string[], kind: "warning" | "info"): readonly string[] {
  const unique = [...new Set(texts)];
  const omitted = unique.length - annotationsMax;
  return omitted > 0 ? [...unique.slice(0, annotationsMax), `${omitted} more ${kind} annotations omitted`] : unique;
}
