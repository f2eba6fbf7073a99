/** What a head refuses, and what it could not do. */
import { unreachable } from "@pleiad/model";
import { FileError, type FileErrorCode } from "@pleiad/ports";

/** Why an operation of a head did not come about. What was acknowledged before is there, and reads go on. */
export type HeadFailure =
  /** The disk refused; the same may succeed later. */
  | { readonly kind: "files"; readonly code: FileErrorCode; readonly reason: string }
  /**
   * A datasync failed: nobody knows what the disk holds. The head takes nothing until a maintenance has brought memory to
   * disk once more; where closed chunks or samples out of order are in doubt, until it is opened anew.
   */
  | { readonly kind: "sealed"; readonly reason: string }
  | { readonly kind: "closed" };

/** Why a series was not taken. */
export type HeadRefusal =
  | { readonly kind: "invalid-labels"; readonly reason: string }
  | {
      readonly kind: "limit";
      readonly of: "series" | "labels-per-series" | "label-name-bytes" | "label-value-bytes";
      readonly max: number;
    };

/** Turns what a file port threw into a value; anything else is a bug and is thrown on. */
export function asHeadFailure(error: unknown): HeadFailure {
  if (!(error instanceof FileError)) throw error;
  return { kind: "files", code: error.code, reason: error.message };
}

/** One line for people. */
export function formatHeadFailure(failure: HeadFailure): string {
  switch (failure.kind) {
    case "files":
      return failure.reason;
    case "sealed":
      return `no writes until what a failed datasync left in doubt is on disk again: ${failure.reason}`;
    case "closed":
      return "the head is closed";
    default:
      return unreachable(failure);
  }
}

/** One line for people. */
export function formatHeadRefusal(refusal: HeadRefusal): string {
  switch (refusal.kind) {
    case "invalid-labels":
      return `invalid labels: ${refusal.reason}`;
    case "limit":
      return `more than ${refusal.max} ${refusal.of.replaceAll("-", " ")}`;
    default:
      return unreachable(refusal);
  }
}
