/**
 * Series of one head by the bytes that stand for their labels in requests. A sender writes the labels of a series the same
 * way each time: bytes that are known need neither text nor a look for the series by its labels.
 *
 * Bounded in entries and bytes: when it is full it starts over empty.
 */
import { hashBytes } from "@pleiad/model";
import type { SeriesRef } from "@pleiad/head";

export interface SeriesRefsOptions {
  readonly entriesMax: number;
  readonly bytesMax: number;
}

export const defaultSeriesRefs: SeriesRefsOptions = { entriesMax: 1 << 18, bytesMax: 64 << 20 };

/** What the tables of several heads take together, such as those of a receiver's tenants: the one unused for longest goes. */
export class SeriesRefsPool {
  readonly #bytesMax: number;
  /** By when they were used last, with what they took then. */
  readonly #tables = new Map<SeriesRefs, number>();
  #bytes = 0;

  constructor(bytesMax = 256 << 20) {
    this.#bytesMax = bytesMax;
  }

  get byteLength(): number {
    return this.#bytes;
  }

  /** To be called after a table was used: empties others, and the table itself where it alone is too large. */
  used(table: SeriesRefs): void {
    this.#forget(table);
    this.#tables.set(table, table.byteLength);
    this.#bytes += table.byteLength;
    for (const oldest of this.#tables.keys()) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#forget(oldest);
      oldest.empty();
    }
  }

  #forget(table: SeriesRefs): void {
    this.#bytes -= this.#tables.get(table) ?? 0;
    this.#tables.delete(table);
  }
}

/** Keys whose hashes collide are looked at up to this many times, so that no choice of labels makes the table slow. */
const probesMax = 16;

/** Of a table without entries: a receiver may have a thousand. */
const slotsFirst = 1024;
const keyBytesFirst = 16 << 10;

export class SeriesRefs {
  readonly #options: SeriesRefsOptions;
  /** Entry number by hash, open addressing; -1 is free. */
  #slots = new Int32Array(slotsFirst).fill(-1);
  /** By entry: its hash, and where its key begins; the next one's beginning is its end. */
  #hashes = new Int32Array(slotsFirst / 2);
  #starts = new Int32Array(slotsFirst / 2 + 1);
  #keys = new Uint8Array(keyBytesFirst);
  #refs: SeriesRef[] = [];

  constructor(options: SeriesRefsOptions = defaultSeriesRefs) {
    this.#options = options;
  }

  get size(): number {
    return this.#refs.length;
  }

  /** The memory of all that is kept. */
  get byteLength(): number {
    const numbers = this.#slots.length + this.#hashes.length + this.#starts.length;
    return this.#keys.length + 4 * numbers + 8 * this.#refs.length;
  }

  /** Forgets all, and gives its memory back. */
  empty(): void {
    this.#slots = new Int32Array(slotsFirst).fill(-1);
    this.#hashes = new Int32Array(slotsFirst / 2);
    this.#starts = new Int32Array(slotsFirst / 2 + 1);
    this.#keys = new Uint8Array(keyBytesFirst);
    this.#refs = [];
  }

  /** The series that was set for the bytes at [from, to); undefined where none was, or it is forgotten. */
  find(bytes: Uint8Array, from: number, to: number): SeriesRef | undefined {
    const entry = this.#entryOf(bytes, from, to, hashBytes(bytes, from, to));
    return entry === undefined ? undefined : this.#refs[entry];
  }

  set(bytes: Uint8Array, from: number, to: number, ref: SeriesRef): void {
    const hash = hashBytes(bytes, from, to);
    const known = this.#entryOf(bytes, from, to, hash);
    if (known !== undefined) {
      this.#refs[known] = ref;
      return;
    }
    const length = to - from;
    const { entriesMax, bytesMax } = this.#options;
    if (length > bytesMax) return;
    if (this.#refs.length >= entriesMax || this.#keyBytes + length > bytesMax) this.#clear();
    if (2 * (this.#refs.length + 1) > this.#slots.length) this.#grow();
    const entry = this.#refs.length;
    const start = this.#keyBytes;
    if (start + length > this.#keys.length) {
      const larger = new Uint8Array(Math.max(2 * this.#keys.length, start + length));
      larger.set(this.#keys);
      this.#keys = larger;
    }
    this.#keys.set(bytes.subarray(from, to), start);
    this.#starts[entry] = start;
    this.#starts[entry + 1] = start + length;
    this.#hashes[entry] = hash;
    this.#refs.push(ref);
    this.#fill(entry, hash);
  }

  get #keyBytes(): number {
    return this.#starts[this.#refs.length] ?? 0;
  }

  #entryOf(bytes: Uint8Array, from: number, to: number, hash: number): number | undefined {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (let probes = 0; probes < probesMax; probes++) {
      const entry = slots[slot] as number;
      if (entry === -1) return undefined;
      if (this.#hashes[entry] === hash && this.#isKey(entry, bytes, from, to)) return entry;
      slot = (slot + 1) & mask;
    }
    return undefined;
  }

  #isKey(entry: number, bytes: Uint8Array, from: number, to: number): boolean {
    const start = this.#starts[entry] as number;
    if ((this.#starts[entry + 1] as number) - start !== to - from) return false;
    const keys = this.#keys;
    // From the end: series differ in the last of their labels more often than in the first.
    for (let i = to - from - 1; i >= 0; i--) if (keys[start + i] !== bytes[from + i]) return false;
    return true;
  }

  #fill(entry: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== -1) slot = (slot + 1) & mask;
    this.#slots[slot] = entry;
  }

  #grow(): void {
    const entries = this.#refs.length;
    this.#slots = new Int32Array(2 * this.#slots.length).fill(-1);
    const [hashes, starts] = [this.#hashes, this.#starts];
    this.#hashes = new Int32Array(2 * hashes.length);
    this.#starts = new Int32Array(2 * hashes.length + 1);
    this.#hashes.set(hashes);
    this.#starts.set(starts);
    for (let entry = 0; entry < entries; entry++) this.#fill(entry, this.#hashes[entry] as number);
  }

  #clear(): void {
    this.#slots.fill(-1);
    this.#refs = [];
    this.#starts[0] = 0;
  }
}
