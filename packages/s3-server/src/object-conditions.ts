/** Conditional headers: whether a request may go on, by what is there now. */
import { S3Error } from "./s3-error.ts";

export interface ObjectState {
  readonly etag: string; // without quotes
  readonly modifiedMs: number;
}

export type ReadDecision = "send" | "not-modified";

/** For GET and HEAD. Throws S3Error PreconditionFailed. */
export function decideRead(headers: ReadonlyMap<string, string>, state: ObjectState): ReadDecision {
  const ifMatch = headers.get("if-match");
  const ifUnmodifiedSince = secondsOf(headers.get("if-unmodified-since"));
  const modifiedSeconds = Math.floor(state.modifiedMs / 1000);
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, state.etag)) throw failed("If-Match");
  } else if (ifUnmodifiedSince !== undefined && modifiedSeconds > ifUnmodifiedSince) {
    throw failed("If-Unmodified-Since");
  }
  const ifNoneMatch = headers.get("if-none-match");
  if (ifNoneMatch !== undefined) return matches(ifNoneMatch, state.etag) ? "not-modified" : "send";
  const ifModifiedSince = secondsOf(headers.get("if-modified-since"));
  return ifModifiedSince !== undefined && modifiedSeconds <= ifModifiedSince ? "not-modified" : "send";
}

export interface WriteCondition {
  readonly ifAbsent: boolean;
  readonly ifMatch: string | undefined;
}

/** For PUT and the completion of an upload. Throws S3Error for what S3 does not have. */
export function writeConditionOf(headers: ReadonlyMap<string, string>): WriteCondition {
  const ifNoneMatch = headers.get("if-none-match");
  if (ifNoneMatch !== undefined && ifNoneMatch !== "*") {
    throw new S3Error("NotImplemented", "A write may have If-None-Match: *, and no other.");
  }
  return { ifAbsent: ifNoneMatch === "*", ifMatch: headers.get("if-match") };
}

/** Throws S3Error, also where there is no object to match. */
export function checkWrite({ ifMatch }: WriteCondition, state: ObjectState | undefined): void {
  if (ifMatch === undefined) return;
  if (state === undefined) throw new S3Error("NoSuchKey", "There is no object that If-Match could match.");
  if (!matches(ifMatch, state.etag)) throw failed("If-Match");
}

function matches(header: string, etag: string): boolean {
  return header.split(",").some((one) => {
    const text = one.trim().replace(/^W\//, "");
    return text === "*" || text.replace(/^"(.*)"$/, "$1") === etag;
  });
}

function secondsOf(header: string | undefined): number | undefined {
  const atMs = Date.parse(header ?? "");
  return Number.isNaN(atMs) ? undefined : Math.floor(atMs / 1000);
}

function failed(name: string): S3Error {
  return new S3Error("PreconditionFailed", `At least one of the preconditions did not hold: ${name}.`);
}
