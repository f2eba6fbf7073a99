/** Why a block cannot be read or written. */
import { unreachable, type SourceFailure } from "@pleiad/model";

export type BlockFailure =
  /** Bytes that are not what the format says; `offset` is into the file named. */
  | {
      readonly kind: "corrupt";
      readonly block: string;
      readonly file: string;
      readonly offset: number;
      readonly reason: string;
    }
  | { readonly kind: "unsupported"; readonly block: string; readonly reason: string }
  /** Files or bucket failed. */
  | { readonly kind: "unavailable"; readonly block: string; readonly cause: unknown }
  | { readonly kind: "limit"; readonly block: string; readonly of: "series" | "chunks" | "bytes"; readonly max: number }
  | { readonly kind: "canceled"; readonly block: string };

/** One line for people. */
export function formatBlockFailure(failure: BlockFailure): string {
  return `block ${failure.block}: ${reasonOf(failure)}`;
}

/** The failure as a source of series tells it. */
export function sourceFailureOf(failure: BlockFailure): SourceFailure {
  const source = `block ${failure.block}`;
  switch (failure.kind) {
    case "corrupt":
      return { kind: "corrupt", source, reason: reasonOf(failure) };
    case "unsupported":
    case "unavailable":
      return { kind: "unavailable", source, reason: reasonOf(failure) };
    case "limit":
      return { kind: "limit", source, of: failure.of, max: failure.max };
    case "canceled":
      return { kind: "canceled", source };
    default:
      return unreachable(failure);
  }
}

function reasonOf(failure: BlockFailure): string {
  switch (failure.kind) {
    case "corrupt":
      return `${failure.file} at byte ${failure.offset}: ${failure.reason}`;
    case "unsupported":
      return failure.reason;
    case "unavailable":
      return failure.cause instanceof Error ? failure.cause.message : String(failure.cause);
    case "limit":
      return `more than ${failure.max} ${failure.of}`;
    case "canceled":
      return "canceled";
    default:
      return unreachable(failure);
  }
}

/** What `everySeries` throws: a failure in the middle of a stream. */
export class BlockReadError extends Error {
  readonly failure: BlockFailure;

  constructor(failure: BlockFailure) {
    super(formatBlockFailure(failure));
    this.name = "BlockReadError";
    this.failure = failure;
  }
}

/** The failure that a thrown error stands for. What is no failure of files, bucket or bytes is a bug and thrown on. */
export function blockFailureOf(block: string, error: unknown, signal?: AbortSignal): BlockFailure {
  if (error instanceof BlockReadError) return error.failure;
  if (signal?.aborted === true) return { kind: "canceled", block };
  if (error instanceof TypeError || error instanceof RangeError) throw error;
  return { kind: "unavailable", block, cause: error };
}
