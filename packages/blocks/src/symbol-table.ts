/** The symbols of an index: all of them in memory, or, where they are too many, every 32nd by its place. */
import { ByteReader } from "@pleiad/chunks";
import { compareText } from "@pleiad/model";
import { BlockReadError } from "./block-failure.ts";
import type { FileWindows, WindowedFile } from "./file-windows.ts";
import type { IndexSection } from "./index-layout.ts";

const pageSymbols = 32;
/** What a text costs in memory beside its characters. */
const textOverheadBytes = 24;
/** Texts that `LoadedSymbols` keeps: neighbours in label order share most of theirs. */
const lastTexts = 4096;

export class SymbolTable {
  readonly count: number;
  readonly #windows: FileWindows;
  readonly #file: WindowedFile;
  readonly #block: string;
  readonly #intern: (text: string) => string;
  /** Where the section begins: its bytes are not held. */
  readonly #start: number;
  /** Where each page of symbols begins in the file, and where the last one ends. */
  readonly #pages: Float64Array;
  readonly #textBytesMax: number;
  readonly #keepsAll: boolean;
  #texts: (string | undefined)[] = [];
  #textBytes = 0;

  /** Reads through the whole section, whose checksum was right. */
  constructor(
    windows: FileWindows,
    file: WindowedFile,
    section: IndexSection,
    options: { readonly block: string; readonly intern: (text: string) => string; readonly textBytesMax: number },
  ) {
    this.#windows = windows;
    this.#file = file;
    this.#start = section.start;
    this.#block = options.block;
    this.#intern = options.intern;
    this.#textBytesMax = options.textBytesMax;
    const reader = new ByteReader(section.bytes, 0, section.bytes.length);
    this.count = reader.u32();
    // A symbol has one byte at least.
    if (reader.failed || this.count > section.bytes.length - 4) throw this.#corrupt(0, "more symbols than bytes");
    this.#pages = new Float64Array(Math.ceil(this.count / pageSymbols) + 1);
    this.#keepsAll = section.bytes.length + this.count * textOverheadBytes <= this.#textBytesMax;
    let before: string | undefined;
    for (let i = 0; i < this.count; i++) {
      if (i % pageSymbols === 0) this.#pages[i / pageSymbols] = section.start + reader.at;
      const at = reader.at;
      const text = reader.text();
      if (reader.failed) throw this.#corrupt(at, "a symbol is cut short or no UTF-8");
      if (before !== undefined && compareText(before, text) >= 0) throw this.#corrupt(at, "symbols do not ascend");
      before = text;
      if (this.#keepsAll) this.#keep(i, text);
    }
    this.#pages[this.#pages.length - 1] = section.start + reader.at;
    if (!reader.done) throw this.#corrupt(reader.at, "bytes behind the last symbol");
  }

  get heldBytes(): number {
    return this.#pages.byteLength + this.#textBytes;
  }

  /** The symbol, if it is in memory. */
  peek(symbol: number): string | undefined {
    return this.#texts[symbol];
  }

  /** The symbols, from the file where they are not in memory. */
  async read(symbols: readonly number[], signal?: AbortSignal): Promise<string[]> {
    if (this.#textBytes > this.#textBytesMax) {
      this.#texts = [];
      this.#textBytes = 0;
    }
    const texts: string[] = [];
    for (const symbol of symbols) {
      // Taken from the page and not from what is kept: another reader may have it dropped meanwhile.
      const text =
        this.#texts[symbol] ?? (await this.#loadPage(Math.floor(symbol / pageSymbols), signal))[symbol % pageSymbols];
      if (text === undefined) throw new RangeError(`no symbol ${symbol}`);
      texts.push(text);
    }
    return texts;
  }

  /**
   * For whoever reads every series, in whose order symbols are all over the place: the bytes of all, read once. Undefined
   * where all are in memory anyway, or would take more than `bytesMax`.
   */
  async load(bytesMax: number, signal?: AbortSignal): Promise<LoadedSymbols | undefined> {
    const from = this.#pages[0] as number;
    const byteCount = (this.#pages[this.#pages.length - 1] as number) - from;
    if (this.#keepsAll || byteCount > bytesMax) return undefined;
    const bytes = await this.#windows.readPast(this.#file, from, byteCount, signal);
    return new LoadedSymbols(bytes, from, this.#pages, this.count, this.#intern);
  }

  /** All, in order. */
  async *all(): AsyncGenerator<string> {
    for (let page = 0; page * pageSymbols < this.count; page++) {
      const from = page * pageSymbols;
      const to = Math.min(from + pageSymbols, this.count);
      for (const text of await this.read(Array.from({ length: to - from }, (_, i) => from + i))) yield text;
    }
  }

  async #loadPage(page: number, signal?: AbortSignal): Promise<readonly string[]> {
    const from = this.#pages[page];
    const to = this.#pages[page + 1];
    if (from === undefined || to === undefined) throw new RangeError(`no page ${page} of symbols`);
    const bytes = await this.#windows.read(this.#file, from, to - from, signal);
    const reader = new ByteReader(bytes, 0, bytes.length);
    const texts: string[] = [];
    const last = Math.min((page + 1) * pageSymbols, this.count);
    for (let i = page * pageSymbols; i < last; i++) {
      const text = reader.text();
      if (reader.failed) throw this.#corrupt(from - this.#start, "the file changed since it was opened");
      texts.push(this.#texts[i] ?? this.#keep(i, text));
    }
    return texts;
  }

  #keep(symbol: number, text: string): string {
    const interned = this.#intern(text);
    this.#texts[symbol] = interned;
    this.#textBytes += text.length + textOverheadBytes;
    return interned;
  }

  #corrupt(at: number, reason: string): BlockReadError {
    const offset = this.#start + at;
    return new BlockReadError({ kind: "corrupt", block: this.#block, file: this.#file.name, offset, reason });
  }
}

/** Symbols as bytes; those that were asked for last are kept as texts too. */
export class LoadedSymbols {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #pages: Float64Array;
  readonly #count: number;
  readonly #intern: (text: string) => string;
  readonly #lastSymbols = new Float64Array(lastTexts).fill(-1);
  readonly #lastTexts: string[] = Array.from({ length: lastTexts }, () => "");

  constructor(bytes: Uint8Array, start: number, pages: Float64Array, count: number, intern: (text: string) => string) {
    this.#bytes = bytes;
    this.#start = start;
    this.#pages = pages;
    this.#count = count;
    this.#intern = intern;
  }

  /** Undefined for what is no symbol, or where the file changed since it was opened. */
  textOf(symbol: number): string | undefined {
    if (symbol >= this.#count) return undefined;
    const slot = symbol % lastTexts;
    if (this.#lastSymbols[slot] === symbol) return this.#lastTexts[slot];
    const page = Math.floor(symbol / pageSymbols);
    const reader = new ByteReader(this.#bytes, (this.#pages[page] as number) - this.#start, this.#bytes.length);
    for (let skipped = page * pageSymbols; skipped < symbol; skipped++) {
      const length = reader.uvarint();
      reader.at += length;
    }
    const text = reader.text();
    if (reader.failed) return undefined;
    this.#lastSymbols[slot] = symbol;
    return (this.#lastTexts[slot] = this.#intern(text));
  }
}
