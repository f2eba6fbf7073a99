/**
 * Whether a block that was just written is what it should be, from its bytes alone. Everything is read and held against its
 * checksum, but nothing is decoded for others: neither labels nor samples become objects, so that this costs a fraction of
 * the writing.
 */
import { emptyLabels, fail, ok, type Result } from "@pleiad/model";
import type { BlockBytes } from "./block-bytes.ts";
import { blockFailureOf, BlockReadError, type BlockFailure } from "./block-failure.ts";
import { formatBlockMeta, type BlockMeta } from "./block-meta.ts";
import { openBlockParts, type OpenBlock } from "./block.ts";
import { faultOfSegmentHeader, parseChunkRecord, segmentHeaderBytes, storedSampleCount } from "./chunk-record.ts";
import { segmentName } from "./chunk-segments.ts";
import type { WindowedFile } from "./file-windows.ts";
import { parseIndexSection, seriesAlignment } from "./index-layout.ts";
import { LabelTally } from "./label-tally.ts";
import { ReadAhead } from "./read-ahead.ts";
import { parseSeriesEntry, type SeriesEntry } from "./series-entry.ts";
import { chunkFields } from "./stored-series.ts";

const cacheBytesMax = 16 * 1024 * 1024;
const entryBytesUsual = 4096;
const chunkBytesUsual = 8192;
const segmentScale = 0x1_0000_0000;
/** Series, or lists of postings, between two pauses. */
const itemsAtOnce = 512;

/**
 * Fails as corrupt where bytes differ from their checksums, series or chunks are not in order or outside of the block's
 * time, the postings are not just those of the series, or the counts are not those of `written`.
 */
export async function checkWrittenBlock(
  bytes: BlockBytes,
  written: BlockMeta,
  pause: () => Promise<void>,
  signal: AbortSignal,
): Promise<Result<void, BlockFailure>> {
  const options = { externalLabels: emptyLabels, intern: (text: string) => text, cacheBytesMax };
  const opened = await openBlockParts(bytes, options, signal);
  if (!opened.ok) return opened;
  try {
    const block = opened.value;
    await checkMeta(bytes, block, written, signal);
    await checkSegmentHeaders(block, signal);
    const tally = new LabelTally();
    const counts = await readSeries(block, tally, pause, signal);
    for (const key of ["numSeries", "numChunks", "numSamples"] as const) {
      if (counts[key] === written.stats[key]) continue;
      throw corrupt(block, "meta.json", 0, `${key} is ${written.stats[key]}, and there are ${counts[key]}`);
    }
    const listed = await readPostings(block, pause, signal);
    if (!tally.equals(listed)) {
      throw corrupt(block, "index", block.index.layout.postings, "postings are not those of the series");
    }
    return ok(undefined);
  } catch (error) {
    return fail(blockFailureOf(bytes.name, error, signal));
  } finally {
    await bytes.close();
  }
}

async function checkMeta(bytes: BlockBytes, block: OpenBlock, written: BlockMeta, signal: AbortSignal): Promise<void> {
  const wanted = formatBlockMeta(written);
  const there = await bytes.read("meta.json", 0, wanted.length + 1, signal);
  if (there.length === wanted.length && there.every((byte, i) => byte === wanted[i])) return;
  throw corrupt(block, "meta.json", 0, "it is not what was written");
}

async function checkSegmentHeaders(block: OpenBlock, signal: AbortSignal): Promise<void> {
  for (const [segment, file] of block.segments.files.entries()) {
    const name = `chunks/${segmentName(segment)}`;
    if (file === undefined) throw corrupt(block, name, 0, "the file is missing, though later ones are there");
    const fault = faultOfSegmentHeader(await block.windows.readPast(file, 0, segmentHeaderBytes, signal));
    if (fault !== undefined) throw corrupt(block, name, 0, fault);
  }
}

/** Reads every series and every chunk; notes the labels of each in `tally`. */
async function readSeries(block: OpenBlock, tally: LabelTally, pause: () => Promise<void>, signal: AbortSignal) {
  const { index, windows } = block;
  const counts = { numSeries: 0, numChunks: 0, numSamples: 0 };
  const ahead = new ReadAhead(windows, index.file, index.seriesEnd);
  const chunkAhead = new Map<WindowedFile, ReadAhead>();
  let entry: SeriesEntry = { symbols: [], chunks: [] };
  let before: SeriesEntry = { symbols: [], chunks: [] };
  for (let offset = align(index.layout.series); offset < index.seriesEnd;) {
    if (!ahead.has(offset, entryBytesUsual)) await ahead.read(offset, entryBytesUsual, signal);
    let outcome = parseSeriesEntry(ahead.bytes, offset - ahead.start, entry);
    if (outcome.kind === "short" && offset + outcome.need <= index.seriesEnd) {
      await ahead.read(offset, outcome.need, signal);
      outcome = parseSeriesEntry(ahead.bytes, offset - ahead.start, entry);
    }
    if (outcome.kind !== "read") {
      throw index.corruptAt(offset, outcome.kind === "corrupt" ? outcome.reason : "a series is cut short");
    }
    const fault = faultOfSymbols(entry.symbols, before.symbols, index.symbols.count) ?? faultOfTimes(entry, block.meta);
    if (fault !== undefined) throw index.corruptAt(offset, fault);
    tally.addSeries(offset / seriesAlignment, entry.symbols);
    const { chunks } = entry;
    for (let at = 0; at < chunks.length; at += chunkFields) {
      const ref = chunks[at + 2] as number;
      const file = block.segments.fileOf(ref);
      let reading = chunkAhead.get(file);
      if (reading === undefined) chunkAhead.set(file, (reading = new ReadAhead(windows, file, file.size)));
      const chunkOffset = ref % segmentScale;
      if (!reading.has(chunkOffset, chunkBytesUsual)) await reading.read(chunkOffset, chunkBytesUsual, signal);
      let record = parseChunkRecord(reading.bytes, chunkOffset - reading.start);
      if (record.kind === "short" && chunkOffset + record.need <= file.size) {
        await reading.read(chunkOffset, record.need, signal);
        record = parseChunkRecord(reading.bytes, chunkOffset - reading.start);
      }
      if (record.kind !== "read") {
        throw block.segments.corruptAt(ref, record.kind === "corrupt" ? record.reason : "a chunk is cut short");
      }
      counts.numChunks++;
      counts.numSamples += storedSampleCount(record.encoding, record.data);
    }
    if (++counts.numSeries % itemsAtOnce === 0) {
      await pause();
      signal.throwIfAborted();
    }
    offset = align(ahead.start + outcome.end);
    [before, entry] = [entry, before];
  }
  return counts;
}

/** What is wrong with the labels of a series behind another. Symbols are in the order of their texts, so no text is needed. */
function faultOfSymbols(
  symbols: readonly number[],
  before: readonly number[],
  symbolCount: number,
): string | undefined {
  let order = 0;
  for (let i = 0; i < symbols.length; i++) {
    const symbol = symbols[i] as number;
    if (symbol >= symbolCount) return `a series names symbol ${symbol}, which is missing`;
    if (i % 2 === 0 && i > 0 && symbol <= (symbols[i - 2] as number)) return "the labels of a series are not sorted";
    if (order === 0 && i < before.length) order = symbol - (before[i] as number);
  }
  if (order === 0) order = symbols.length - before.length;
  // Before the first one there is a series without labels.
  return order > 0 ? undefined : "series are not in the order of their labels";
}

function faultOfTimes({ chunks }: SeriesEntry, { minTimeMs, maxTimeMs }: BlockMeta): string | undefined {
  if (chunks.length === 0) return "a series has no chunk";
  let lastMs = -Infinity;
  for (let at = 0; at < chunks.length; at += chunkFields) {
    const firstMs = chunks[at] as number;
    if (firstMs <= lastMs) return "chunks of a series overlap";
    lastMs = chunks[at + 1] as number;
    if (firstMs < minTimeMs || lastMs >= maxTimeMs) return "a chunk of a series lies outside of the block's time";
  }
  return undefined;
}

/** Reads the postings of every label and of all series. */
async function readPostings(block: OpenBlock, pause: () => Promise<void>, signal: AbortSignal): Promise<LabelTally> {
  const { index, windows, name: blockName } = block;
  const { layout, table } = index;
  const tally = new LabelTally();
  const ahead = new ReadAhead(windows, index.file, layout.postingsOffsets);
  const readList = async (offset: number, name: number, value: number) => {
    if (!ahead.has(offset, 4)) await ahead.read(offset, 4, signal);
    const { bytes, start } = ahead;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const need = Math.min(view.getUint32(offset - start) + 8, layout.postingsOffsets - offset);
    if (!ahead.has(offset, need)) await ahead.read(offset, need, signal);
    const section = parseIndexSection(ahead.bytes, offset - ahead.start, offset, layout.postingsOffsets, blockName);
    if (!tally.addPostings(section.bytes, name, value)) throw index.corruptAt(offset, "postings are not sorted");
  };
  await readList(table.allPostings, LabelTally.allSeries, LabelTally.allSeries);
  const symbolOf = await symbolNumbers(block);
  let lists = 0;
  for (const name of table.names) {
    const { values, offsets } = await index.labelEntries(name, signal);
    for (const [i, value] of values.entries()) {
      const [nameSymbol, valueSymbol] = [symbolOf.get(name), symbolOf.get(value)];
      if (nameSymbol === undefined || valueSymbol === undefined) {
        throw index.corruptAt(layout.postingsOffsets, `postings of ${name}=${value}, which is no symbol`);
      }
      await readList(offsets[i] as number, nameSymbol, valueSymbol);
      if (++lists % itemsAtOnce === 0) {
        await pause();
        signal.throwIfAborted();
      }
    }
  }
  return tally;
}

async function symbolNumbers({ index }: OpenBlock): Promise<ReadonlyMap<string, number>> {
  const numbers = new Map<string, number>();
  for await (const text of index.symbols.all()) numbers.set(text, numbers.size);
  return numbers;
}

function align(offset: number): number {
  return Math.ceil(offset / seriesAlignment) * seriesAlignment;
}

function corrupt({ name }: OpenBlock, file: string, offset: number, reason: string): BlockReadError {
  return new BlockReadError({ kind: "corrupt", block: name, file, offset, reason });
}
