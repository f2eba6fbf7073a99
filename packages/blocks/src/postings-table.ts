/** Which label values an index has, and where their postings lie. */
import { ByteReader } from "@pleiad/chunks";
import { compareText } from "@pleiad/model";
import { BlockReadError } from "./block-failure.ts";
import type { FileWindows, WindowedFile } from "./file-windows.ts";
import type { IndexLayout, IndexSection } from "./index-layout.ts";

/** The values of one label, ascending by UTF-8 bytes, and the offset of the postings of each. */
export interface LabelEntries {
  readonly values: readonly string[];
  readonly offsets: Float64Array;
}

interface NameRange {
  readonly count: number;
  readonly from: number; // into the section
  readonly to: number;
}

const noEntries: LabelEntries = { values: [], offsets: new Float64Array(0) };
/** What a value costs in memory beside its characters: text, place in the list, offset. */
const valueOverheadBytes = 40;

export class PostingsTable {
  /** Where the postings of all series lie. */
  readonly allPostings: number;
  /** Ascending by UTF-8 bytes. */
  readonly names: readonly string[];
  readonly #ranges = new Map<string, NameRange>();
  readonly #entries = new Map<string, LabelEntries>();
  readonly #windows: FileWindows;
  readonly #file: WindowedFile;
  readonly #layout: IndexLayout;
  readonly #block: string;
  readonly #intern: (text: string) => string;
  readonly #sectionStart: number;
  readonly #entryBytesMax: number;
  #entryBytes = 0;

  /** Reads through the whole section, whose checksum was right. */
  constructor(
    windows: FileWindows,
    file: WindowedFile,
    section: IndexSection,
    layout: IndexLayout,
    options: { readonly block: string; readonly intern: (text: string) => string; readonly entryBytesMax: number },
  ) {
    this.#windows = windows;
    this.#file = file;
    this.#layout = layout;
    this.#block = options.block;
    this.#intern = options.intern;
    this.#sectionStart = section.start;
    this.#entryBytesMax = options.entryBytesMax;
    const reader = new ByteReader(section.bytes, 0, section.bytes.length);
    const count = reader.u32();
    if (reader.failed || count > section.bytes.length / 4) throw this.#corrupt(0, "more entries than bytes");
    const keepsAll = section.bytes.length + count * valueOverheadBytes <= options.entryBytesMax;
    const names: string[] = [];
    let allPostings: number | undefined;
    let values: string[] = [];
    let offsets: number[] = [];
    let name: string | undefined;
    let nameFrom = 0;
    let nameCount = 0;
    const endName = (to: number) => {
      if (name === undefined || name === "") return;
      names.push(name);
      this.#ranges.set(name, { count: nameCount, from: nameFrom, to });
      if (keepsAll) this.#keep(name, { values, offsets: Float64Array.from(offsets) });
    };
    let before = "";
    for (let i = 0; i < count; i++) {
      const at = reader.at;
      const keyCount = reader.u8();
      const entryName = reader.text();
      const value = reader.text();
      const offset = reader.uvarint();
      if (reader.failed || keyCount !== 2) throw this.#corrupt(at, "an entry is cut short or of unknown form");
      this.#checkOffset(at, offset);
      if (name === undefined || entryName !== name) {
        if (name !== undefined && compareText(name, entryName) >= 0) throw this.#corrupt(at, "entries do not ascend");
        endName(at);
        name = this.#intern(entryName);
        nameFrom = at;
        nameCount = 0;
        values = [];
        offsets = [];
      } else if (compareText(before, value) >= 0) throw this.#corrupt(at, "entries do not ascend");
      before = value;
      nameCount++;
      if (entryName === "") {
        if (value !== "") throw this.#corrupt(at, "a value without a label name");
        allPostings = offset;
      } else if (keepsAll) {
        values.push(this.#intern(value));
        offsets.push(offset);
      }
    }
    endName(reader.at);
    if (!reader.done) throw this.#corrupt(reader.at, "bytes behind the last entry");
    if (allPostings === undefined) throw this.#corrupt(0, "the postings of all series are missing");
    this.names = names;
    this.allPostings = allPostings;
  }

  get heldBytes(): number {
    return this.#entryBytes + this.names.length * 100;
  }

  /** The values of a label if they are in memory; no values where no series has it. */
  peek(name: string): LabelEntries | undefined {
    return this.#ranges.has(name) ? this.#entries.get(name) : noEntries;
  }

  /** The values of a label, from the file where they are not in memory. */
  async read(name: string, signal?: AbortSignal): Promise<LabelEntries> {
    const kept = this.peek(name);
    if (kept !== undefined) return kept;
    const range = this.#ranges.get(name);
    if (range === undefined) return noEntries;
    const { from, to, count } = range;
    const bytes = await this.#windows.read(this.#file, this.#sectionStart + from, to - from, signal);
    const reader = new ByteReader(bytes, 0, bytes.length);
    const values: string[] = [];
    const offsets = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      reader.u8();
      reader.text();
      values.push(reader.text());
      offsets[i] = reader.uvarint();
      if (reader.failed) throw this.#corrupt(from, "the file changed since it was opened");
      this.#checkOffset(from, offsets[i] as number);
    }
    const entries = { values, offsets };
    if (this.#entryBytes > this.#entryBytesMax) {
      this.#entries.clear();
      this.#entryBytes = 0;
    }
    this.#keep(name, entries);
    return entries;
  }

  #keep(name: string, entries: LabelEntries): void {
    this.#entries.set(name, entries);
    for (const value of entries.values) this.#entryBytes += value.length + valueOverheadBytes;
  }

  #checkOffset(at: number, offset: number): void {
    const { postings, postingsOffsets } = this.#layout;
    // A list is at least a length, a count and a checksum.
    if (offset >= postings && offset + 12 <= postingsOffsets) return;
    throw this.#corrupt(at, `postings at byte ${offset} lie outside their part`);
  }

  #corrupt(at: number, reason: string): BlockReadError {
    const offset = this.#sectionStart + at;
    return new BlockReadError({ kind: "corrupt", block: this.#block, file: this.#file.name, offset, reason });
  }
}

/** The place of a value among the entries, or -1. */
export function findValue({ values }: LabelEntries, value: string): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareText(values[middle] as string, value);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return -1;
}
