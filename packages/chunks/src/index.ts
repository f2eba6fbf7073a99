export { aggregateEncoding, aggregates, encodeAggregateChunk, parseAggregateChunk } from "./aggregate-chunk.ts";
export { ByteReader } from "./byte-reader.ts";
export { ByteWriter } from "./byte-writer.ts";
export { formatChunkFailure, type ChunkFailure } from "./chunk-failure.ts";
export { chunkSampleCount, decodeChunk, decodeHistogramChunk } from "./chunk.ts";
export { CounterJoin } from "./counter-join.ts";
export { crc32c } from "./crc32c.ts";
export {
  createHistogramAppender,
  encodeFloatHistograms,
  encodeIntegerHistograms,
  type HistogramAppender,
  type HistogramChunk,
  type WrittenHistogramEncoding,
} from "./histogram-appender.ts";
export {
  createHistogramColumns,
  isStaleHistogram,
  reserveHistograms,
  staleHistogram,
  type HistogramColumns,
} from "./histogram-columns.ts";
export {
  chunkCounterReset,
  decodeHistograms,
  histogramCountMax,
  isHistogramEncoding,
  type HistogramEncoding,
} from "./histogram-decoder.ts";
export { isKnownSchema } from "./histogram-layout.ts";
export {
  createReplicaPicks,
  mergeFloatReplicas,
  pickReplicaSamples,
  type ReplicaMerge,
  type ReplicaPicks,
  type TimedColumns,
} from "./replica-merge.ts";
export { createSampleColumns, reserveSamples, type SampleColumns } from "./sample-columns.ts";
export { OpenChunkRoom } from "./open-chunk-room.ts";
export { chunkSamplesMax, createXorAppender, encodeXor, type XorAppender } from "./xor-appender.ts";
export { decodeSnappy } from "./snappy.ts";
export { decodeSnappyBlock, encodeSnappyBlock, snappyBlockLength } from "./snappy-block.ts";
export { decodeSnappyFrames, encodeSnappyFrames, readSnappyFrames, type SnappyFailure } from "./snappy-frames.ts";
export { timestampMsMax } from "./xor-decoder.ts";
export { encodeXor2 } from "./xor2-encoder.ts";
export { createSharedMemory, instantiateWasm, memoryPageBytes, type SharedMemory, type WasmFunction } from "./wasm.ts";
export {
  createXorBulkDecoder,
  xorBulkFailure,
  xorBulkRow,
  xorBulkRowBytes,
  xorBulkSlackBytes,
  type XorBulkDecoder,
  type XorBulkRegions,
} from "./xor-bulk.ts";
