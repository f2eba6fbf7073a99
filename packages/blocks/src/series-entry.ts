/** The entry of one series in an index. Byte layout: docs/format/block.md. */
import { ByteReader, crc32c } from "@pleiad/chunks";

/** An entry with its texts still as symbols. One object serves entry after entry. */
export interface SeriesEntry {
  /** Name, value, name, value … */
  readonly symbols: number[];
  /** Three numbers a chunk: first time, last time, reference. */
  readonly chunks: number[];
}

/** More than Prometheus lets through; a damaged count must not reserve memory. */
const entryBytesMax = 64 * 1024 * 1024;

export type EntryOutcome =
  /** Read; the entry ends before `end`, an offset into the bytes. */
  | { readonly kind: "read"; readonly end: number }
  /** `need` bytes from its start are needed to tell. */
  | { readonly kind: "short"; readonly need: number }
  | { readonly kind: "corrupt"; readonly reason: string };

/** Reads the entry at `at` of `bytes` into `out`. */
export function parseSeriesEntry(bytes: Uint8Array, at: number, out: SeriesEntry): EntryOutcome {
  const head = new ByteReader(bytes, at, bytes.length);
  const length = head.uvarint();
  if (head.failed) {
    return at + 10 > bytes.length ? { kind: "short", need: 10 } : corrupt("its length is no number");
  }
  if (length > entryBytesMax) return corrupt(`a series entry of ${length} bytes`);
  const from = head.at;
  const to = from + length;
  if (to + 4 > bytes.length) return { kind: "short", need: to + 4 - at };
  head.at = to;
  if (head.u32() !== crc32c(bytes, from, to)) return corrupt("the checksum of a series does not fit");
  const reader = new ByteReader(bytes, from, to);
  const { symbols, chunks } = out;
  symbols.length = 0;
  chunks.length = 0;
  for (let left = reader.uvarint(); left > 0 && !reader.failed; left--) {
    symbols.push(reader.uvarint(), reader.uvarint());
  }
  let minTimeMs = 0;
  let maxTimeMs = 0;
  let ref = 0;
  const chunkCount = reader.uvarint();
  for (let k = 0; k < chunkCount && !reader.failed; k++) {
    minTimeMs = k === 0 ? reader.varint() : maxTimeMs + reader.uvarint();
    maxTimeMs = minTimeMs + reader.uvarint();
    ref = k === 0 ? reader.uvarint() : ref + reader.varint();
    if (ref < 0 || !Number.isSafeInteger(maxTimeMs)) return corrupt("a chunk of a series lies nowhere");
    chunks.push(minTimeMs, maxTimeMs, ref);
  }
  if (reader.failed || !reader.done) return corrupt("a series entry does not fill its length");
  return { kind: "read", end: to + 4 };
}

function corrupt(reason: string): EntryOutcome {
  return { kind: "corrupt", reason };
}
