/** The symbols of an index: all of them in memory, or, where they are too many, every 32nd by its place. */
import { ByteReader } from "@pleiad/chunks";
import { compareText } from "@pleiad/model";
import { BlockReadError } from "./block-failure.ts";
import type { FileWindows, WindowedFile } from "./file-windows.ts";
import type { IndexSection } from "./index-layout.ts";

const pageSymbols = 32;
/** What a text costs in memory beside its characters. */
const textOverheadBytes = 24;

export class SymbolTable {
  readonly count: number;
  readonly #windows: FileWindows;
  readonly #file: WindowedFile;
  readonly #block: string;
  readonly #intern: (text: string) => string;
  readonly #section: IndexSection;
  /** Where each page of symbols begins in the file, and where the last one ends. */
  readonly #pages: Float64Array;
  readonly #textBytesMax: number;
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
    this.#section = section;
    this.#block = options.block;
    this.#intern = options.intern;
    this.#textBytesMax = options.textBytesMax;
    const reader = new ByteReader(section.bytes, 0, section.bytes.length);
    this.count = reader.u32();
    // A symbol has one byte at least.
    if (reader.failed || this.count > section.bytes.length - 4) throw this.#corrupt(0, "more symbols than bytes");
    this.#pages = new Float64Array(Math.ceil(this.count / pageSymbols) + 1);
    const keepsAll = section.bytes.length + this.count * textOverheadBytes <= this.#textBytesMax;
    let before: string | undefined;
    for (let i = 0; i < this.count; i++) {
      if (i % pageSymbols === 0) this.#pages[i / pageSymbols] = section.start + reader.at;
      const at = reader.at;
      const text = reader.text();
      if (reader.failed) throw this.#corrupt(at, "a symbol is cut short or no UTF-8");
      if (before !== undefined && compareText(before, text) >= 0) throw this.#corrupt(at, "symbols do not ascend");
      before = text;
      if (keepsAll) this.#keep(i, text);
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
      if (reader.failed) throw this.#corrupt(from - this.#section.start, "the file changed since it was opened");
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
    const offset = this.#section.start + at;
    return new BlockReadError({ kind: "corrupt", block: this.#block, file: this.#file.name, offset, reason });
  }
}
