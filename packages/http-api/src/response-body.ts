/** Text pieces to a response body: short ones whole, long ones streamed while they are written. */
import type { Clock, HttpResponse } from "@pleiad/ports";

const streamedBytes = 65_536;

/** The pieces as one string if they are short, else as chunks of about 64 KiB; other work runs between chunks. */
export function bodyOf(pieces: Iterable<string>, clock: Clock): HttpResponse["body"] {
  const batches = joinPieces(pieces);
  const first = batches.next();
  if (first.done === true) return "";
  const second = batches.next();
  if (second.done === true) return first.value;
  return encodeBatches([first.value, second.value], batches, clock);
}

function* joinPieces(pieces: Iterable<string>): Generator<string> {
  let text = "";
  for (const piece of pieces) {
    text += piece;
    if (text.length >= streamedBytes) {
      yield text;
      text = "";
    }
  }
  if (text !== "") yield text;
}

async function* encodeBatches(
  ahead: readonly string[],
  rest: Iterable<string>,
  clock: Clock,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  for (const text of ahead) yield encoder.encode(text);
  for (const text of rest) {
    await clock.yield();
    yield encoder.encode(text);
  }
}
