/** Which samples of a block count as deleted. Byte layout: docs/format/block.md. */
import { ByteReader, ByteWriter, crc32c } from "@pleiad/chunks";
import { BlockReadError } from "./block-failure.ts";

/** A span of deleted time, both ends inclusive. */
export interface TimeSpan {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
}

/** By series reference; the spans of a series ascend and do not touch. */
export type Tombstones = ReadonlyMap<number, readonly TimeSpan[]>;

const tombstonesMagic = 0x0130ba30;
const tombstonesVersion = 1;
const tombstonesHeaderBytes = 5;

export const noTombstones: Tombstones = new Map();

/** Throws BlockReadError. */
export function parseTombstones(bytes: Uint8Array, block: string): Tombstones {
  const corrupt = (offset: number, reason: string) =>
    new BlockReadError({ kind: "corrupt", block, file: "tombstones", offset, reason });
  if (bytes.length < tombstonesHeaderBytes + 4) throw corrupt(0, "the file is cut short");
  const sumAt = bytes.length - 4;
  const reader = new ByteReader(bytes, 0, sumAt);
  if (reader.u32() !== tombstonesMagic) throw corrupt(0, "these are no tombstones: the magic number differs");
  const version = reader.u8();
  if (version !== tombstonesVersion) {
    throw new BlockReadError({ kind: "unsupported", block, reason: `tombstones version ${version}` });
  }
  if (new ByteReader(bytes, sumAt, bytes.length).u32() !== crc32c(bytes, tombstonesHeaderBytes, sumAt)) {
    throw corrupt(sumAt, "the checksum does not fit");
  }
  const spans = new Map<number, TimeSpan[]>();
  while (!reader.done) {
    const at = reader.at;
    const ref = reader.uvarint();
    const minTimeMs = reader.varint();
    const maxTimeMs = reader.varint();
    if (reader.failed) throw corrupt(at, "a tombstone is cut short");
    if (minTimeMs > maxTimeMs) throw corrupt(at, "a tombstone ends before it begins");
    const others = spans.get(ref);
    if (others === undefined) spans.set(ref, [{ minTimeMs, maxTimeMs }]);
    else others.push({ minTimeMs, maxTimeMs });
  }
  const united = new Map<number, readonly TimeSpan[]>();
  for (const [ref, list] of spans) united.set(ref, uniteSpans(list));
  return united;
}

export function formatTombstones(tombstones: Tombstones): Uint8Array {
  const writer = new ByteWriter(64);
  writer.u32(tombstonesMagic);
  writer.u8(tombstonesVersion);
  for (const [ref, spans] of tombstones) {
    for (const { minTimeMs, maxTimeMs } of spans) {
      writer.uvarint(ref);
      writer.varint(minTimeMs);
      writer.varint(maxTimeMs);
    }
  }
  writer.u32(crc32c(writer.bytes, tombstonesHeaderBytes, writer.length));
  return writer.view().slice();
}

/** Whether one span holds all of a chunk; spans that touch are one. */
export function coversAll(spans: readonly TimeSpan[], minTimeMs: number, maxTimeMs: number): boolean {
  return spans.some((span) => span.minTimeMs <= minTimeMs && span.maxTimeMs >= maxTimeMs);
}

export function touchesAny(spans: readonly TimeSpan[], minTimeMs: number, maxTimeMs: number): boolean {
  return spans.some((span) => span.minTimeMs <= maxTimeMs && span.maxTimeMs >= minTimeMs);
}

function uniteSpans(spans: readonly TimeSpan[]): readonly TimeSpan[] {
  const sorted = [...spans].sort((a, b) => a.minTimeMs - b.minTimeMs);
  const united: TimeSpan[] = [];
  for (const span of sorted) {
    const last = united.at(-1);
    if (last === undefined || span.minTimeMs > last.maxTimeMs + 1) united.push(span);
    else if (span.maxTimeMs > last.maxTimeMs) united[united.length - 1] = { ...last, maxTimeMs: span.maxTimeMs };
  }
  return united;
}
