/** A data folder, read and never written: of a Prometheus or a Pleiad, alive or not. No lock is taken. */
import type { SharedCache } from "@pleiad/blocks";
import { defaultHead, viewHead, type HeadView } from "@pleiad/head";
import { emptyLabels, fail, ok, type Labels, type Result, type SeriesSource } from "@pleiad/model";
import type { Ports } from "@pleiad/ports";
import { listFolder } from "./data-folder.ts";
import { FolderSource } from "./folder-source.ts";
import { LocalBlocks, type LocalBlock } from "./local-blocks.ts";
import { ReaderSet } from "./reader-set.ts";
import { asTsdbFailure, type TsdbFailure } from "./tsdb-failure.ts";

export interface TsdbViewOptions {
  readonly externalLabels: Labels;
  readonly intern: (text: string) => string;
  readonly cacheBytesMaxPerBlock: number;
  /** A bound on what the blocks keep together. */
  readonly sharedCache?: SharedCache;
}

export const defaultTsdbView: TsdbViewOptions = {
  externalLabels: emptyLabels,
  intern: (text) => text,
  cacheBytesMaxPerBlock: 16 * 1024 * 1024,
};

/** The folder as it was when it was opened. */
export interface TsdbView extends SeriesSource {
  readonly head: HeadView;
  blocks(): readonly LocalBlock[];
  /** Blocks that cannot be read: answers of their time tell of it. */
  readonly unreadableBlocks: number;
  close(): Promise<void>;
}

/** Resolves when the head's files are in memory. */
export async function viewTsdb(
  directory: string,
  options: TsdbViewOptions,
  ports: Pick<Ports, "files" | "clock" | "observations">,
): Promise<Result<TsdbView, TsdbFailure>> {
  const { externalLabels, intern, cacheBytesMaxPerBlock, sharedCache } = options;
  const blockOptions = { externalLabels, intern, cacheBytesMax: cacheBytesMaxPerBlock };
  const shared = sharedCache === undefined ? {} : { sharedCache };
  const blocks = new LocalBlocks(directory, { ...blockOptions, ...shared }, ports);
  try {
    const inventory = await listFolder(ports.files, directory);
    await blocks.addQuarantined(inventory);
    await blocks.openAll(inventory.blocks);
    const minValidTimeMs = blocks.headFromMs;
    const headOptions = { ...defaultHead, directory, externalLabels, intern, retentionMs: Infinity, minValidTimeMs };
    const head = await viewHead(headOptions, ports);
    if (!head.ok) {
      await blocks.close();
      return fail({ kind: "head", failure: head.failure });
    }
    // The head was told where the blocks end: what it has below came out of order, and is in no block.
    const headFromMs = head.value.series === 0 ? Infinity : -Infinity;
    const source = new FolderSource(directory, blocks, head.value, new ReaderSet(ports.clock), () => headFromMs);
    return ok({
      head: head.value,
      blocks: () => blocks.all,
      unreadableBlocks: blocks.gapCount,
      select: (request, signal) => source.select(request, signal),
      labelNames: (request, signal) => source.labelNames(request, signal),
      labelValues: (label, request, signal) => source.labelValues(label, request, signal),
      close: () => blocks.close(),
    });
  } catch (error) {
    await blocks.close();
    return fail(asTsdbFailure(error));
  }
}
