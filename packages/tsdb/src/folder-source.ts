/** Head and blocks of a data folder as one source of series, whatever the head is. */
import {
  fail,
  type LabelsAnswer,
  type LabelsRequest,
  type Result,
  type SelectRequest,
  type SeriesCursor,
  type SeriesSource,
  type SourceFailure,
} from "@pleiad/model";
import type { LocalBlocks } from "./local-blocks.ts";
import { mergedCursor, mergedLabels } from "./merged-source.ts";
import { readTooSlowly, type ReaderSet } from "./reader-set.ts";

/** Blocks are asked for their time, the head for what is behind them: no sample comes twice. */
export class FolderSource implements SeriesSource {
  readonly #name: string;
  readonly #blocks: LocalBlocks;
  readonly #head: SeriesSource;
  readonly #readers: ReaderSet;
  readonly #headFromMs: () => number;

  /** `headFromMs` tells where the blocks end that have what the head has below. */
  constructor(name: string, blocks: LocalBlocks, head: SeriesSource, readers: ReaderSet, headFromMs: () => number) {
    this.#name = name;
    this.#blocks = blocks;
    this.#head = head;
    this.#readers = readers;
    this.#headFromMs = headFromMs;
  }

  select(request: SelectRequest, signal: AbortSignal): SeriesCursor {
    const cursors = this.#partsFor(request).map(({ source, minTimeMs }) =>
      source.select({ ...request, minTimeMs }, signal),
    );
    const gaps = this.#blocks.gapsIn(request.minTimeMs, request.maxTimeMs);
    return mergedCursor(cursors, gaps, request, this.#name, this.#readers.begin());
  }

  async labelNames(request: LabelsRequest, signal: AbortSignal): Promise<Result<LabelsAnswer, SourceFailure>> {
    return await this.#askAll(request, (source, part) => source.labelNames(part, signal));
  }

  async labelValues(
    label: string,
    request: LabelsRequest,
    signal: AbortSignal,
  ): Promise<Result<LabelsAnswer, SourceFailure>> {
    return await this.#askAll(request, (source, part) => source.labelValues(label, part, signal));
  }

  async #askAll(
    request: LabelsRequest,
    ask: (source: SeriesSource, request: LabelsRequest) => Promise<Result<LabelsAnswer, SourceFailure>>,
  ): Promise<Result<LabelsAnswer, SourceFailure>> {
    const reader = this.#readers.begin();
    try {
      const answers = this.#partsFor(request).map(({ source, minTimeMs }) => ask(source, { ...request, minTimeMs }));
      const merged = await mergedLabels(answers, this.#blocks.gapsIn(request.minTimeMs, request.maxTimeMs), request);
      return reader.isExpired ? fail(readTooSlowly(this.#name)) : merged;
    } finally {
      reader.end();
    }
  }

  #partsFor({ minTimeMs, maxTimeMs }: { readonly minTimeMs: number; readonly maxTimeMs: number }) {
    const parts: { readonly source: SeriesSource; readonly minTimeMs: number }[] = [];
    for (const { meta, block } of this.#blocks.all) {
      if (meta.minTimeMs <= maxTimeMs && meta.maxTimeMs > minTimeMs) parts.push({ source: block, minTimeMs });
    }
    const headFromMs = this.#headFromMs();
    if (headFromMs <= maxTimeMs) parts.push({ source: this.#head, minTimeMs: Math.max(minTimeMs, headFromMs) });
    return parts;
  }
}
