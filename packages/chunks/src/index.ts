export { formatChunkFailure, type ChunkFailure } from "./chunk-failure.ts";
export { chunkSampleCount, decodeChunk } from "./chunk.ts";
export { crc32c } from "./crc32c.ts";
export { createSampleColumns, reserveSamples, type SampleColumns } from "./sample-columns.ts";
export { chunkSamplesMax, createXorAppender, encodeXor, type XorAppender } from "./xor-appender.ts";
export { decodeSnappy } from "./snappy.ts";
export { timestampMsMax } from "./xor-decoder.ts";
