/** JSON of long series as bytes: text and runs of samples, the latter by a WebAssembly kernel that makes no strings. */
import { createSharedMemory, instantiateWasm } from "@pleiad/chunks";
import type { Labels } from "@pleiad/model";
import { sampleTextWasm } from "./sample-text.wasm.ts";

type Piece = Uint8Array<ArrayBuffer>;

/** Pieces are cut at about this length, so that a long answer leaves before it is whole. */
export const pieceBytes = 256 * 1024;

/**
 * Collects bytes until a piece is full. There is one buffer a thread: what `take` or `rest` did not fetch must be fetched
 * before anybody else writes, so a generator that yields in between fetches all.
 */
export interface SampleTextWriter {
  text(text: string): void;
  /** The label object of a series: in label order, not escaped for HTML. */
  labels(labels: Labels): void;
  /**
   * `[t,"v"]` of every sample from `first` that has room, comma between; gives the number of the next. Times are whole ms,
   * and do not change between two calls with the same column.
   */
  samples(timestampsMs: Float64Array, values: Float64Array, first: number): number;
  readonly isFull: boolean;
  /** What was written, in order; belongs to the receiver. */
  take(): readonly Piece[];
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Shorter texts of ASCII are written by a loop, which ends before an encoder has begun. */
const plainLengthMax = 256;

const samplesPerCall = 4_096;
const digitsAt = 64; // "00" to "99"
const powersAt = 320;
const powerCount = 617;
const timestampsAt = powersAt + 16 * powerCount + 48;
const timeTextsAt = timestampsAt + 8 * samplesPerCall;
const valuesAt = timeTextsAt + 32 * samplesPerCall;
const outAt = valuesAt + 8 * samplesPerCall;
/** Room for the label text of a series after a piece is nearly full. */
const slackBytes = 64 * 1024;
const outEnd = outAt + pieceBytes + slackBytes;
const memoryPages = Math.ceil(outEnd / 65_536);

/** Memory of long pieces that were given back. Most of what a new one costs is the system's, which clears it, and the collector's. */
const spent: ArrayBuffer[] = [];
const roomBytes = pieceBytes + slackBytes;
const spentMax = 8;

/** For who has done with a piece and knows that nobody else looks at it. Others than those of `take` are passed over. */
export function giveBackPiece({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === roomBytes && spent.length < spentMax) spent.push(buffer);
}

let ofThread: SampleTextWriter | undefined;

/** The one of this thread, made when it is first asked for: every process has the code, few answer queries. */
export function sampleTextWriter(): SampleTextWriter {
  return (ofThread ??= createSampleTextWriter());
}

function createSampleTextWriter(): SampleTextWriter {
  const memory = createSharedMemory(memoryPages, memoryPages);
  const bytes = new Uint8Array(memory.buffer);
  const progress = new Uint32Array(memory.buffer, 0, 1);
  const timestampColumn = new Float64Array(memory.buffer, timestampsAt, samplesPerCall);
  const valueColumn = new Float64Array(memory.buffer, valuesAt, samplesPerCall);
  for (let i = 0; i < 100; i++) bytes.set([0x30 + Math.floor(i / 10), 0x30 + (i % 10)], digitsAt + 2 * i);
  writePowers(new BigUint64Array(memory.buffer, powersAt, 2 * powerCount));
  const { writeSamples, writeTimes } = instantiateWasm(sampleTextWasm, memory);
  if (writeSamples === undefined || writeTimes === undefined) throw new Error("the module lacks a function");
  // Whose texts lie in the memory: from which sample on, and of which column.
  let written: Float64Array | undefined;
  let writtenFrom = 0;
  const encoder = new TextEncoder();
  let full: Piece[] = [];
  let at = outAt;
  const cut = () => {
    if (at > outAt) {
      // What is short is kept by nobody for long: it takes no more memory than it needs.
      const room =
        at - outAt < pieceBytes / 2 ? new ArrayBuffer(at - outAt) : (spent.pop() ?? new ArrayBuffer(roomBytes));
      const piece = new Uint8Array(room, 0, at - outAt);
      piece.set(bytes.subarray(outAt, at));
      full.push(piece);
    }
    at = outAt;
  };
  /** Writes `text`, or the JSON of it; false, and nothing is written, where that is not as long as the text. */
  const writePlain = (text: string, isQuoted: boolean): boolean => {
    const { length } = text;
    if (length > plainLengthMax) return false;
    if (at + length + 2 > outEnd) cut();
    let end = at;
    if (isQuoted) bytes[end++] = quote;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0x20 || unit > 0x7e || (isQuoted && (unit === quote || unit === backslash))) return false;
      bytes[end++] = unit;
    }
    if (isQuoted) bytes[end++] = quote;
    at = end;
    return true;
  };
  const writeText = (text: string) => {
    if (writePlain(text, false)) return;
    // A UTF-16 unit takes three bytes at most.
    if (at + 3 * text.length > outEnd) cut();
    if (at + 3 * text.length > outEnd) full.push(encoder.encode(text));
    else at += encoder.encodeInto(text, bytes.subarray(at)).written;
  };
  const writeQuoted = (text: string) => {
    if (!writePlain(text, true)) writeText(JSON.stringify(text));
  };
  return {
    text: writeText,
    labels(labels) {
      if (labels.length === 0) return writeText("{}");
      for (let i = 0; i < labels.length; i++) {
        if (at === outEnd) cut();
        bytes[at++] = i === 0 ? openBrace : i % 2 === 0 ? comma : colon;
        writeQuoted(labels[i] ?? "");
      }
      if (at === outEnd) cut();
      bytes[at++] = closeBrace;
    },
    samples(timestampsMs, values, first) {
      const count = Math.min(samplesPerCall, values.length - first);
      if (timestampsMs !== written || first !== writtenFrom) {
        timestampColumn.set(timestampsMs.subarray(first, first + count));
        writeTimes(timestampsAt, count, timeTextsAt, digitsAt);
        written = timestampsMs;
        writtenFrom = first;
      }
      valueColumn.set(values.subarray(first, first + count));
      if (first > 0) bytes[at++] = comma;
      at = writeSamples(timeTextsAt, valuesAt, count, at, outEnd - 1, 0, digitsAt, powersAt);
      return first + (progress[0] ?? 0);
    },
    get isFull() {
      return full.length > 0 || at >= outAt + pieceBytes;
    },
    take() {
      cut();
      // A column may be another's memory, or changed, by the time of the next piece.
      written = undefined;
      const taken = full;
      full = [];
      return taken;
    },
  };
}

/** g(k) of the paper for k = -324 … 292: 10^-k scaled to 126 bits and rounded up, in halves of 63 bits. */
function writePowers(halves: BigUint64Array): void {
  const mask = (1n << 63n) - 1n;
  for (let i = 0; i < powerCount; i++) {
    const k = i - 324;
    const scale = floorLog2OfPowerOf10(-k) - 125;
    const numerator = (k < 0 ? 10n ** BigInt(-k) : 1n) << BigInt(Math.max(0, -scale));
    const denominator = (k > 0 ? 10n ** BigInt(k) : 1n) << BigInt(Math.max(0, scale));
    const g = numerator / denominator + 1n;
    halves[2 * i] = g >> 63n;
    halves[2 * i + 1] = g & mask;
  }
}

function floorLog2OfPowerOf10(exponent: number): number {
  return Number((BigInt(exponent) * 913_124_641_741n) >> 38n);
}
