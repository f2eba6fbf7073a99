/** Pieces of text to a response body: short ones whole, long ones streamed while they are written. */
import type { Clock, HttpResponse } from "@pleiad/ports";
import type { JsonPiece } from "./envelope.ts";

const streamedBytes = 65_536;

/** The pieces in one if they are short, else as chunks of 64 KiB and more; other work runs between chunks. */
export function bodyOf(pieces: Iterable<JsonPiece>, clock: Clock): HttpResponse["body"] {
  const batches = joinPieces(pieces);
  const first = batches.next();
  if (first.done === true) return "";
  const second = batches.next();
  if (second.done === true) return first.value;
  return encodeBatches([first.value, second.value], batches, clock);
}

/** Every batch but the last has at least `streamedBytes`. */
function* joinPieces(pieces: Iterable<JsonPiece>): Generator<JsonPiece> {
  let text = "";
  let parts: Uint8Array[] = []; // before `text`
  let partBytes = 0;
  const addPart = (part: Uint8Array) => {
    parts.push(part);
    partBytes += part.length;
  };
  const batch = (): JsonPiece => {
    if (parts.length === 0) return text;
    if (text !== "") addPart(encoder.encode(text));
    const joined = parts.length === 1 && parts[0] !== undefined ? parts[0] : joinBytes(parts, partBytes);
    parts = [];
    partBytes = 0;
    return joined;
  };
  for (const piece of pieces) {
    if (typeof piece === "string") {
      text += piece;
    } else {
      if (text !== "") addPart(encoder.encode(text));
      text = "";
      addPart(piece);
    }
    if (partBytes + text.length >= streamedBytes) {
      yield batch();
      text = "";
    }
  }
  if (text !== "" || parts.length > 0) yield batch();
}

const encoder = new TextEncoder();

function joinBytes(parts: readonly Uint8Array[], byteCount: number): Uint8Array {
  const joined = new Uint8Array(byteCount);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

async function* encodeBatches(
  ahead: readonly JsonPiece[],
  rest: Iterable<JsonPiece>,
  clock: Clock,
): AsyncGenerator<Uint8Array> {
  const encode = (piece: JsonPiece) => (typeof piece === "string" ? encoder.encode(piece) : piece);
  for (const piece of ahead) yield encode(piece);
  for (const piece of rest) {
    await clock.yield();
    yield encode(piece);
  }
}
