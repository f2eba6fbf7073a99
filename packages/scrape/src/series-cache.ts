/**
 * What a target's pages said before: series texts, by their bytes, and the series in the head that each stands for.
 *
 * A page mostly has the same series in the same order as the last one. So a text is first compared with the one that
 * stood at this place (`recognise`), and only then looked up by its hash; in neither case a string is made.
 */

export interface SeriesCache<Ref> {
  readonly size: number;
  /** Begins a page. Entries of the page before it are those that may vanish. */
  begin(): void;
  /** As in `ExpositionSink`: the end of the series text at `start` if it is the one expected here, else 0. */
  recognise(page: Uint8Array, start: number): number;
  /** The entry of a series text, -1 if there is none. */
  find(page: Uint8Array, start: number, end: number): number;
  /** Adds an entry for a text that `find` does not know. The bytes are copied. */
  add(page: Uint8Array, start: number, end: number, ref: Ref): number;
  refOf(entry: number): Ref;
  setRef(entry: number, ref: Ref): void;
  /** Notes that the text stands on this page; false where it did already. */
  see(entry: number): boolean;
  /** Ends a page that was kept, and drops texts that have long been gone. */
  commit(): void;
  /** Ends a page that was thrown away: its new entries go, and the next page is compared with the one before it. */
  rollback(): void;
}

/** Entries that are on no page any more are dropped once they are more than the others, and more than this. */
const forgottenMin = 128;

export function createSeriesCache<Ref>(): SeriesCache<Ref> {
  let texts = new Uint8Array(4096); // the bytes of all texts
  let textBytes = 0;
  let starts = new Uint32Array(64); // entry → its text
  let ends = new Uint32Array(64);
  let hashes = new Uint32Array(64);
  let pages = new Uint32Array(64); // entry → number of the last page that had it
  let places = new Uint32Array(64); // entry → its place in `order` of the last kept page
  let refs: Ref[] = [];
  let slots = new Int32Array(128).fill(-1); // open addressing by hash
  let order = new Uint32Array(64); // entries of the last kept page in their order
  let orderLength = 0;
  let nextOrder = new Uint32Array(64); // the same of the page being read
  let nextLength = 0;
  let place = 0; // where in `order` the next text is expected
  let recognised = -1; // entry found by the last `recognise`, and where
  let recognisedStart = -1;
  let pageNumber = 0;
  let keptEntries = 0; // of kept pages: what is after them belongs to the page being read
  let keptBytes = 0;

  function sameText(entry: number, page: Uint8Array, start: number): boolean {
    const from = starts[entry] ?? 0;
    const length = (ends[entry] ?? 0) - from;
    if (start + length > page.length) return false;
    // Texts of neighbours differ late, in their label values: compare from the end.
    for (let i = length - 1; i >= 0; i--) if (texts[from + i] !== page[start + i]) return false;
    return true;
  }

  function lookUp(page: Uint8Array, start: number, end: number, hash: number): number {
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot] ?? -1;
      if (entry < 0) return -1;
      if (hashes[entry] !== hash || (ends[entry] ?? 0) - (starts[entry] ?? 0) !== end - start) continue;
      if (sameText(entry, page, start)) return entry;
    }
  }

  function insertSlot(entry: number): void {
    const mask = slots.length - 1;
    let slot = (hashes[entry] ?? 0) & mask;
    while ((slots[slot] ?? -1) >= 0) slot = (slot + 1) & mask;
    slots[slot] = entry;
  }

  function growEntries(): void {
    const capacity = starts.length * 2;
    const grown = (old: Uint32Array<ArrayBuffer>) => {
      const column = new Uint32Array(capacity);
      column.set(old);
      return column;
    };
    [starts, ends, hashes, pages, places] = [grown(starts), grown(ends), grown(hashes), grown(pages), grown(places)];
    rebuildSlots(capacity * 2);
  }

  function rebuildSlots(capacity: number): void {
    slots = new Int32Array(capacity).fill(-1);
    for (let entry = 0; entry < refs.length; entry++) insertSlot(entry);
  }

  function append(page: Uint8Array, start: number, end: number, hash: number, ref: Ref): number {
    if (refs.length === starts.length) growEntries();
    if (textBytes + end - start > texts.length) {
      const grown = new Uint8Array(Math.max(texts.length * 2, textBytes + end - start));
      grown.set(texts);
      texts = grown;
    }
    texts.set(page.subarray(start, end), textBytes);
    const entry = refs.length;
    refs.push(ref);
    starts[entry] = textBytes;
    ends[entry] = textBytes += end - start;
    hashes[entry] = hash;
    pages[entry] = 0;
    places[entry] = orderLength;
    insertSlot(entry);
    return entry;
  }

  /** Keeps only the entries of the last page, in its order: neighbours on the page are neighbours in memory. */
  function compact(): void {
    const [oldTexts, oldStarts, oldEnds, oldHashes, oldRefs] = [texts, starts, ends, hashes, refs];
    [texts, textBytes, refs] = [new Uint8Array(oldTexts.length), 0, []];
    [starts, ends, hashes] = [
      new Uint32Array(oldStarts.length),
      new Uint32Array(oldStarts.length),
      new Uint32Array(oldStarts.length),
    ];
    slots.fill(-1);
    for (let i = 0; i < orderLength; i++) {
      const old = order[i] ?? 0;
      append(oldTexts, oldStarts[old] ?? 0, oldEnds[old] ?? 0, oldHashes[old] ?? 0, oldRefs[old] as Ref);
      pages[i] = pageNumber;
      places[i] = i;
      order[i] = i;
    }
  }

  return {
    get size() {
      return refs.length;
    },
    begin: () => {
      pageNumber++;
      place = 0;
      nextLength = 0;
      recognised = -1;
      recognisedStart = -1;
    },
    recognise: (page, start) => {
      recognised = -1;
      if (place >= orderLength) return 0;
      const entry = order[place] ?? 0;
      if (!sameText(entry, page, start)) return 0;
      recognised = entry;
      recognisedStart = start;
      return start + (ends[entry] ?? 0) - (starts[entry] ?? 0);
    },
    find: (page, start, end) => {
      if (recognised >= 0 && recognisedStart === start) {
        // The parser may have found that the text goes on.
        if (end - start === (ends[recognised] ?? 0) - (starts[recognised] ?? 0)) return recognised;
      }
      return lookUp(page, start, end, hashBytes(page, start, end));
    },
    add: (page, start, end, ref) => append(page, start, end, hashBytes(page, start, end), ref),
    refOf: (entry) => refs[entry] as Ref,
    setRef: (entry, ref) => {
      refs[entry] = ref;
    },
    see: (entry) => {
      // Texts that are new or have moved leave the expectation where it is, or take it along.
      const known = places[entry] ?? 0;
      if (known < orderLength && order[known] === entry) place = known + 1;
      if (pages[entry] === pageNumber) return false;
      pages[entry] = pageNumber;
      if (nextLength === nextOrder.length) {
        const grown = new Uint32Array(nextOrder.length * 2);
        grown.set(nextOrder);
        nextOrder = grown;
      }
      nextOrder[nextLength++] = entry;
      return true;
    },
    commit: () => {
      [order, nextOrder] = [nextOrder, order];
      orderLength = nextLength;
      for (let i = 0; i < orderLength; i++) places[order[i] ?? 0] = i;
      if (refs.length - orderLength > Math.max(orderLength, forgottenMin)) compact();
      keptEntries = refs.length;
      keptBytes = textBytes;
    },
    rollback: () => {
      nextLength = 0;
      if (refs.length === keptEntries) return;
      refs.length = keptEntries;
      textBytes = keptBytes;
      rebuildSlots(slots.length);
    },
  };
}

/** FNV-1a over the bytes, mixed: labels differ in their last bytes, slots are chosen by the low bits. */
function hashBytes(page: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (page[at] ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
