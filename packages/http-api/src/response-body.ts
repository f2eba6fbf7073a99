/** Pieces of text to a response body: short ones whole, long ones streamed while they are written. */
import type { Clock, HttpResponse } from "@pleiad/ports";
import type { JsonPiece } from "./envelope.ts";
import { giveBackPiece } from "./sample-text.ts";

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
): AsyncGenerator<Uint8Array, void, Uint8Array | undefined> {
  for (let hasMore = true; hasMore; hasMore = batch.fill(source)) {
    const spent = yield bytesOf(batch.take());
    if (spent !== undefined) giveBackPiece(spent);
    await clock.yield();
  }
  const rest = batch.take();
  if (rest.length > 0) yield bytesOf(rest);
}

/** Pieces that become one. */
class PieceBatch {
  #text = "";
  #parts: JsonPiece[] = []; // before `#text`
  #length = 0; // of the parts, in bytes and characters

  /** Adds pieces until they are enough for a chunk; false where they end before. */
  fill(source: Iterator<JsonPiece>): boolean {
    for (let next = source.next(); next.done !== true; next = source.next()) {
      if (typeof next.value === "string") this.#text += next.value;
      else {
        this.#endText();
        this.#add(next.value);
      }
      if (this.#length + this.#text.length >= streamedBytes) return true;
    }
    return false;
  }

  /** What was added since the last call. */
  take(): JsonPiece {
    if (this.#parts.length === 0) {
      const text = this.#text;
      this.#text = "";
      return text;
    }
    this.#endText();
    const joined = joinPieces(this.#parts);
    this.#parts = [];
    this.#length = 0;
    return joined;
  }

  #endText(): void {
    if (this.#text !== "") this.#add(this.#text);
    this.#text = "";
  }

  #add(part: JsonPiece): void {
    this.#parts.push(part);
    this.#length += part.length;
  }
}

const encoder = new TextEncoder();

function bytesOf(piece: JsonPiece): Uint8Array {
  return typeof piece === "string" ? encoder.encode(piece) : piece;
}

/** Text around bytes is mostly short: it is encoded where it belongs, in memory for all. */
function joinPieces(pieces: readonly JsonPiece[]): Uint8Array {
  const [only] = pieces;
  if (only !== undefined && pieces.length === 1) return bytesOf(only);
  let bytesMax = 0;
  for (const piece of pieces) bytesMax += typeof piece === "string" ? 3 * piece.length : piece.length;
  const joined = new Uint8Array(bytesMax);
  let at = 0;
  for (const piece of pieces) {
    if (typeof piece === "string") at += encoder.encodeInto(piece, joined.subarray(at)).written;
    else {
      joined.set(piece, at);
      at += piece.length;
    }
  }
  return joined.subarray(0, at);
}
