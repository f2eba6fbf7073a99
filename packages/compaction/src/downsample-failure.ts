import { formatChunkFailure, type ChunkFailure } from "@pleiad/chunks";
import { unreachable } from "@pleiad/model";

/** Why a series could not be downsampled. */
export type DownsampleFailure =
  | { readonly kind: "overlap"; readonly endMs: number; readonly startMs: number }
  | { readonly kind: "damaged-chunk"; readonly startMs: number; readonly failure: ChunkFailure }
  | { readonly kind: "downsampled-already"; readonly startMs: number };

/** One line for people. */
export function formatDownsampleFailure(failure: DownsampleFailure): string {
  switch (failure.kind) {
    case "overlap":
      return `a chunk starts at ${failure.startMs} before the last one ends, at ${failure.endMs}`;
    case "damaged-chunk":
      return `the chunk that starts at ${failure.startMs}: ${formatChunkFailure(failure.failure)}`;
    case "downsampled-already":
      return `the chunk that starts at ${failure.startMs} is downsampled already`;
    default:
      return unreachable(failure);
  }
}
