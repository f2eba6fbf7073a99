/** What a compactor is asked for, and what it tells. `bucket-compactor.ts` is one. */
import type { BlockMeta } from "@pleiad/blocks";
import type { ReplicaMerge } from "@pleiad/chunks";
import type { Ports } from "@pleiad/ports";
import type { Retention } from "./block-lifetime.ts";
import type { BlockWorkOptions } from "./block-work.ts";
import { defaultPlan, type PlanOptions } from "./compaction-plan.ts";
import type { HaltedStream, PlannedWork } from "./halted-streams.ts";

export interface CompactorOptions {
  readonly work: BlockWorkOptions;
  readonly plan: PlanOptions;
  /** External labels that tell replicas apart: their blocks are merged, and lose the label. Cannot be undone. */
  readonly replicaLabels: readonly string[];
  readonly replicaMerge: ReplicaMerge;
  /** Which blocks are this compactor's. */
  readonly isSelected: (meta: BlockMeta) => boolean;
  /** A block is left alone so long after it was made. */
  readonly consistencyDelayMs: number;
  /** From the mark to the deletion of a block: readers need time to see what replaced it. */
  readonly deleteDelayMs: number;
  /** An upload that broke off is removed when nothing was added to it for so long. */
  readonly partialUploadAgeMs: number;
  readonly isDownsampling: boolean;
  readonly retention: Retention;
  /** What the files meta.json of all blocks may take in the work folder: after a restart they are not read anew. 0: none. */
  readonly metaBytesMax: number;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

export const defaultCompactor: Omit<CompactorOptions, "work"> = {
  plan: defaultPlan,
  replicaLabels: [],
  replicaMerge: "one-to-one",
  isSelected: () => true,
  consistencyDelayMs: 30 * minuteMs,
  deleteDelayMs: 48 * hourMs,
  partialUploadAgeMs: 48 * hourMs,
  isDownsampling: true,
  retention: { rawMs: 0, fiveMinutesMs: 0, oneHourMs: 0 },
  metaBytesMax: 256 * 2 ** 20,
};

export const defaultBlockWork: Omit<BlockWorkOptions, "directory"> = {
  workBytesMax: 100 * 2 ** 30,
  chunkFileBytesMax: 512 * 2 ** 20,
  fetchesAtOnceMax: 4,
  cacheBytesMax: 256 * 2 ** 20,
};

export interface CompactorStatus {
  readonly running: (PlannedWork & { readonly step: string }) | undefined;
  readonly planned: readonly PlannedWork[];
  readonly halted: readonly HaltedStream[];
  readonly todo: {
    readonly compactions: number;
    readonly compactionBlocks: number;
    readonly downsampleBlocks: number;
    readonly deletionBlocks: number;
  };
  readonly lastPass:
    | { readonly startedMs: number; readonly endedMs: number; readonly outcome: PassOutcome }
    | undefined;
}

export type PassOutcome =
  /** Everything that can be done now is done. */
  | { readonly kind: "done" }
  /** Bucket or disk broke off some of it: to be tried again, soon. */
  | { readonly kind: "again"; readonly reasons: readonly string[] }
  | { readonly kind: "canceled" };

export interface Compactor {
  /** One pass at a time. Never rejects for what bucket, disk or blocks do. */
  runPass(signal: AbortSignal): Promise<PassOutcome>;
  status(): CompactorStatus;
  /** After the last pass: lets go of files. */
  close(): Promise<void>;
}

export type CompactorPorts = Pick<Ports, "clock" | "files" | "observations">;
