/** Reading XOR2 chunks: float samples with start timestamps. Byte layout: docs/format/xor2-chunk.md. */
import { staleHigh, staleLow } from "@pleiad/model";
import { BitReader } from "./bit-reader.ts";
import type { ChunkFailure } from "./chunk-failure.ts";
import { reserveSamples, type SampleColumns } from "./sample-columns.ts";
import { StartTimestampReader } from "./start-timestamps.ts";
import { timestampMsMax } from "./xor-decoder.ts";
import { XorFields } from "./xor-fields.ts";

export const xor2HeaderBytes = 3;

const chunkReader = new BitReader();

/** Widths of a change of the time delta, by the ones that its control code starts with. */
const changeWidths = [0, 0, 13, 20, 64] as const;

/** Appends the samples of an XOR2 chunk to `out`; on a failure `out` keeps its count. */
export function decodeXor2(data: Uint8Array, out: SampleColumns): ChunkFailure | undefined {
  if (data.length < xor2HeaderBytes) return { kind: "truncated", bytes: data.length, sampleCount: 0 };
  const sampleCount = (data[0] << 8) | data[1];
  if (sampleCount === 0) return undefined;
  const truncated = { kind: "truncated", bytes: data.length, sampleCount } as const;
  const reader = chunkReader;
  reader.open(data, xor2HeaderBytes);
  // One bit a sample at the least: a count from damaged bytes reserves no memory that the chunk could not fill.
  if (reader.bitsLeft < sampleCount) return truncated;
  reserveSamples(out, sampleCount);

  const starts = new StartTimestampReader(data[2]);
  // Holds the last value that was no staleness marker: what the next one differs from.
  const value = new XorFields(1);
  const { timestampsMs, valueWords, startTimestampsMs } = out;
  let timestampMs = 0;
  let deltaMs = 0;
  for (let i = 0; i < sampleCount; i++) {
    const beforeMs = timestampMs;
    let code: ValueCode = "same";
    if (i === 0) {
      timestampMs = reader.readVarint();
      code = readFirstValue(reader, value);
    } else if (i === 1) {
      deltaMs = reader.readUvarint();
      timestampMs += deltaMs;
      code = readValue(reader, value);
    } else {
      const ones = reader.readOnes(5);
      if (ones === 1) code = readChangedValue(reader, value);
      else if (ones === 5) code = "stale";
      else if (ones > 1) {
        deltaMs += readSigned(reader, changeWidths[ones]);
        code = readValue(reader, value);
      }
      timestampMs += deltaMs;
    }
    const startMs = starts.read(reader, i, timestampMs, beforeMs);
    if (reader.isPastEnd) return truncated;
    if (code === "too-wide") return { kind: "corrupt", reason: `sample ${i} has a value of more than 64 bits` };
    if (reader.isInexact || Math.abs(timestampMs) > timestampMsMax || Math.abs(startMs) > timestampMsMax) {
      return { kind: "corrupt", reason: `the timestamp of sample ${i} is out of range` };
    }
    const at = out.count + i;
    timestampsMs[at] = timestampMs;
    valueWords[2 * at] = code === "stale" ? staleLow : value.words[0];
    valueWords[2 * at + 1] = code === "stale" ? staleHigh : value.words[1];
    if (startTimestampsMs !== undefined) startTimestampsMs[at] = startMs;
  }
  out.count += sampleCount;
  return undefined;
}

/** What became of the value: as it was, changed, a staleness marker that leaves it as it was, or damaged. */
type ValueCode = "same" | "changed" | "stale" | "too-wide";

function readFirstValue(reader: BitReader, value: XorFields): ValueCode {
  value.readWhole(reader, 0);
  if (value.words[0] !== staleLow || value.words[1] !== staleHigh) return "changed";
  value.words.fill(0);
  return "stale";
}

function readValue(reader: BitReader, value: XorFields): ValueCode {
  switch (reader.readOnes(3)) {
    case 0:
      return "same";
    case 1:
      value.readInWindow(reader, 0);
      return "changed";
    case 2:
      return value.readInNewWindow(reader, 0) ? "changed" : "too-wide";
    default:
      return "stale";
  }
}

/** Of a value that is known to have changed. */
function readChangedValue(reader: BitReader, value: XorFields): ValueCode {
  if (reader.readBit() === 1) return value.readInNewWindow(reader, 0) ? "changed" : "too-wide";
  value.readInWindow(reader, 0);
  return "changed";
}

/** An ordinary two's complement, unlike the changes of XOR chunks. */
function readSigned(reader: BitReader, bitCount: number): number {
  if (bitCount === 64) return (reader.read(32) | 0) * 0x100000000 + reader.read(32);
  return (reader.read(bitCount) << (32 - bitCount)) >> (32 - bitCount);
}
