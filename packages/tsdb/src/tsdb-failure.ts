/** What a data folder could not do. What was acknowledged before is there, and reads go on. */
import { formatBlockFailure, type BlockFailure } from "@pleiad/blocks";
import { formatHeadFailure, type HeadFailure } from "@pleiad/head";
import { unreachable } from "@pleiad/model";
import { FileError, type FileErrorCode } from "@pleiad/ports";

export type TsdbFailure =
  /** Another process has the folder. */
  | { readonly kind: "locked"; readonly directory: string }
  | { readonly kind: "files"; readonly code: FileErrorCode; readonly reason: string }
  | { readonly kind: "head"; readonly failure: HeadFailure }
  | { readonly kind: "block"; readonly failure: BlockFailure }
  | { readonly kind: "closed" };

/** Turns what a file port threw into a value; anything else is a bug and is thrown on. */
export function asTsdbFailure(error: unknown): TsdbFailure {
  if (!(error instanceof FileError)) throw error;
  return { kind: "files", code: error.code, reason: error.message };
}

/** One line for people. */
export function formatTsdbFailure(failure: TsdbFailure): string {
  switch (failure.kind) {
    case "locked":
      return `${failure.directory} is in use by another process`;
    case "files":
      return failure.reason;
    case "head":
      return formatHeadFailure(failure.failure);
    case "block":
      return formatBlockFailure(failure.failure);
    case "closed":
      return "the data folder is closed";
    default:
      return unreachable(failure);
  }
}
