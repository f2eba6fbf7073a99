export type { BlockBytes } from "./block-bytes.ts";
export type { BlockFailure } from "./block-failure.ts";
export type { BlockCompaction, BlockFile, BlockMeta, BlockParent, BlockStats, ThanosMeta } from "./block-meta.ts";
export type { BlockChunk, BlockWriter, BlockWriterOptions } from "./block-writer.ts";
export { BlockReadError, type Block, type BlockOptions, type BlockSeries } from "./block.ts";
