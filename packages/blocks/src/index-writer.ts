/** Writes an index file. Byte layout: docs/format/block.md. */
import { ByteWriter, crc32c } from "@pleiad/chunks";
import { compareText, type Labels } from "@pleiad/model";
import type { FileSink } from "./file-sink.ts";
import { indexMagic, indexVersion, seriesAlignment } from "./index-layout.ts";
import { chunkFields } from "./stored-series.ts";

const body = new ByteWriter(1024);

/** Series references have 32 bits, in units of 16 bytes. */
const seriesOffsetMax = 0xffff_ffff * seriesAlignment;

/**
 * What it holds: a series, 6 bytes and 4 for each label (8 more while postings are written); a label pair, about 150
 * bytes; a symbol, about 100.
 */
export class IndexWriter {
  readonly #sink: FileSink;
  readonly #symbols = new Map<string, number>();
  readonly #names = new Map<string, Map<string, number>>(); // name, value, number of the pair
  readonly #pairNames: string[] = [];
  readonly #pairValues: string[] = [];
  /** Of each pair, its name's symbol and its value's. */
  readonly #pairSymbols = new GrowingList();
  readonly #refs = new GrowingList();
  readonly #labelCounts = new GrowingList();
  readonly #pairs = new GrowingList(); // of all series, one after the other
  #before: Labels | undefined;
  #beforePairs: number[] = [];
  #seriesStart = 0;
  #seriesBytesMax = 0;

  constructor(sink: FileSink) {
    this.#sink = sink;
  }

  get seriesCount(): number {
    return this.#refs.length;
  }

  /** Of the largest entry. */
  get seriesBytesMax(): number {
    return this.#seriesBytesMax;
  }

  /** `symbols` must ascend by UTF-8 bytes. */
  async begin(symbols: Iterable<string> | AsyncIterable<string>): Promise<void> {
    const { writer } = this.#sink;
    writer.u32(indexMagic);
    writer.u8(indexVersion);
    // The key of the postings of all series is of empty texts.
    this.#symbols.set("", 0);
    let before = "";
    let bytes = 4 + 1;
    for await (const symbol of symbols) {
      if (symbol === "" && this.#symbols.size === 1) continue;
      if (compareText(before, symbol) >= 0) throw new RangeError(`symbols must ascend: ${before}, ${symbol}`);
      before = symbol;
      this.#symbols.set(symbol, this.#symbols.size);
      bytes += textBytes(symbol);
    }
    const section = new SectionWriter(this.#sink, bytes);
    writer.u32(this.#symbols.size);
    for (const symbol of this.#symbols.keys()) {
      writer.text(symbol);
      if (this.#sink.isFull) await section.flush();
    }
    await section.end();
    this.#sink.align(seriesAlignment);
    this.#seriesStart = this.#sink.offset;
  }

  /** `chunks`: three numbers each, as `StoredSeries` has them. The caller flushes the sink. */
  add(labels: Labels, chunks: readonly number[]): void {
    const sink = this.#sink;
    const { writer } = sink;
    sink.align(seriesAlignment);
    const { offset } = sink;
    if (offset > seriesOffsetMax) throw new RangeError("an index ends at 64 GiB");
    this.#refs.push(offset / seriesAlignment);
    const pairs = this.#pairsOf(labels);
    const pairSymbols = this.#pairSymbols;
    body.clear();
    body.uvarint(pairs.length);
    for (const pair of pairs) {
      body.uvarint(pairSymbols.at(2 * pair));
      body.uvarint(pairSymbols.at(2 * pair + 1));
      this.#pairs.push(pair);
    }
    this.#labelCounts.push(pairs.length);
    body.uvarint(chunks.length / chunkFields);
    let lastTimeMs = 0;
    let lastRef = 0;
    for (let at = 0; at < chunks.length; at += chunkFields) {
      const minTimeMs = chunks[at] as number;
      const maxTimeMs = chunks[at + 1] as number;
      const ref = chunks[at + 2] as number;
      if (at === 0) body.varint(minTimeMs);
      else body.uvarint(minTimeMs - lastTimeMs);
      body.uvarint(maxTimeMs - minTimeMs);
      if (at === 0) body.uvarint(ref);
      else body.varint(ref - lastRef);
      lastTimeMs = maxTimeMs;
      lastRef = ref;
    }
    writer.uvarint(body.length);
    writer.raw(body.bytes, 0, body.length);
    writer.u32(crc32c(body.bytes, 0, body.length));
    this.#seriesBytesMax = Math.max(this.#seriesBytesMax, sink.offset - offset);
  }

  /** Writes postings and table of contents; the file is whole then. */
  async end(): Promise<void> {
    const sink = this.#sink;
    const { writer } = sink;
    const seriesEnd = sink.offset;
    sink.align(4);
    const postingsStart = sink.offset;
    const refs = this.#refs.view();
    await this.#writePostings(refs, 0, refs.length);
    const { ends, refsByPair } = this.#sortByPair(refs);
    const order = this.#pairOrder();
    for (const pair of order) {
      await this.#writePostings(refsByPair, pair === 0 ? 0 : (ends[pair - 1] as number), ends[pair] as number);
    }
    const tableStart = sink.offset;
    await this.#writeTable(order, ends, postingsStart);
    const toc = sink.offset;
    // Prometheus writes label indices no longer: their part is empty, and their table is that of the postings.
    for (const offset of [5, this.#seriesStart, seriesEnd, tableStart, postingsStart, tableStart]) writer.i64(offset);
    writer.u32(crc32c(writer.bytes, writer.length - (sink.offset - toc), writer.length));
  }

  /** The numbers of the label pairs of a series; neighbours share most. */
  #pairsOf(labels: Labels): number[] {
    const before = this.#before ?? [];
    const pairs: number[] = [];
    for (let i = 0; i < labels.length; i += 2) {
      const name = labels[i] as string;
      const value = labels[i + 1] as string;
      if (before[i] === name && before[i + 1] === value) pairs.push(this.#beforePairs[i / 2] as number);
      else pairs.push(this.#pairOf(name, value));
    }
    this.#before = labels;
    this.#beforePairs = pairs;
    return pairs;
  }

  #pairOf(name: string, value: string): number {
    let values = this.#names.get(name);
    if (values === undefined) this.#names.set(name, (values = new Map<string, number>()));
    const known = values.get(value);
    if (known !== undefined) return known;
    for (const text of [name, value]) {
      const symbol = this.#symbols.get(text);
      if (symbol === undefined) throw new RangeError(`not among the symbols: ${JSON.stringify(text)}`);
      this.#pairSymbols.push(symbol);
    }
    const pair = this.#pairNames.length;
    this.#pairNames.push(name);
    this.#pairValues.push(value);
    values.set(value, pair);
    return pair;
  }

  /** The references of each pair, one pair after the other; pair p ends before `ends[p]`. */
  #sortByPair(refs: Uint32Array): { readonly ends: Float64Array; readonly refsByPair: Uint32Array } {
    const pairs = this.#pairs.view();
    const counts = this.#labelCounts.view();
    const ends = new Float64Array(this.#pairNames.length);
    for (const pair of pairs) ends[pair] = (ends[pair] as number) + 1;
    let total = 0;
    for (let pair = 0; pair < ends.length; pair++) {
      const count = ends[pair] as number;
      ends[pair] = total; // where its next one goes, until it stands at its end
      total += count;
    }
    const refsByPair = new Uint32Array(total);
    let at = 0;
    for (let series = 0; series < refs.length; series++) {
      for (let left = counts[series] as number; left > 0; left--) {
        const pair = pairs[at++] as number;
        const place = ends[pair] as number;
        refsByPair[place] = refs[series] as number;
        ends[pair] = place + 1;
      }
    }
    return { ends, refsByPair };
  }

  /** Pairs by name, then value: the order of their symbols. */
  #pairOrder(): Uint32Array {
    const symbols = this.#pairSymbols.view();
    const order = Uint32Array.from(this.#pairNames, (_, pair) => pair);
    return order.sort(
      (a, b) =>
        (symbols[2 * a] as number) - (symbols[2 * b] as number) ||
        (symbols[2 * a + 1] as number) - (symbols[2 * b + 1] as number),
    );
  }

  async #writePostings(refs: Uint32Array, from: number, to: number): Promise<void> {
    const { writer } = this.#sink;
    const section = new SectionWriter(this.#sink, postingsBytes(to - from) - 8);
    writer.u32(to - from);
    for (let i = from; i < to; i++) {
      writer.u32(refs[i] as number);
      if (this.#sink.isFull) await section.flush();
    }
    await section.end();
  }

  async #writeTable(order: Uint32Array, ends: Float64Array, postingsStart: number): Promise<void> {
    const { writer } = this.#sink;
    const countOf = (pair: number) => (ends[pair] as number) - (pair === 0 ? 0 : (ends[pair - 1] as number));
    const firstOffset = postingsStart + postingsBytes(this.#refs.length);
    let bytes = 4 + 3 + uvarintBytes(postingsStart);
    let offset = firstOffset;
    for (const pair of order) {
      bytes += 1 + textBytes(this.#pairNames[pair] as string) + textBytes(this.#pairValues[pair] as string);
      bytes += uvarintBytes(offset);
      offset += postingsBytes(countOf(pair));
    }
    const section = new SectionWriter(this.#sink, bytes);
    writer.u32(order.length + 1);
    const entry = (name: string, value: string, at: number) => {
      writer.u8(2); // texts in the key
      writer.text(name);
      writer.text(value);
      writer.uvarint(at);
    };
    entry("", "", postingsStart);
    offset = firstOffset;
    for (const pair of order) {
      entry(this.#pairNames[pair] as string, this.#pairValues[pair] as string, offset);
      offset += postingsBytes(countOf(pair));
      if (this.#sink.isFull) await section.flush();
    }
    await section.end();
  }
}

/** A part of an index with its length before it and its checksum behind it, written piece by piece. */
class SectionWriter {
  readonly #sink: FileSink;
  readonly #end: number;
  #summed: number; // into the writer
  #sum = 0;

  constructor(sink: FileSink, bytes: number) {
    if (bytes > 0xffff_ffff) throw new RangeError(`a part of an index has ${bytes} bytes, more than 32 bits tell`);
    sink.writer.u32(bytes);
    this.#sink = sink;
    this.#summed = sink.writer.length;
    this.#end = sink.offset + bytes;
  }

  async flush(): Promise<void> {
    this.#add();
    await this.#sink.flush();
    this.#summed = 0;
  }

  async end(): Promise<void> {
    this.#add();
    if (this.#sink.offset !== this.#end) throw new Error("a part of an index is not as long as it was said to be");
    this.#sink.writer.u32(this.#sum);
    if (this.#sink.isFull) await this.#sink.flush();
  }

  #add(): void {
    const { writer } = this.#sink;
    this.#sum = crc32c(writer.bytes, this.#summed, writer.length, this.#sum);
    this.#summed = writer.length;
  }
}

/** Whole numbers of 32 bits, growing. */
class GrowingList {
  length = 0;
  #numbers = new Uint32Array(1024);

  push(value: number): void {
    if (this.length === this.#numbers.length) {
      const grown = new Uint32Array(2 * this.length);
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    this.#numbers[this.length++] = value;
  }

  /** One of those that were pushed. */
  at(index: number): number {
    return this.#numbers[index] as number;
  }

  view(): Uint32Array {
    return this.#numbers.subarray(0, this.length);
  }
}

/** Of postings with their length and checksum. */
function postingsBytes(count: number): number {
  return 4 + 4 + 4 * count + 4;
}

function uvarintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

/** Of a text with its length before it. */
function textBytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // Each half of a pair counts two of its four bytes.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return uvarintBytes(bytes) + bytes;
}
