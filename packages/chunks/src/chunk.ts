/** Chunks of any encoding: the door of this package for readers. */
import type { ChunkEncoding } from "@pleiad/model";
import type { ChunkFailure } from "./chunk-failure.ts";
import type { HistogramColumns } from "./histogram-columns.ts";
import { decodeHistograms, isHistogramEncoding } from "./histogram-decoder.ts";
import type { SampleColumns } from "./sample-columns.ts";
import { decodeXor } from "./xor-decoder.ts";
import { decodeXor2 } from "./xor2-decoder.ts";

const encodingNames: Readonly<Record<ChunkEncoding, string>> = {
  1: "XOR",
  2: "native histogram",
  3: "native float histogram",
  4: "XOR2",
  5: "native histogram with start timestamps",
  6: "native float histogram with start timestamps",
};

/**
 * Appends the samples of a chunk to `out`, which grows as needed; on a failure `out` keeps what it had. That timestamps
 * ascend is not checked: the checksum around the chunk is the guard against damage.
 */
export function decodeChunk(encoding: ChunkEncoding, data: Uint8Array, out: SampleColumns): ChunkFailure | undefined {
  if (encoding === 1) {
    const from = out.count;
    const failure = decodeXor(data, out);
    out.startTimestampsMs?.fill(0, from, out.count);
    return failure;
  }
  if (encoding === 4) return decodeXor2(data, out);
  const name: string | undefined = encodingNames[encoding];
  return { kind: "unsupported-encoding", encoding, name: name ?? `unknown (${String(encoding)})` };
}

/**
 * Appends the histograms of a chunk of encoding 2, 3, 5 or 6 to `out`, which grows as needed; on a failure `out` keeps what
 * it had. A chunk of floats is refused by name, as `decodeChunk` refuses one of histograms.
 */
export function decodeHistogramChunk(
  encoding: ChunkEncoding,
  data: Uint8Array,
  out: HistogramColumns,
): ChunkFailure | undefined {
  if (isHistogramEncoding(encoding)) return decodeHistograms(encoding, data, out);
  return { kind: "unsupported-encoding", encoding, name: encodingNames[encoding] };
}

/** The number of samples that a chunk's first two bytes tell; 0 where there are none. */
export function chunkSampleCount(data: Uint8Array, encoding: ChunkEncoding = 1): number {
  if (data.length < 2) return 0;
  // Where histograms have start timestamps, the upper two bits tell of counter resets.
  return ((data[0] << 8) | data[1]) & (encoding >= 5 ? 0x3fff : 0xffff);
}
