/** Why blocks could not become one. */
import { formatBlockFailure, type BlockFailure } from "@pleiad/blocks";
import { unreachable } from "@pleiad/model";

export type CompactionFailure =
  /** A block that could not be read, or the new one that could not be written. */
  | { readonly kind: "block"; readonly failure: BlockFailure }
  /** A series of these blocks holds what cannot be merged or downsampled. */
  | { readonly kind: "series"; readonly blocks: readonly string[]; readonly series: string; readonly reason: string }
  /** Blocks that are not said to be replicas have different samples at one time. */
  | {
      readonly kind: "conflict";
      readonly blocks: readonly string[];
      readonly series: string;
      readonly timestampMs: number;
    }
  /** What was written does not stand the test. */
  | { readonly kind: "bad-output"; readonly ulid: string; readonly blocks: readonly string[]; readonly reason: string };

/** One line for people: what is wrong, and with which blocks. */
export function formatCompactionFailure(failure: CompactionFailure): string {
  switch (failure.kind) {
    case "block":
      return formatBlockFailure(failure.failure);
    case "series":
      return `${failure.series} in ${failure.blocks.join(", ")}: ${failure.reason}`;
    case "conflict":
      return (
        `${failure.series}: blocks ${failure.blocks.join(" and ")} overlap in time and have different samples at ` +
        `${new Date(failure.timestampMs).toISOString()}: two producers have the same external labels`
      );
    case "bad-output":
      return `the block made of ${failure.blocks.join(", ")} is not sound: ${failure.reason}`;
    default:
      return unreachable(failure);
  }
}
