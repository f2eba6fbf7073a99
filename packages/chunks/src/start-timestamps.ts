/**
 * Start timestamps of samples: when the series began to count. They are coded the same way in XOR2 chunks and in the
 * histogram encodings 5 and 6. Byte layout: docs/format/xor2-chunk.md.
 */
import type { BitReader } from "./bit-reader.ts";
import type { BitWriter } from "./bit-writer.ts";

/** The index of the first sample with a start timestamp of its own has seven bits. */
const changeIndexMax = 127;

/** Reads them sample by sample; 0 where none is known. */
export class StartTimestampReader {
  #startMs = 0;
  #gapMs = 0;
  readonly #firstKnown: boolean;
  readonly #changesFrom: number;

  constructor(header: number) {
    this.#firstKnown = (header & 0x80) !== 0;
    this.#changesFrom = header & changeIndexMax;
  }

  /** The start timestamp of sample `index`. `beforeMs` is the time of the sample before. */
  read(reader: BitReader, index: number, timestampMs: number, beforeMs: number): number {
    if (index === 0) {
      if (this.#firstKnown) this.#startMs = timestampMs - reader.readVarint();
    } else if (this.#changesFrom > 0 && index >= this.#changesFrom) {
      const gapChangeMs = reader.readVarbitInt();
      this.#gapMs = index === this.#changesFrom ? gapChangeMs : this.#gapMs + gapChangeMs;
      this.#startMs = beforeMs - this.#gapMs;
    }
    return this.#startMs;
  }
}

/** Writes them sample by sample, and tells the header that the chunk must carry. */
export class StartTimestampWriter {
  header = 0;
  #startMs = 0;
  #gapMs = 0;

  /** `startMs` is 0 where none is known; `beforeMs` is the time of the sample before. */
  write(writer: BitWriter, index: number, timestampMs: number, beforeMs: number, startMs: number): void {
    if (index === 0) {
      if (startMs !== 0) {
        this.header = 0x80;
        writer.writeVarint(timestampMs - startMs);
      }
    } else if ((this.header & changeIndexMax) !== 0) {
      const gapMs = beforeMs - startMs;
      writer.writeVarbitInt(gapMs - this.#gapMs);
      this.#gapMs = gapMs;
    } else if (startMs !== this.#startMs || index === changeIndexMax) {
      this.#gapMs = beforeMs - startMs;
      writer.writeVarbitInt(this.#gapMs);
      this.header |= index;
    }
    this.#startMs = startMs;
  }
}
