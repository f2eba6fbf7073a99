/** Pieces of text to a response body: short ones whole, long ones streamed while they are written. */
import { joinBytes, type Clock, type HttpResponse } from "@pleiad/ports";
import type { JsonPiece } from "./envelope.ts";

const streamedBytes = 65_536;

/** The pieces in one if they are short, else as chunks of 64 KiB and more; other work runs between chunks. */
export function bodyOf(pieces: Iterable<JsonPiece>, clock: Clock): HttpResponse["body"] {
  const source = pieces[Symbol.iterator]();
  const batch = new PieceBatch();
  return batch.fill(source) ? streamBatches(batch, source, clock) : batch.take();
}

async function* streamBatches(
  batch: PieceBatch,
  source: Iterator<JsonPiece>,
  clock: Clock,
): AsyncGenerator<Uint8Array> {
  for (let hasMore = true; hasMore; hasMore = batch.fill(source)) {
    yield bytesOf(batch.take());
    await clock.yield();
  }
  const rest = batch.take();
  if (rest.length > 0) yield bytesOf(rest);
}

/** Pieces that become one. */
class PieceBatch {
  #text = "";
  #parts: Uint8Array[] = []; // before `#text`
  #partBytes = 0;

  /** Adds pieces until they are enough for a chunk; false where they end before. */
  fill(source: Iterator<JsonPiece>): boolean {
    for (let next = source.next(); next.done !== true; next = source.next()) {
      if (typeof next.value === "string") this.#text += next.value;
      else {
        this.#endText();
        this.#add(next.value);
      }
      if (this.#partBytes + this.#text.length >= streamedBytes) return true;
    }
    return false;
  }

  /** What was added since the last call. */
  take(): JsonPiece {
    const text = this.#text;
    if (this.#parts.length === 0) {
      this.#text = "";
      return text;
    }
    this.#endText();
    const [only] = this.#parts;
    const joined = only !== undefined && this.#parts.length === 1 ? only : joinBytes(this.#parts);
    this.#parts = [];
    this.#partBytes = 0;
    return joined;
  }

  #endText(): void {
    if (this.#text !== "") this.#add(encoder.encode(this.#text));
    this.#text = "";
  }

  #add(part: Uint8Array): void {
    this.#parts.push(part);
    this.#partBytes += part.length;
  }
}

const encoder = new TextEncoder();

function bytesOf(piece: JsonPiece): Uint8Array {
  return typeof piece === "string" ? encoder.encode(piece) : piece;
}
