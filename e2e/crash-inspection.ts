/** What is in a data folder and in a bucket after a crash, as lines of samples, and what is wrong with either. */
import {
  bucketBlockBytes,
  createBlockLister,
  defaultVerify,
  openBlock,
  verifyBlock,
  type BlockMeta,
} from "@pleiad/blocks";
import { createSampleColumns, decodeChunk } from "@pleiad/chunks";
import { firstOverlap } from "@pleiad/compaction";
import { collectSeries, emptyLabels, labelValue, plainSelect, type SeriesSource } from "@pleiad/model";
import { createNodePorts } from "@pleiad/node-ports";
import type { Bucket } from "@pleiad/ports";
import { silentObservations } from "@pleiad/ports/testing";
import { defaultTsdbView, formatTsdbFailure, openTsdb, viewTsdb } from "@pleiad/tsdb";
import { lineOf, workloadOptions } from "./crash-workload.ts";

const { signal } = new AbortController();

/** The samples of a folder, by one who only looks and then by one who repairs. What is wrong goes to `faults`. */
export async function inspectFolder(directory: string, faults: string[]): Promise<readonly string[]> {
  const ports = createNodePorts({ observations: silentObservations() });
  const view = await viewTsdb(directory, defaultTsdbView, ports);
  if (!view.ok) {
    faults.push(formatTsdbFailure(view.failure));
    return [];
  }
  if (view.value.head.damagedRecords > 0) faults.push("a record of the log is damaged");
  const seen = new Set(await linesOf(view.value, faults));
  await view.value.close();
  const opened = await openTsdb(directory, workloadOptions, ports);
  if (!opened.ok) {
    faults.push(formatTsdbFailure(opened.failure));
    return [];
  }
  const { unreadableBlocks, head } = opened.value.statistics();
  if (unreadableBlocks > 0) faults.push("a block does not open");
  if (head.damagedRecords > 0 || head.skippedSamples > 0) faults.push("a record of the log is damaged");
  const lines = await linesOf(opened.value, faults);
  const closed = await opened.value.close();
  if (!closed.ok) faults.push(formatTsdbFailure(closed.failure));
  if (new Set(lines).size < lines.length) faults.push("a sample is told twice");
  if (lines.some((line) => !seen.has(line))) faults.push("a view does not see everything");
  // The log of samples out of order may have some whose block is gone: they too were written once.
  return [...new Set([...lines, ...seen])];
}

/** Reads every block of a bucket once, and knows it from then on. */
export class BucketInspection {
  readonly #bucket: Bucket;
  readonly #linesByBlock = new Map<string, readonly string[]>();
  /** How many blocks have been seen, by resolution and level. */
  readonly kinds = new Map<string, number>();

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  /** The raw samples of the blocks that a reader may use: whole, and not marked for deletion. */
  async lines(faults: string[]): Promise<ReadonlySet<string>> {
    const lines = new Set<string>();
    for (const { ulid } of await this.#visible(faults)) {
      for (const line of this.#linesByBlock.get(ulid) ?? []) lines.add(line);
    }
    return lines;
  }

  /** What is wrong with a bucket that a compactor has come to the end of. */
  async faultsAtRest(): Promise<readonly string[]> {
    const faults: string[] = [];
    const blocks = await this.#visible(faults);
    for (const resolutionMs of new Set(blocks.map(({ thanos }) => thanos?.resolutionMs))) {
      const stream = blocks.filter(({ thanos }) => thanos?.resolutionMs === resolutionMs);
      const overlap = firstOverlap(stream.sort((a, b) => a.minTimeMs - b.minTimeMs));
      if (overlap.length > 0)
        faults.push(`at ${resolutionMs} these overlap: ${overlap.map(({ ulid }) => ulid).join(" ")}`);
    }
    return faults;
  }

  async #visible(faults: string[]): Promise<BlockMeta[]> {
    const listed = await createBlockLister(this.#bucket).refresh(signal);
    if (!listed.ok) {
      faults.push(listed.failure.message);
      return [];
    }
    const { blocks, malformed } = listed.value;
    faults.push(...listed.value.faults.map((fault) => `a mark cannot be read: ${fault}`));
    for (const { ulid, reason } of malformed.values()) faults.push(`block ${ulid} is half written: ${reason}`);
    const visible: BlockMeta[] = [];
    for (const { meta, marks } of blocks.values()) {
      if (!this.#linesByBlock.has(meta.ulid)) this.#linesByBlock.set(meta.ulid, await this.#read(meta, faults));
      if (!marks.has("deletion")) visible.push(meta);
    }
    return visible;
  }

  async #read({ ulid, compaction, thanos }: BlockMeta, faults: string[]): Promise<readonly string[]> {
    const kind = `${thanos?.resolutionMs ?? "?"} ms, level ${compaction.level}`;
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
    const bytes = bucketBlockBytes(this.#bucket, ulid);
    const report = await verifyBlock(bytes, { ...defaultVerify, ulid }, signal);
    if (!report.ok) faults.push(`block ${ulid} cannot be read: ${report.failure.kind}`);
    else faults.push(...report.value.findings.map((finding) => `block ${ulid}: ${finding}`));
    if (thanos?.resolutionMs !== 0) return [];
    const block = await openBlock(bytes, { externalLabels: emptyLabels, intern: (text) => text, cacheBytesMax: 0 });
    if (!block.ok) {
      faults.push(`block ${ulid} does not open: ${block.failure.kind}`);
      return [];
    }
    const lines = await linesOf(block.value, faults);
    await block.value.close();
    if (new Set(lines).size < lines.length) faults.push(`block ${ulid} tells a sample twice`);
    return lines;
  }
}

async function linesOf(source: SeriesSource, faults: string[]): Promise<readonly string[]> {
  const { series, failure, warnings } = await collectSeries(source.select(plainSelect, signal));
  if (failure !== undefined) faults.push(`a select failed: ${failure.kind}`);
  faults.push(...warnings);
  const lines: string[] = [];
  for (const { labels, chunks } of series) {
    for (const { content } of chunks) {
      if (content.kind !== "raw") continue;
      const columns = createSampleColumns(120);
      if (decodeChunk(content.encoding, content.data, columns) !== undefined) faults.push("a chunk does not decode");
      for (let i = 0; i < columns.count; i++) {
        const [timestampMs = 0, value = 0] = [columns.timestampsMs[i], columns.values[i]];
        lines.push(lineOf({ name: labelValue(labels, "__name__"), timestampMs, value }));
      }
    }
  }
  return lines;
}
