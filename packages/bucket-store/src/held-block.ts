/** A block of the shard: opened when a question first needs it, held while one reads it, closed when it rests. */
import {
  buildIndexHeader,
  indexHeaderFile,
  openBlock,
  sourceFailureOf,
  type Block,
  type BlockFailure,
  type BlockMeta,
  type BlockOptions,
} from "@pleiad/blocks";
import { fail, ok, type Labels, type Result, type SourceFailure } from "@pleiad/model";
import type { Clock } from "@pleiad/ports";
import { externalLabelsOf } from "./block-plan.ts";
import { orAborted } from "./bucket-reads.ts";
import type { Gate } from "./gate.ts";
import type { HeaderFolder } from "./header-folder.ts";
import { heldBlockBytes, type HeldBlockBytes, type HeldBlockSource } from "./held-block-bytes.ts";
import type { StoreMetrics } from "./store-metrics.ts";

/** What the blocks of a store share. */
export interface HeldBlockOptions extends HeldBlockSource {
  readonly headers: HeaderFolder;
  readonly opensAtOnce: Gate;
  readonly open: Omit<BlockOptions, "externalLabels" | "indexHeader">;
  readonly clock: Clock;
  readonly metrics: StoreMetrics;
  readonly onWarning: (message: string, ulid: string, reason: string) => void;
  /** Ends with the store: what several questions wait for is not canceled by one of them. */
  readonly signal: AbortSignal;
}

export interface OpenFailure {
  readonly failure: SourceFailure;
  /** The block is not in the bucket any more. */
  readonly isGone: boolean;
}

/** The right to read a block until `release`, whatever becomes of it in the bucket. */
export interface BlockLease {
  readonly block: Block;
  /** Whether a read found that a file of the block is not there any more. */
  readonly isGone: boolean;
  release(): void;
  /** Releases, and has whoever asks next read anew: bytes that came may have been damaged on the way. */
  discard(): void;
}

interface OpenedBlock {
  readonly block: Block;
  readonly bytes: HeldBlockBytes;
  /** What it holds beside its caches, which are bounded elsewhere. */
  readonly tableBytes: number;
  leases: number;
  isDiscarded: boolean;
}

export class HeldBlock {
  readonly meta: BlockMeta;
  readonly labels: Labels;
  readonly #options: HeldBlockOptions;
  #opening: Promise<Result<OpenedBlock, OpenFailure>> | undefined;
  #opened: OpenedBlock | undefined;
  #lastUsedMs = 0;
  #isDropped = false;
  #askedCount = 0; // who wait for it to be open

  constructor(meta: BlockMeta, options: HeldBlockOptions) {
    this.meta = meta;
    this.labels = externalLabelsOf(meta);
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#opened !== undefined;
  }

  get tableBytes(): number {
    return this.#opened?.tableBytes ?? 0;
  }

  /** On the monotonic clock. */
  get lastUsedMs(): number {
    return this.#lastUsedMs;
  }

  async acquire(signal: AbortSignal): Promise<Result<BlockLease, OpenFailure>> {
    // Mostly it is open: thousands of blocks that each wait for the end of one question take longer than their answers.
    if (this.#opened !== undefined && !signal.aborted) return ok(this.#lease(this.#opened));
    this.#opening ??= this.#open();
    this.#askedCount++;
    try {
      const opened = await orAborted(this.#opening, signal);
      // Closed while this question waited: it is opened once more.
      if (opened.ok && opened.value.isDiscarded) return await this.acquire(signal);
      return opened.ok ? ok(this.#lease(opened.value)) : opened;
    } catch (error) {
      if (!signal.aborted) throw error;
      return fail({ failure: { kind: "canceled", source: `block ${this.meta.ulid}` }, isGone: false });
    } finally {
      this.#askedCount--;
    }
  }

  /** Brings its small files to the local disk; throws what a bucket throws, or the reason of the signal. */
  async fetchAhead(signal: AbortSignal): Promise<void> {
    await this.#bytes().fetchAhead(signal);
  }

  /** Closes it if nobody reads it. */
  async closeIfUnread(): Promise<boolean> {
    const opened = this.#opened;
    if (opened === undefined || opened.leases > 0) return false;
    this.#discard(opened);
    return true;
  }

  /** The block is not served any more: it is closed when the last question has read it. */
  drop(): void {
    this.#isDropped = true;
    if (this.#opened !== undefined) this.#discard(this.#opened);
  }

  #lease(opened: OpenedBlock): BlockLease {
    opened.leases++;
    let isHeld = true;
    const release = () => {
      if (!isHeld) return;
      isHeld = false;
      opened.leases--;
      this.#lastUsedMs = this.#options.clock.monotonicMs();
      if (opened.leases > 0) return;
      if (opened.isDiscarded) close(opened);
      // A question that began before may have opened it once more.
      else if (this.#isDropped) this.#discard(opened);
    };
    return {
      block: opened.block,
      get isGone() {
        return opened.bytes.isGone;
      },
      release,
      discard: () => {
        this.#options.kept.forget(this.meta.ulid);
        this.#discard(opened);
        release();
      },
    };
  }

  #discard(opened: OpenedBlock): void {
    if (opened.isDiscarded) return;
    opened.isDiscarded = true;
    if (this.#opened === opened) {
      this.#opened = undefined;
      this.#opening = undefined;
    }
    this.#options.metrics.headerUnloads.add(1);
    if (opened.leases === 0) close(opened);
  }

  async #open(): Promise<Result<OpenedBlock, OpenFailure>> {
    const { clock, metrics, opensAtOnce, signal } = this.#options;
    const startMs = clock.monotonicMs();
    metrics.headerLoads.add(1);
    let outcome: Result<OpenedBlock, OpenFailure>;
    try {
      const leave = await opensAtOnce.enter(signal);
      try {
        outcome = await this.#openNow();
      } finally {
        leave();
      }
    } catch (error) {
      this.#opening = undefined;
      if (!signal.aborted) throw error;
      return fail({ failure: { kind: "canceled", source: `block ${this.meta.ulid}` }, isGone: false });
    }
    metrics.headerLoadSeconds.observe((clock.monotonicMs() - startMs) / 1000);
    if (outcome.ok) {
      this.#opened = outcome.value;
      this.#lastUsedMs = clock.monotonicMs();
      // Dropped meanwhile, and whoever wanted it has gone: nobody else would close it.
      if (this.#isDropped && this.#askedCount === 0) this.#discard(outcome.value);
    } else {
      // Not kept: the next question tries again.
      this.#opening = undefined;
      metrics.headerLoadFailures.add(1);
    }
    return outcome;
  }

  async #openNow(): Promise<Result<OpenedBlock, OpenFailure>> {
    const bytes = this.#bytes();
    return bytes.isSmall("index") ? await this.#openSmall(bytes) : await this.#openByHeader();
  }

  /** A small index is kept as it is: a header would be most of it. */
  async #openSmall(bytes: HeldBlockBytes): Promise<Result<OpenedBlock, OpenFailure>> {
    const { kept } = this.#options;
    const { ulid } = this.meta;
    const wasKept = kept.has(ulid, "index");
    const opened = await this.#openWith(bytes, undefined);
    if (opened.ok || opened.failure.cause.kind !== "corrupt") return opened;
    kept.forget(ulid);
    if (!wasKept) return opened;
    this.#options.onWarning("The index on disk is damaged and is read anew.", ulid, opened.failure.cause.reason);
    const again = await this.#openWith(this.#bytes(), undefined);
    if (!again.ok) kept.forget(ulid);
    return again;
  }

  async #openByHeader(): Promise<Result<OpenedBlock, OpenFailure>> {
    const { headers, onWarning, signal } = this.#options;
    const { ulid } = this.meta;
    const kept = await headers.read(ulid);
    if (kept !== undefined) {
      const opened = await this.#openWith(this.#bytes(), kept);
      if (opened.ok || !isHeaderFault(opened.failure.cause)) return opened;
      onWarning("The index-header on disk is damaged and is made anew.", ulid, opened.failure.cause.reason);
    }
    const bytes = this.#bytes();
    const built = await buildIndexHeader(bytes, signal);
    if (!built.ok) return fail({ failure: sourceFailureOf(built.failure), isGone: bytes.isGone });
    const reason = await headers.write(ulid, built.value);
    if (reason !== undefined) onWarning("The index-header cannot be kept on disk.", ulid, reason);
    return await this.#openWith(this.#bytes(), built.value);
  }

  async #openWith(
    bytes: HeldBlockBytes,
    indexHeader: Uint8Array | undefined,
  ): Promise<Result<OpenedBlock, OpenFailure & { readonly cause: BlockFailure }>> {
    const { open, signal } = this.#options;
    const header = indexHeader === undefined ? {} : { indexHeader };
    // An index without a header is read in several parts.
    bytes.hold();
    const opened = await openBlock(bytes, { ...open, externalLabels: this.labels, ...header }, signal);
    bytes.letGo();
    if (!opened.ok) {
      return fail({ failure: sourceFailureOf(opened.failure), isGone: bytes.isGone, cause: opened.failure });
    }
    const block = opened.value;
    return ok({ block, bytes, tableBytes: block.tableBytes(), leases: 0, isDiscarded: false });
  }

  #bytes(): HeldBlockBytes {
    return heldBlockBytes(this.#options, this.meta);
  }
}

function isHeaderFault(failure: BlockFailure): failure is BlockFailure & { readonly kind: "corrupt" } {
  return failure.kind === "corrupt" && failure.file === indexHeaderFile;
}

function close({ block }: OpenedBlock): void {
  // Its bytes are a bucket's: there is nothing that could fail.
  void block.close();
}
