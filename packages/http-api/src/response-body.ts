/** Text pieces to a response body: short ones whole, long ones streamed while they are written, gzipped on request. */
import { constants, crc32, deflateRawSync } from "node:zlib";
import type { Clock, HttpResponse } from "@pleiad/ports";

const streamedBytes = 65_536;
const gzipBytesMin = 1_024;

/** The pieces as one string if they are short, else as chunks of about 64 KiB; other work runs between chunks. */
export function bodyOf(pieces: Iterable<string>, clock: Clock): HttpResponse["body"] {
  const batches = joinPieces(pieces);
  const first = batches.next();
  if (first.done === true) return "";
  const second = batches.next();
  if (second.done === true) return first.value;
  return encodeBatches([first.value, second.value], batches, clock);
}

/** Whether the client takes gzip: named, or `*`, and not with weight zero. */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  return (acceptEncoding ?? "").split(",").some((offer) => {
    const [coding = "", ...parameters] = offer.split(";").map((part) => part.trim().toLowerCase());
    return (coding === "gzip" || coding === "*") && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
  });
}

/** The same response with a gzipped body, where that pays. */
export function gzipResponse(response: HttpResponse): HttpResponse {
  const { body } = response;
  const stream = typeof body !== "string" && !(body instanceof Uint8Array);
  if (!stream && body.length < gzipBytesMin) return response;
  const vary =
    response.headers["vary"] === undefined ? "Accept-Encoding" : `${response.headers["vary"]}, Accept-Encoding`;
  const headers = { ...response.headers, "content-encoding": "gzip", vary };
  if (stream) return { ...response, headers, body: gzipStream(body) };
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return { ...response, headers, body: gzipWhole(bytes) };
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

// RFC 1952: magic, deflate, no flags, no time, unknown system.
const gzipHeader = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255);
const deflateEnd = Uint8Array.of(0x03, 0x00); // an empty last block

/**
 * One gzip member out of pieces that were deflated each by itself: every piece ends on a byte without ending the
 * stream. It costs little compression at this size and needs no stream of the platform, so it runs the same everywhere.
 */
async function* gzipStream(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield gzipHeader;
  let checksum = 0;
  let byteCount = 0;
  for await (const chunk of chunks) {
    checksum = crc32(chunk, checksum);
    byteCount += chunk.length;
    yield deflatePiece(chunk);
  }
  yield gzipTrailer(checksum, byteCount);
}

function gzipWhole(bytes: Uint8Array): Uint8Array {
  const piece = deflatePiece(bytes);
  const trailer = gzipTrailer(crc32(bytes), bytes.length);
  const whole = new Uint8Array(gzipHeader.length + piece.length + trailer.length);
  whole.set(gzipHeader);
  whole.set(piece, gzipHeader.length);
  whole.set(trailer, gzipHeader.length + piece.length);
  return whole;
}

function deflatePiece(bytes: Uint8Array): Uint8Array {
  return deflateRawSync(bytes, { level: constants.Z_BEST_SPEED, finishFlush: constants.Z_SYNC_FLUSH });
}

function gzipTrailer(checksum: number, byteCount: number): Uint8Array {
  const trailer = new Uint8Array(deflateEnd.length + 8);
  trailer.set(deflateEnd);
  const view = new DataView(trailer.buffer, deflateEnd.length);
  view.setUint32(0, checksum, true);
  view.setUint32(4, byteCount % 2 ** 32, true);
  return trailer;
}
