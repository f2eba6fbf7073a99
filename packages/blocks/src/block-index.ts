/** The index of one block, open for questions: which series match, and what they are. */
import { ByteReader } from "@pleiad/chunks";
import {
  compileMatcher,
  isSortedLabels,
  labelsFromSorted,
  literalAlternatives,
  ok,
  withLabels,
  type Labels,
  type Matcher,
  type MatcherFailure,
  type Result,
} from "@pleiad/model";
import { BlockReadError } from "./block-failure.ts";
import type { BlockWatch } from "./block-watch.ts";
import type { DecodedCache } from "./decoded-cache.ts";
import type { FileWindows, WindowedFile } from "./file-windows.ts";
import { readIndexSection, seriesAlignment, type IndexLayout, type IndexTables } from "./index-layout.ts";
import { findValue, PostingsTable, type LabelEntries } from "./postings-table.ts";
import { intersectPostings, noPostings, subtractPostings, unitePostings, type Postings } from "./postings.ts";
import { parseSeriesEntry, type EntryOutcome, type SeriesEntry } from "./series-entry.ts";
import { chunkFields, StoredSeries } from "./stored-series.ts";
import { SymbolTable } from "./symbol-table.ts";
import type { Tombstones } from "./tombstones.ts";
import type { WantedValues } from "./wanted-values.ts";

export interface BlockIndexOptions {
  readonly block: string;
  readonly externalLabels: Labels;
  readonly intern: (text: string) => string;
  /** How much of symbols and label values may be held. */
  readonly tableBytesMax: number;
  readonly watch?: BlockWatch | undefined;
  /** Lets others run, awaited between series that are looked up. */
  readonly yield?: (() => Promise<void>) | undefined;
}

/** How many series are looked up together. */
const seriesBatchMax = 8192;
/** And how many of them are parsed without a pause: some tenths of a millisecond. */
const seriesWithoutPause = 256;

export class BlockIndex {
  readonly layout: IndexLayout;
  readonly symbols: SymbolTable;
  readonly table: PostingsTable;
  readonly file: WindowedFile;
  readonly #windows: FileWindows;
  readonly #cache: DecodedCache;
  readonly #tombstones: Tombstones;
  readonly #options: BlockIndexOptions;
  readonly #entry: SeriesEntry = { symbols: [], chunks: [] };

  constructor(
    windows: FileWindows,
    file: WindowedFile,
    parts: { readonly layout: IndexLayout; readonly symbols: SymbolTable; readonly table: PostingsTable },
    cache: DecodedCache,
    tombstones: Tombstones,
    options: BlockIndexOptions,
  ) {
    this.#windows = windows;
    this.file = file;
    this.layout = parts.layout;
    this.symbols = parts.symbols;
    this.table = parts.table;
    this.#cache = cache;
    this.#tombstones = tombstones;
    this.#options = options;
  }

  get heldBytes(): number {
    return this.symbols.heldBytes + this.table.heldBytes;
  }

  /** Where the series end. */
  get seriesEnd(): number {
    const { labelIndices, series, postings } = this.layout;
    return labelIndices >= series && labelIndices <= postings ? labelIndices : postings;
  }

  /** Whether series may have these values, as far as it is known without reading. */
  mayHave(wanted: readonly WantedValues[]): boolean {
    for (const { name, values } of wanted) {
      const entries = this.table.peek(name);
      if (entries !== undefined && !hasAny(entries, values)) return false;
    }
    return true;
  }

  /** The series that fulfil all matchers, by their own labels. */
  async select(matchers: readonly Matcher[], signal?: AbortSignal): Promise<Result<Postings, MatcherFailure>> {
    const lookups: { readonly offsets: readonly number[]; readonly isExclusion: boolean }[] = [];
    for (const matcher of matchers) {
      const test = compileMatcher(matcher);
      if (!test.ok) return test;
      // A matcher that takes the empty text takes series without the label: it can only exclude.
      const isExclusion = test.value("");
      const entries = this.table.peek(matcher.name) ?? (await this.table.read(matcher.name, signal));
      const listed = listedValues(matcher, isExclusion);
      const offsets: number[] = [];
      if (listed !== undefined) {
        for (const value of new Set(listed)) {
          const i = findValue(entries, value);
          if (i >= 0) offsets.push(entries.offsets[i] as number);
        }
      } else {
        const { values } = entries;
        for (let i = 0; i < values.length; i++) {
          if (test.value(values[i] as string) !== isExclusion) offsets.push(entries.offsets[i] as number);
        }
      }
      if (!isExclusion && offsets.length === 0) return ok(noPostings);
      lookups.push({ offsets, isExclusion });
    }
    await this.#loadPostings(
      lookups.flatMap(({ offsets }) => offsets),
      signal,
    );
    const wanted: Postings[] = [];
    const unwanted: Postings[] = [];
    for (const { offsets, isExclusion } of lookups) {
      const lists: Postings[] = [];
      for (const offset of offsets) lists.push(this.#cache.postings(offset) ?? (await this.postingsAt(offset, signal)));
      (isExclusion ? unwanted : wanted).push(unitePostings(lists));
    }
    wanted.sort((a, b) => a.length - b.length);
    let refs = wanted[0] ?? (await this.allPostings(signal));
    for (let i = 1; i < wanted.length; i++) refs = intersectPostings(refs, wanted[i] as Postings);
    for (const postings of unwanted) refs = subtractPostings(refs, postings);
    return ok(refs);
  }

  /** Brings lists into memory with few reads: first their beginnings, which tell their lengths, then what is missing. */
  async #loadPostings(offsets: readonly number[], signal?: AbortSignal): Promise<void> {
    const missing = offsets.filter((offset) => this.#cache.postings(offset) === undefined);
    this.#options.watch?.touch("postings", offsets.length, offsets.length - missing.length, signal);
    if (missing.length === 0) return;
    await this.#windows.load(this.file, missing, signal);
    const rest: number[] = [];
    for (const offset of missing) {
      const window = this.file.windowAt(offset);
      if (window === undefined) continue;
      const length = new ByteReader(window.bytes, offset - window.start, window.bytes.length).u32();
      const end = offset + length + 8;
      // A length that cannot be is told of where the list is read.
      if (end <= this.layout.postingsOffsets) rest.push(...this.#windows.offsetsBetween(offset, end));
    }
    if (rest.length > 0) await this.#windows.load(this.file, rest, signal);
  }

  /** All series at these references, in their order; those that are not in memory come with few reads. */
  async seriesOf(refs: Postings, signal?: AbortSignal): Promise<StoredSeries[]> {
    const rows: StoredSeries[] = [];
    for (let from = 0; from < refs.length; from += seriesBatchMax) {
      const batch = refs.subarray(from, from + seriesBatchMax);
      await this.#loadSeries(batch, signal);
      for (const ref of batch) {
        rows.push(this.peekSeries(ref) ?? (await this.readSeries(ref, signal)));
        if (rows.length % seriesWithoutPause === 0) await this.#options.yield?.();
      }
    }
    return rows;
  }

  /** Brings the bytes of series into memory that are not there, so that `peekSeries` finds them. */
  async #loadSeries(refs: Postings, signal?: AbortSignal): Promise<void> {
    const offsets: number[] = [];
    for (const ref of refs) if (this.#cache.series(ref) === undefined) offsets.push(ref * seriesAlignment);
    this.#options.watch?.touch("series", refs.length, refs.length - offsets.length, signal);
    if (offsets.length > 0) await this.#windows.load(this.file, offsets, signal);
  }

  async allPostings(signal?: AbortSignal): Promise<Postings> {
    return this.#cache.postings(this.table.allPostings) ?? (await this.postingsAt(this.table.allPostings, signal));
  }

  async labelEntries(name: string, signal?: AbortSignal): Promise<LabelEntries> {
    return this.table.peek(name) ?? (await this.table.read(name, signal));
  }

  /** The series at a reference, if it is in memory. */
  peekSeries(ref: number): StoredSeries | undefined {
    const kept = this.#cache.series(ref);
    if (kept !== undefined) return kept;
    const offset = ref * seriesAlignment;
    const window = this.file.windowAt(offset);
    if (window === undefined) return undefined;
    const outcome = parseSeriesEntry(window.bytes, offset - window.start, this.#entry);
    if (outcome.kind === "short") return undefined;
    this.#check(outcome, offset);
    const { symbols } = this.#entry;
    const flat: string[] = [];
    for (let i = 0; i < symbols.length; i++) {
      const text = this.symbols.peek(symbols[i] as number);
      if (text === undefined) return undefined;
      flat.push(text);
    }
    return this.#keep(ref, this.labelsOf(flat, offset), this.#entry.chunks.slice());
  }

  /** The series at a reference. */
  async readSeries(ref: number, signal?: AbortSignal): Promise<StoredSeries> {
    const offset = ref * seriesAlignment;
    if (offset < this.layout.series || offset >= this.seriesEnd) throw this.corruptAt(offset, "no series lies here");
    await this.#windows.load(this.file, [offset], signal);
    const quick = this.peekSeries(ref);
    if (quick !== undefined) return quick;
    const entry: SeriesEntry = { symbols: [], chunks: [] };
    let need = Math.min(512, this.seriesEnd - offset);
    for (;;) {
      const bytes = await this.#windows.read(this.file, offset, need, signal);
      const outcome = parseSeriesEntry(bytes, 0, entry);
      if (outcome.kind !== "short") {
        this.#check(outcome, offset);
        break;
      }
      if (need === this.seriesEnd - offset || offset + outcome.need > this.seriesEnd) {
        throw this.corruptAt(offset, "a series is cut short");
      }
      ({ need } = outcome);
    }
    const texts = await this.textsOf(entry.symbols, offset, signal);
    return this.#keep(ref, this.labelsOf(texts, offset), entry.chunks);
  }

  async textsOf(symbols: readonly number[], offset: number, signal?: AbortSignal): Promise<string[]> {
    for (const symbol of symbols) {
      if (symbol >= this.symbols.count)
        throw this.corruptAt(offset, `a series names symbol ${symbol}, which is missing`);
    }
    return this.symbols.read(symbols, signal);
  }

  /** Takes over `flat`: the labels of the entry at `offset`. */
  labelsOf(flat: string[], offset: number): Labels {
    if (!isSortedLabels(flat)) throw this.corruptAt(offset, "the labels of a series are not sorted");
    return labelsFromSorted(flat);
  }

  /** Reads the postings that begin at `offset`, and keeps them. */
  async postingsAt(offset: number, signal?: AbortSignal): Promise<Postings> {
    const limit = this.layout.postingsOffsets;
    const { bytes, start } = await readIndexSection(
      this.#windows,
      this.file,
      offset,
      limit,
      this.#options.block,
      signal,
    );
    const reader = new ByteReader(bytes, 0, bytes.length);
    const count = reader.u32();
    if (bytes.length !== 4 + 4 * count) throw this.corruptAt(start, "postings do not fill their length");
    const postings = new Uint32Array(count);
    const first = Math.floor(this.layout.series / seriesAlignment);
    const last = Math.ceil(this.seriesEnd / seriesAlignment);
    let before = first - 1;
    for (let i = 0; i < count; i++) {
      const ref = reader.u32();
      if (ref <= before || ref > last)
        throw this.corruptAt(start + 4 + 4 * i, "postings are not sorted, or name no series");
      postings[i] = before = ref;
    }
    this.#cache.keepPostings(offset, postings);
    return postings;
  }

  corruptAt(offset: number, reason: string): BlockReadError {
    const { block } = this.#options;
    return new BlockReadError({ kind: "corrupt", block, file: this.file.name, offset, reason });
  }

  #check(outcome: EntryOutcome, offset: number): void {
    if (outcome.kind === "corrupt") throw this.corruptAt(offset, outcome.reason);
  }

  #keep(ref: number, own: Labels, chunks: readonly number[]): StoredSeries {
    const labels = withLabels(own, this.#options.externalLabels);
    const spans = this.#tombstones.get(ref);
    const deleted = spans === undefined ? undefined : Array.from({ length: chunks.length / chunkFields }, () => spans);
    const series = new StoredSeries(labels, chunks, deleted);
    this.#cache.keepSeries(ref, series);
    return series;
  }
}

function hasAny(entries: LabelEntries, values: readonly string[]): boolean {
  for (const value of values) if (findValue(entries, value) >= 0) return true;
  return false;
}

/** Opens an index by those parts of it that are read as a whole. */
export function openBlockIndex(
  windows: FileWindows,
  file: WindowedFile,
  { layout, symbols, postingsOffsets }: IndexTables,
  cache: DecodedCache,
  tombstones: Tombstones,
  options: BlockIndexOptions,
): BlockIndex {
  const { block, intern, tableBytesMax } = options;
  const parts = {
    layout,
    symbols: new SymbolTable(windows, file, symbols, { block, intern, textBytesMax: tableBytesMax / 2 }),
    table: new PostingsTable(windows, file, postingsOffsets, layout, {
      block,
      intern,
      entryBytesMax: tableBytesMax / 2,
    }),
  };
  return new BlockIndex(windows, file, parts, cache, tombstones, options);
}

/** The values that a matcher wants, or does not want, where it lists them: they are looked up, not searched for. */
function listedValues({ type, value }: Matcher, isExclusion: boolean): readonly string[] | undefined {
  const isNegative = type === "!=" || type === "!~";
  // `a=""` and `a=~"|x"` exclude all other values, `a!=""` wants them: none of those lists what is looked for.
  if (isNegative !== isExclusion) return undefined;
  return type === "=" || type === "!=" ? [value] : literalAlternatives(value);
}
