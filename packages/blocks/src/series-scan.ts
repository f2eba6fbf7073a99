/**
 * Every series of a block in label order, read once from front to back: but for the bytes of its symbols, memory does not
 * grow with the block.
 */
import { compareLabels, type Labels } from "@pleiad/model";
import { BlockReadError } from "./block-failure.ts";
import type { BlockIndex } from "./block-index.ts";
import type { BlockChunk } from "./block-writer.ts";
import { parseChunkRecord, storedSampleCount } from "./chunk-record.ts";
import type { ChunkSegments } from "./chunk-segments.ts";
import type { FileWindows, WindowedFile } from "./file-windows.ts";
import { seriesAlignment } from "./index-layout.ts";
import { ReadAhead } from "./read-ahead.ts";
import { parseSeriesEntry, type SeriesEntry } from "./series-entry.ts";
import { chunkFields } from "./stored-series.ts";

const entryBytesUsual = 4096;
const chunkBytesUsual = 8192;
const segmentScale = 0x1_0000_0000;
/** Beyond it, symbols are read page by page. */
const symbolBytesMax = 128 * 1024 * 1024;

/** One series of a block as it lies there, for compaction, verification and dumps. */
export interface BlockSeries {
  /** Offset into the index divided by 16: what tombstones name it by. */
  readonly ref: number;
  readonly labels: Labels; // without external labels
  readonly chunks: readonly BlockChunk[]; // samples under tombstones are still in
}

export interface ScanOptions {
  readonly block: string;
  readonly windows: FileWindows;
  readonly index: BlockIndex;
  readonly segments: ChunkSegments;
}

/** Throws BlockReadError, also where series or their chunks are not in order. */
export async function* scanSeries(
  { block, windows, index, segments }: ScanOptions,
  signal: AbortSignal,
): AsyncGenerator<BlockSeries> {
  const ahead = new ReadAhead(windows, index.file, index.seriesEnd);
  const chunkAhead = new Map<WindowedFile, ReadAhead>();
  const entry: SeriesEntry = { symbols: [], chunks: [] };
  const loaded = await index.symbols.load(symbolBytesMax, signal);
  const textOf = (symbol: number) => (loaded === undefined ? index.symbols.peek(symbol) : loaded.textOf(symbol));
  let before: Labels | undefined;
  let offset = align(index.layout.series);
  while (offset < index.seriesEnd) {
    if (signal.aborted) throw new BlockReadError({ kind: "canceled", block });
    if (!ahead.has(offset, entryBytesUsual)) await ahead.read(offset, entryBytesUsual, signal);
    let outcome = parseSeriesEntry(ahead.bytes, offset - ahead.start, entry);
    if (outcome.kind === "short") {
      if (offset + outcome.need > index.seriesEnd) throw index.corruptAt(offset, "a series is cut short");
      await ahead.read(offset, outcome.need, signal);
      outcome = parseSeriesEntry(ahead.bytes, offset - ahead.start, entry);
    }
    if (outcome.kind !== "read") {
      throw index.corruptAt(offset, outcome.kind === "corrupt" ? outcome.reason : "a series is cut short");
    }
    const end = ahead.start + outcome.end;
    const texts = textsOf(entry.symbols, textOf) ?? (await index.textsOf(entry.symbols, offset, signal));
    const labels = index.labelsOf(texts, offset);
    if (before !== undefined && compareLabels(before, labels) >= 0) {
      throw index.corruptAt(offset, "series are not in the order of their labels");
    }
    before = labels;
    const chunks: BlockChunk[] = [];
    const fields = entry.chunks;
    for (let at = 0; at < fields.length; at += chunkFields) {
      const minTimeMs = fields[at] as number;
      const maxTimeMs = fields[at + 1] as number;
      const ref = fields[at + 2] as number;
      const chunkOffset = ref % segmentScale;
      const file = segments.fileOf(ref);
      let reading = chunkAhead.get(file);
      if (reading === undefined) chunkAhead.set(file, (reading = new ReadAhead(windows, file, file.size)));
      if (!reading.has(chunkOffset, chunkBytesUsual)) await reading.read(chunkOffset, chunkBytesUsual, signal);
      let record = parseChunkRecord(reading.bytes, chunkOffset - reading.start);
      if (record.kind === "short" && chunkOffset + record.need <= file.size) {
        await reading.read(chunkOffset, record.need, signal);
        record = parseChunkRecord(reading.bytes, chunkOffset - reading.start);
      }
      if (record.kind !== "read") {
        throw segments.corruptAt(ref, record.kind === "corrupt" ? record.reason : "a chunk is cut short");
      }
      const { encoding, data, checksum } = record;
      const sampleCount = storedSampleCount(encoding, data);
      chunks.push({ minTimeMs, maxTimeMs, sampleCount, encoding, data, checksum });
    }
    yield { ref: offset / seriesAlignment, labels, chunks };
    offset = align(end);
  }
}

function align(offset: number): number {
  return Math.ceil(offset / seriesAlignment) * seriesAlignment;
}

function textsOf(symbols: readonly number[], textOf: (symbol: number) => string | undefined): string[] | undefined {
  const texts: string[] = [];
  for (const symbol of symbols) {
    const text = textOf(symbol);
    if (text === undefined) return undefined;
    texts.push(text);
  }
  return texts;
}
