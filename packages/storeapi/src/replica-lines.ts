/** The chunks of one series that several replicas have, told apart: each line of chunks stands for one replica. */
import {
  createHistogramColumns,
  createSampleColumns,
  decodeChunk,
  decodeHistogramChunk,
  isHistogramEncoding,
  type HistogramColumns,
  type SampleColumns,
  type TimedColumns,
} from "@pleiad/chunks";
import { compareChunks, type Aggregate, type EncodedChunk, type SourceChunk } from "@pleiad/model";

export type DecodedSamples =
  | { readonly kind: "floats"; readonly columns: SampleColumns; readonly encoding: EncodedChunk["encoding"] }
  | { readonly kind: "histograms"; readonly columns: HistogramColumns; readonly encoding: EncodedChunk["encoding"] };

/** A chunk with its samples; of a downsampled one, the windows, all aggregates but `counter` at the same times. */
export interface DecodedChunk {
  readonly chunk: SourceChunk;
  readonly times: TimedColumns;
  readonly raw: DecodedSamples | undefined;
  readonly aggregates: ReadonlyMap<Aggregate, DecodedSamples>;
}

export type ReplicaLine = readonly DecodedChunk[];

/** Whether any two of the chunks, which are sorted by their first time, share time. */
export function haveOverlap(chunks: readonly SourceChunk[]): boolean {
  for (let i = 1, endMs = chunks[0]?.maxTimeMs ?? 0; i < chunks.length; i++) {
    const { minTimeMs, maxTimeMs } = chunks[i] as SourceChunk;
    if (minTimeMs <= endMs) return true;
    endMs = Math.max(endMs, maxTimeMs);
  }
  return false;
}

/** Undefined where the chunk is damaged, or of a kind that is not known: who reads it next says so. */
export function decodeSourceChunk(chunk: SourceChunk): DecodedChunk | undefined {
  const { content } = chunk;
  if (content.kind === "raw") {
    const raw = decodeSamples(content);
    return raw === undefined ? undefined : { chunk, times: raw.columns, raw, aggregates: new Map() };
  }
  const aggregates = new Map<Aggregate, DecodedSamples>();
  let times: TimedColumns | undefined;
  for (const [aggregate, encoded] of content.of) {
    const decoded = decodeSamples(encoded);
    if (decoded === undefined) return undefined;
    aggregates.set(aggregate, decoded);
    if (aggregate === "counter") continue;
    if (times !== undefined && !haveSameTimes(times, decoded.columns)) return undefined;
    times = decoded.columns;
  }
  times ??= aggregates.get("counter")?.columns;
  return times === undefined ? undefined : { chunk, times, raw: undefined, aggregates };
}

function decodeSamples({ encoding, data }: EncodedChunk): DecodedSamples | undefined {
  const starts = { startTimestamps: encoding > 3 };
  if (isHistogramEncoding(encoding)) {
    const columns = createHistogramColumns(0, starts);
    return decodeHistogramChunk(encoding, data, columns) === undefined
      ? { kind: "histograms", columns, encoding }
      : undefined;
  }
  const columns = createSampleColumns(120, starts);
  return decodeChunk(encoding, data, columns) === undefined ? { kind: "floats", columns, encoding } : undefined;
}

function haveSameTimes(a: TimedColumns, b: TimedColumns): boolean {
  if (a.count !== b.count) return false;
  for (let i = 0; i < a.count; i++) if (a.timestampsMs[i] !== b.timestampsMs[i]) return false;
  return true;
}

/**
 * Chunks that are sorted by their times, those of the same times by what is in them: the most samples first, then by bytes.
 * Which replica is read first so depends on nothing but the replicas, whoever brings them and in which order.
 */
export function inOwnOrder(chunks: readonly DecodedChunk[]): readonly DecodedChunk[] {
  const areTied = chunks.some(
    (one, i) => i > 0 && compareChunks((chunks[i - 1] as DecodedChunk).chunk, one.chunk) === 0,
  );
  if (!areTied) return chunks;
  return chunks.toSorted(
    (a, b) =>
      compareChunks(a.chunk, b.chunk) ||
      b.times.count - a.times.count ||
      compareBytes(bytesOf(a.chunk), bytesOf(b.chunk)),
  );
}

function bytesOf({ content }: SourceChunk): Uint8Array {
  if (content.kind === "raw") return content.data;
  const [first] = content.of.values();
  return first?.data ?? new Uint8Array(0);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** As Thanos tells them apart: a chunk goes on in the first line that ends before it. `chunks` by their first time. */
export function linesWithoutOverlap(chunks: readonly DecodedChunk[]): readonly ReplicaLine[] {
  return assign(chunks, () => "different");
}

/**
 * A chunk goes on in the line of which it has copies, else in the first that it does not contradict. So copies of one
 * replica's samples, from its head and from a bucket, or from receivers that got the same request, are one line, and what one
 * of them lacks the other one fills.
 */
export function linesWithoutContradiction(chunks: readonly DecodedChunk[]): readonly ReplicaLine[] {
  return assign(chunks, compareOverlap);
}

/** What two chunks have where they share time: samples of the same scrapes, of others, or one of them has none there. */
type Overlap = "copies" | "different" | "silent";

interface OpenLine {
  readonly chunks: DecodedChunk[];
  /** Those that may share time with what comes. */
  open: readonly DecodedChunk[];
}

function assign(
  chunks: readonly DecodedChunk[],
  compare: (a: DecodedChunk, b: DecodedChunk) => Overlap,
): readonly ReplicaLine[] {
  const lines: OpenLine[] = [];
  for (const chunk of chunks) {
    let free: OpenLine | undefined;
    for (const line of lines) {
      // What has ended before this chunk has ended before all that follow.
      line.open = line.open.filter((one) => one.chunk.maxTimeMs >= chunk.chunk.minTimeMs);
      const overlaps = line.open.map((one) => compare(one, chunk));
      if (overlaps.includes("different")) continue;
      if (overlaps.includes("copies")) {
        free = line;
        break;
      }
      free ??= line;
    }
    if (free === undefined) lines.push({ chunks: [chunk], open: [chunk] });
    else {
      free.chunks.push(chunk);
      free.open = [...free.open, chunk];
    }
  }
  return lines.map((line) => line.chunks);
}

/** Copies have at least half of their samples at the same milliseconds; replicas that scrape on their own have none. */
function compareOverlap(a: DecodedChunk, b: DecodedChunk): Overlap {
  const fromMs = Math.max(a.chunk.minTimeMs, b.chunk.minTimeMs);
  const toMs = Math.min(a.chunk.maxTimeMs, b.chunk.maxTimeMs);
  let [i, j] = [firstFrom(a.times, fromMs), firstFrom(b.times, fromMs)];
  let [ofA, ofB, same] = [0, 0, 0];
  for (;;) {
    const timeA = timeAt(a.times, i);
    const timeB = timeAt(b.times, j);
    const timeMs = Math.min(timeA, timeB);
    if (timeMs > toMs) break;
    if (timeA === timeMs) {
      ofA++;
      i++;
    }
    if (timeB === timeMs) {
      ofB++;
      j++;
    }
    if (timeA === timeB) same++;
  }
  const fewest = Math.min(ofA, ofB);
  if (fewest === 0) return "silent";
  return 2 * same >= fewest ? "copies" : "different";
}

const timeAt = ({ timestampsMs, count }: TimedColumns, i: number) =>
  i < count ? (timestampsMs[i] ?? Infinity) : Infinity;

function firstFrom(times: TimedColumns, fromMs: number): number {
  let i = 0;
  while (timeAt(times, i) < fromMs) i++;
  return i;
}

/** What `read` makes of each of them; undefined where it makes nothing of one. */
export function allOf<A, B>(items: readonly A[], read: (item: A) => B | undefined): readonly B[] | undefined {
  const all: B[] = [];
  for (const item of items) {
    const one = read(item);
    if (one === undefined) return undefined;
    all.push(one);
  }
  return all;
}
