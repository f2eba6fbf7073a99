/**
 * One block's part of an answer. A block may go while it is read, once compaction has put another in its place: then what
 * is missing comes from that one. Damaged bytes are asked for once more. What cannot be had is a failure that names the block.
 */
import { mergeSources, type Block } from "@pleiad/blocks";
import {
  compareLabels,
  fail,
  ok,
  type Labels,
  type LabelsAnswer,
  type Result,
  type SelectRequest,
  type SeriesCursor,
  type SeriesSource,
  type SourceFailure,
  type SourceSeries,
} from "@pleiad/model";
import type { PlannedRead } from "./block-plan.ts";
import { cutSeries } from "./chunk-cut.ts";
import type { BlockLease, HeldBlock } from "./held-block.ts";
import type { StoreMetrics } from "./store-metrics.ts";

/** The blocks of the shard as they were at some moment. */
export type HeldBlocks = ReadonlyMap<string, HeldBlock>;

export interface Succession {
  readonly reads: readonly PlannedRead[];
  readonly blocks: HeldBlocks;
}

export interface ReadContext {
  readonly blocks: HeldBlocks;
  readonly metrics: StoreMetrics;
  /** Looks at the bucket anew: which blocks have what the block that is gone had for this time. */
  succeed(gone: PlannedRead, signal: AbortSignal): Promise<Succession | undefined>;
}

/** How often in a row a successor may itself be gone. */
const successionsMax = 3;

export function blockSource(read: PlannedRead, context: ReadContext, depth = 0): SeriesSource {
  return {
    select: (request, signal) => new BlockReadCursor(read, context, depth, request, signal),
    labelNames: (request, signal) =>
      askLabels(read, context, depth, signal, (source) => source.labelNames(request, signal)),
    labelValues: (label, request, signal) =>
      askLabels(read, context, depth, signal, (source) => source.labelValues(label, request, signal)),
  };
}

class BlockReadCursor implements SeriesCursor {
  failure: SourceFailure | undefined;
  readonly #read: PlannedRead;
  readonly #context: ReadContext;
  readonly #depth: number;
  readonly #request: SelectRequest;
  readonly #signal: AbortSignal;
  #inner: SeriesCursor | undefined;
  #lease: BlockLease | undefined;
  #last: Labels | undefined; // of the series that were given
  #isReadAnew = false;
  #isEnded = false;

  constructor(read: PlannedRead, context: ReadContext, depth: number, request: SelectRequest, signal: AbortSignal) {
    this.#read = read;
    this.#context = context;
    this.#depth = depth;
    this.#request = request;
    this.#signal = signal;
  }

  get warnings(): readonly string[] {
    return this.#inner?.warnings ?? [];
  }

  async next(): Promise<readonly SourceSeries[] | undefined> {
    while (!this.#isEnded) {
      if (this.#inner === undefined) {
        await this.#begin();
        continue;
      }
      const inner = this.#inner;
      const batch = await inner.next();
      if (batch !== undefined) {
        const fresh = seriesAfter(batch, this.#last);
        const cut = this.#request.skipChunks ? ok(fresh) : cutSeries(fresh, this.#read);
        if (!cut.ok) {
          const corrupt = { kind: "corrupt", source: `block ${this.#read.meta.ulid}`, reason: cut.failure } as const;
          await this.#recover(corrupt, false);
          continue;
        }
        this.#last = fresh.at(-1)?.labels ?? this.#last;
        if (cut.value.length === 0) continue;
        return cut.value;
      }
      if (inner.failure === undefined) this.close();
      else await this.#recover(inner.failure, this.#lease?.isGone ?? false);
    }
    return undefined;
  }

  close(): void {
    this.#isEnded = true;
    this.#inner?.close();
    this.#lease?.release();
    this.#lease = undefined;
  }

  async #begin(): Promise<void> {
    const held = this.#context.blocks.get(this.#read.meta.ulid);
    if (held === undefined) throw new RangeError(`block ${this.#read.meta.ulid} is planned and not held`);
    const lease = await held.acquire(this.#signal);
    if (!lease.ok) {
      await this.#recover(lease.failure.failure, lease.failure.isGone);
      return;
    }
    if (this.#isEnded) {
      lease.value.release();
      return;
    }
    const { minTimeMs, maxTimeMs } = this.#read;
    this.#lease = lease.value;
    this.#inner = lease.value.block.select({ ...this.#request, minTimeMs, maxTimeMs }, this.#signal);
  }

  /** Leaves a cursor that goes on behind the last series that was given, or the failure. */
  async #recover(failure: SourceFailure, isGone: boolean): Promise<void> {
    const { metrics } = this.#context;
    const lease = this.#lease;
    this.#lease = undefined;
    if (failure.kind === "corrupt" && !this.#isReadAnew && lease !== undefined) {
      this.#isReadAnew = true;
      this.#inner = undefined;
      metrics.chunkRefetches.add(1);
      lease.discard();
      return;
    }
    // Damaged bytes must not stay in memory.
    if (failure.kind === "corrupt") lease?.discard();
    lease?.release();
    if (!isGone || this.#signal.aborted) {
      this.failure = failure;
      this.close();
      return;
    }
    const succession = await successionOf(this.#read, this.#context, this.#depth, this.#signal);
    if (succession === undefined) {
      this.failure = goneFailure(this.#read);
      this.close();
      return;
    }
    this.#inner = succession.select(this.#request, this.#signal);
    if (this.#isEnded) this.#inner.close();
  }
}

/** Those of a batch that come after the labels. */
function seriesAfter(batch: readonly SourceSeries[], labels: Labels | undefined): readonly SourceSeries[] {
  const [first] = batch;
  if (labels === undefined || first === undefined || compareLabels(first.labels, labels) > 0) return batch;
  return batch.filter((series) => compareLabels(series.labels, labels) > 0);
}

async function askLabels(
  read: PlannedRead,
  context: ReadContext,
  depth: number,
  signal: AbortSignal,
  ask: (source: Block | SeriesSource) => Promise<Result<LabelsAnswer, SourceFailure>>,
): Promise<Result<LabelsAnswer, SourceFailure>> {
  const held = context.blocks.get(read.meta.ulid);
  if (held === undefined) throw new RangeError(`block ${read.meta.ulid} is planned and not held`);
  for (let isReadAnew = false; ; isReadAnew = true) {
    const lease = await held.acquire(signal);
    let failure: SourceFailure;
    let isGone: boolean;
    if (lease.ok) {
      const answer = await ask(lease.value.block);
      ({ isGone } = lease.value);
      if (!answer.ok && answer.failure.kind === "corrupt") lease.value.discard();
      else lease.value.release();
      if (answer.ok) return answer;
      ({ failure } = answer);
    } else ({ failure, isGone } = lease.failure);
    if (failure.kind === "corrupt" && lease.ok && !isReadAnew) {
      context.metrics.chunkRefetches.add(1);
      continue;
    }
    if (!isGone || signal.aborted) return fail(failure);
    const succession = await successionOf(read, context, depth, signal);
    return succession === undefined ? fail(goneFailure(read)) : await ask(succession);
  }
}

async function successionOf(
  read: PlannedRead,
  context: ReadContext,
  depth: number,
  signal: AbortSignal,
): Promise<SeriesSource | undefined> {
  const succession = depth >= successionsMax ? undefined : await context.succeed(read, signal);
  if (succession === undefined) return undefined;
  context.metrics.successions.add(1);
  const { reads, blocks } = succession;
  return mergeSources(reads.map((one) => blockSource(one, { ...context, blocks }, depth + 1)));
}

function goneFailure({ meta }: PlannedRead): SourceFailure {
  return {
    kind: "unavailable",
    source: `block ${meta.ulid}`,
    reason: "it was deleted from the bucket while it was read, and no other block has its samples",
  };
}
