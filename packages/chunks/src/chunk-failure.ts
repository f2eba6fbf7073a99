import { unreachable } from "@pleiad/model";

/** Why a chunk gave no samples. */
export type ChunkFailure =
  | { readonly kind: "truncated"; readonly bytes: number; readonly sampleCount: number }
  | { readonly kind: "corrupt"; readonly reason: string }
  | { readonly kind: "unsupported-encoding"; readonly encoding: number; readonly name: string };

/** One line for people. */
export function formatChunkFailure(failure: ChunkFailure): string {
  switch (failure.kind) {
    case "truncated":
      return `the chunk ends within its ${failure.sampleCount} samples, after ${failure.bytes} bytes`;
    case "corrupt":
      return `the chunk is corrupt: ${failure.reason}`;
    case "unsupported-encoding":
      return `chunk encoding not read yet: ${failure.name}`;
    default:
      return unreachable(failure);
  }
}
