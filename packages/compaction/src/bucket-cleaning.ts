/** What leaves a bucket: blocks that were marked long enough ago, deletions and uploads that broke off. */
import {
  blockMarkFiles,
  deleteBlock,
  formatBlockMark,
  parseBlockMark,
  ulidTimeMs,
  type BlockListing,
  type BlockMark,
  type BlockMarkKind,
  type BlockMeta,
} from "@pleiad/blocks";
import { BucketError, type Bucket, type Ports } from "@pleiad/ports";
import { findClockFault } from "./clock-check.ts";
import type { CompactorMetrics } from "./compactor-metrics.ts";

export interface BucketCleaningOptions {
  /** From the mark to the deletion of a block. */
  readonly deleteDelayMs: number;
  /** An upload that broke off is removed when nothing was added to it for so long. */
  readonly partialUploadAgeMs: number;
  readonly isSelected: (meta: BlockMeta) => boolean;
}

export class BucketCleaning {
  readonly #bucket: Bucket;
  readonly #options: BucketCleaningOptions;
  readonly #ports: Pick<Ports, "clock" | "observations">;
  readonly #metrics: CompactorMetrics;

  constructor(
    bucket: Bucket,
    options: BucketCleaningOptions,
    ports: Pick<Ports, "clock" | "observations">,
    metrics: CompactorMetrics,
  ) {
    this.#bucket = bucket;
    this.#options = options;
    this.#ports = ports;
    this.#metrics = metrics;
  }

  /**
   * Marks a block, and says whether this was the first mark: one that is there already stays as it is, since its time
   * counts. `cause` is one word for the metric. Throws BucketError.
   */
  async mark(mark: Omit<BlockMark, "timeMs">, cause: string, signal: AbortSignal): Promise<boolean> {
    const { kind, ulid, details } = mark;
    const key = keyOf(ulid, kind);
    try {
      const bytes = formatBlockMark({ ...mark, timeMs: this.#ports.clock.wallMs() });
      await this.#bucket.put(key, bytes, { ifAbsent: true, signal });
    } catch (error) {
      if (error instanceof BucketError && error.kind === "precondition") return false;
      throw error;
    }
    this.#metrics.blocksMarked.add(1, blockMarkFiles[kind], cause);
    this.#ports.observations.log("info", "A block is marked.", { ulid, mark: kind, details });
    return true;
  }

  /** Whether there may be something to delete. */
  isNeeded(listing: BlockListing): boolean {
    return this.#dueMarks(listing).length > 0 || this.#oldPartials(listing).length > 0;
  }

  /** Whether anything may be expired or deleted by the clock of this machine. Throws BucketError. */
  async isClockSound(listing: BlockListing, signal: AbortSignal): Promise<boolean> {
    const reason = await findClockFault(this.#bucket, listing, this.#ports.clock, signal);
    this.#metrics.cleaningStopped.set(reason === undefined ? 0 : 1);
    if (reason === undefined) return true;
    this.#ports.observations.log("error", "Nothing is expired or deleted: a clock is wrong.", { reason });
    return false;
  }

  /** Deletes what is due. Gives the failures, for people: one block that cannot be deleted does not keep the others. */
  async clean(listing: BlockListing, signal: AbortSignal): Promise<readonly string[]> {
    const failures: string[] = [];
    const attempt = async (ulid: string, act: () => Promise<void>) => {
      if (signal.aborted) return;
      try {
        await act();
      } catch (error) {
        if (!(error instanceof BucketError)) throw error;
        // Someone else deleted a file of it first.
        if (error.kind === "not-found") return;
        this.#metrics.cleanupFailures.add(1);
        failures.push(`deletion of ${ulid}: ${error.message}`);
      }
    };
    for (const { ulid } of this.#dueMarks(listing)) await attempt(ulid, () => this.#deleteMarked(ulid, signal));
    const oldestMs = this.#oldestPartialMs;
    for (const { ulid, keys } of this.#oldPartials(listing)) {
      await attempt(ulid, () => this.#deletePartial(ulid, keys, oldestMs, signal));
    }
    return failures;
  }

  get #oldestPartialMs(): number {
    return this.#ports.clock.wallMs() - this.#options.partialUploadAgeMs;
  }

  #dueMarks(listing: BlockListing): readonly BlockMark[] {
    return this.#deletionMarks(listing).filter(({ timeMs }) => this.#isDue(timeMs));
  }

  /** By their names; those whose marks are due apart. */
  #oldPartials(listing: BlockListing) {
    const oldestMs = this.#oldestPartialMs;
    return [...listing.partial.values()].filter(
      ({ ulid, deletionMark }) =>
        ulidTimeMs(ulid) <= oldestMs && (deletionMark === undefined || !this.#isDue(deletionMark.timeMs)),
    );
  }

  #deletionMarks(listing: BlockListing): readonly BlockMark[] {
    const marks: BlockMark[] = [];
    for (const { meta, marks: of } of listing.blocks.values()) {
      const mark = of.get("deletion");
      const isOurs = meta.thanos === undefined || this.#options.isSelected(meta);
      if (mark !== undefined && isOurs) marks.push(mark);
    }
    for (const { deletionMark } of [...listing.partial.values(), ...listing.malformed.values()]) {
      if (deletionMark !== undefined) marks.push(deletionMark);
    }
    return marks;
  }

  #isDue(markedMs: number): boolean {
    return markedMs + this.#options.deleteDelayMs <= this.#ports.clock.wallMs();
  }

  async #deleteMarked(ulid: string, signal: AbortSignal): Promise<void> {
    // Someone may have taken the mark back, or renewed it, since the bucket was listed.
    const bytes = await this.#bucket.get(keyOf(ulid, "deletion"), undefined, signal);
    const mark = parseBlockMark("deletion", bytes, ulid);
    if (!mark.ok || !this.#isDue(mark.value.timeMs)) return;
    if (await deleteBlock(this.#bucket, ulid, signal)) this.#metrics.blocksCleaned.add(1);
  }

  async #deletePartial(ulid: string, keys: readonly string[], oldestMs: number, signal: AbortSignal): Promise<void> {
    // An old name is no proof: a slow upload may have added a file just now.
    for (const key of keys) {
      if (key === keyOf(ulid, "deletion")) continue;
      if ((await this.#bucket.attributes(key, signal)).modifiedMs > oldestMs) return;
    }
    // All that was missing may have been meta.json, and may come now. An upload looks for a mark after it has put meta.json,
    // and here meta.json is looked for after the mark: one of the two sees the other.
    const mark = { kind: "deletion", ulid, details: "an upload that broke off", reason: "" } as const;
    const isOurs = await this.mark(mark, "partial", signal);
    if (await this.#hasMeta(ulid, signal)) {
      if (isOurs) await this.#bucket.delete(keyOf(ulid, "deletion"), signal);
      return;
    }
    this.#metrics.partialUploadsDeleted.add(1);
    await deleteBlock(this.#bucket, ulid, signal);
  }

  async #hasMeta(ulid: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#bucket.attributes(`${ulid}/meta.json`, signal);
      return true;
    } catch (error) {
      if (error instanceof BucketError && error.kind === "not-found") return false;
      throw error;
    }
  }
}

function keyOf(ulid: string, kind: BlockMarkKind): string {
  return `${ulid}/${blockMarkFiles[kind]}`;
}
