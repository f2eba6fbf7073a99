/**
 * What was decoded of a block and may be asked for again. A block never changes, so nothing here grows stale; when it
 * takes too much room, all of it goes: what is in use comes back with the next question.
 */
import type { SourceSeries } from "@pleiad/model";
import type { Postings } from "./postings.ts";
import type { StoredSeries } from "./stored-series.ts";

/** Series in the order of an answer, each label set once. */
export type Selection = readonly StoredSeries[];

/** All of a selection with all chunks, once they are in memory: what a question for their whole time is given at once. */
export interface WholeSelection {
  readonly series: readonly SourceSeries[];
  readonly minTimeMs: number; // of the chunks, both inclusive
  readonly maxTimeMs: number;
  readonly chunkCount: number;
}

/** About what a chunk in memory takes beside its bytes: its objects, its view, its share of the list of its series. */
const readChunkBytes = 400;

export class DecodedCache {
  readonly #bytesMax: number;
  readonly #postings = new Map<number, Postings>();
  readonly #series = new Map<number, StoredSeries>();
  readonly #selections = new Map<string, Selection>();
  readonly #answers = new Map<string, readonly string[]>();
  readonly #wholes = new Map<Selection, WholeSelection>();
  #bytes = 0;
  #chunkBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get heldBytes(): number {
    return this.#bytes;
  }

  postings(offset: number): Postings | undefined {
    return this.#postings.get(offset);
  }

  keepPostings(offset: number, postings: Postings): void {
    if (this.#makeRoom(postings.byteLength + 200)) this.#postings.set(offset, postings);
  }

  series(ref: number): StoredSeries | undefined {
    return this.#series.get(ref);
  }

  keepSeries(ref: number, series: StoredSeries): void {
    if (this.#makeRoom(series.heldBytes + 50)) this.#series.set(ref, series);
  }

  selection(key: string): Selection | undefined {
    return this.#selections.get(key);
  }

  /** `renamedCount`: how many series of the selection are not those that `keepSeries` was given. */
  keepSelection(key: string, selection: Selection, renamedCount: number): void {
    const bytes = 2 * key.length + 8 * selection.length + 400 * renamedCount + 200;
    if (this.#makeRoom(bytes)) this.#selections.set(key, selection);
  }

  whole(selection: Selection): WholeSelection | undefined {
    return this.#wholes.get(selection);
  }

  keepWhole(selection: Selection, whole: WholeSelection): void {
    if (this.#makeRoom(8 * whole.series.length + 100)) this.#wholes.set(selection, whole);
  }

  answer(key: string): readonly string[] | undefined {
    return this.#answers.get(key);
  }

  keepAnswer(key: string, values: readonly string[]): void {
    if (this.#makeRoom(2 * key.length + 8 * values.length + 200)) this.#answers.set(key, values);
  }

  /** Counts chunks that series now keep. */
  addChunks(count: number): void {
    if (this.#makeRoom(count * readChunkBytes)) this.#chunkBytes += count * readChunkBytes;
    else this.dropChunks();
  }

  /** Forgets chunks, and with them the windows that they are views of. */
  dropChunks(): void {
    // Selections may hold series under other labels, which nothing else knows of.
    this.#selections.clear();
    this.#wholes.clear();
    for (const series of this.#series.values()) {
      series.read.length = 0;
      series.whole = undefined;
    }
    this.#bytes -= this.#chunkBytes;
    this.#chunkBytes = 0;
  }

  clear(): void {
    // Readers that are under way go on with what they hold.
    this.dropChunks();
    this.#postings.clear();
    this.#series.clear();
    this.#answers.clear();
    this.#bytes = 0;
  }

  /** Whether there is room for so much: what never fits is not kept. */
  #makeRoom(bytes: number): boolean {
    if (bytes > this.#bytesMax / 2) return false;
    if (this.#bytes + bytes > this.#bytesMax) this.clear();
    this.#bytes += bytes;
    return true;
  }
}
