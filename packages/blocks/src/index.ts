export {
  compileBlockSelector,
  type BlockSelector,
  type BlockSelectorOptions,
  type SelectorRule,
} from "./block-selector.ts";
export { bucketBlockBytes, directoryBlockBytes, type BlockBytes } from "./block-bytes.ts";
export { BlockReadError, formatBlockFailure, sourceFailureOf, type BlockFailure } from "./block-failure.ts";
export {
  createBlockLister,
  defaultBlockLister,
  type BlockLister,
  type BlockListerOptions,
  type BlockListing,
  type ListedBlock,
  type MalformedBlock,
  type MetaCache,
  type PartialBlock,
} from "./block-listing.ts";
export {
  blockMarkFiles,
  blockMarkKinds,
  formatBlockMark,
  parseBlockMark,
  type BlockMark,
  type BlockMarkKind,
} from "./block-mark.ts";
export {
  blockMetaBytesMax,
  formatBlockMeta,
  parseBlockMeta,
  type BlockCompaction,
  type BlockFile,
  type BlockMeta,
  type BlockParent,
  type BlockStats,
  type ThanosMeta,
} from "./block-meta.ts";
export { deleteBlockFolder, listBlockFolders, removeLeftovers, removeTree } from "./block-folder.ts";
export {
  blockBytesInBucket,
  deleteBlock,
  downloadBlock,
  uploadBlock,
  type BlockDownload,
  type BlockUpload,
} from "./block-transfer.ts";
export type { BlockWatch, TouchedKind } from "./block-watch.ts";
export { createBlockWriter, type BlockChunk, type BlockWriter, type BlockWriterOptions } from "./block-writer.ts";
export { withoutDeleted } from "./deleted-samples.ts";
export { openBlock, type Block, type BlockOptions } from "./block.ts";
export type { ReadRuns } from "./file-windows.ts";
export { buildIndexHeader, indexHeaderFile } from "./index-header.ts";
export { KeptFiles, type KeptFilesOptions } from "./kept-files.ts";
export { KeptMetas, type KeptMetasOptions } from "./kept-metas.ts";
export { mergeSources } from "./merged-source.ts";
export type { BlockSeries } from "./series-scan.ts";
export { createSharedCache, type CacheMember, type CacheSeat, type SharedCache } from "./shared-cache.ts";
export type { TimeSpan, Tombstones } from "./tombstones.ts";
export { isUlid, newUlid, ulidTimeMs } from "./ulid.ts";
export { wantedValuesOf, type WantedValues } from "./wanted-values.ts";
export { defaultVerify, verifyBlock, type BlockReport, type VerifyOptions } from "./verify-block.ts";
export { checkWrittenBlock } from "./written-block.ts";
