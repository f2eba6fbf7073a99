/** One block, open for reading. */
import { ok, fail, labelValue, type Labels, type Result, type SeriesSource } from "@pleiad/model";
import type { BlockBytes } from "./block-bytes.ts";
import { blockFailureOf, BlockReadError, type BlockFailure } from "./block-failure.ts";
import { openBlockIndex, type BlockIndex } from "./block-index.ts";
import { blockMetaBytesMax, parseBlockMeta, type BlockMeta } from "./block-meta.ts";
import { listLabelNames, listLabelValues, selectSeries, type BlockReader } from "./block-select.ts";
import type { BlockWatch } from "./block-watch.ts";
import { ChunkSegments } from "./chunk-segments.ts";
import { DecodedCache } from "./decoded-cache.ts";
import { FileWindows, type ReadRuns, type WindowedFile } from "./file-windows.ts";
import { parseIndexHeader } from "./index-header.ts";
import { readIndexTables } from "./index-layout.ts";
import { scanSeries, type BlockSeries } from "./series-scan.ts";
import type { SharedCache } from "./shared-cache.ts";
import { noTombstones, parseTombstones, type Tombstones } from "./tombstones.ts";
import type { WantedValues } from "./wanted-values.ts";

/** A block shows only to requests whose `maxResolutionMs` reaches its resolution. */
export interface Block extends SeriesSource {
  readonly meta: BlockMeta;
  readonly tombstones: Tombstones;
  /** False where no series of the block has the values, external labels included. At once: nothing is read. */
  mayHave(wanted: readonly WantedValues[]): boolean;
  /** All symbols, ascending by UTF-8 bytes. */
  symbols(): AsyncIterable<string>;
  /** Every series in label order, read in windows: memory does not grow with the block. Throws BlockReadError. */
  everySeries(signal: AbortSignal): AsyncIterable<BlockSeries>;
  /** Bytes of memory that the open block and its caches hold. */
  heldBytes(): number;
  /** Those of them that it holds as long as it is open: its symbols and label values. */
  tableBytes(): number;
  close(): Promise<void>;
}

export interface BlockOptions {
  /** Attached to every series that is read; where a series has such a label itself, these win. */
  readonly externalLabels: Labels;
  readonly intern: (text: string) => string;
  /** How much of index and chunks may be kept for the next question. */
  readonly cacheBytesMax: number;
  /** A bound on what many blocks keep together, within the bound of each. */
  readonly sharedCache?: SharedCache;
  /** How reads are put together; by default as it suits a disk. */
  readonly readRuns?: ReadRuns;
  readonly watch?: BlockWatch;
  /** What `buildIndexHeader` gave for this block: nothing of the index is read at opening then. Not kept. */
  readonly indexHeader?: Uint8Array;
  /** Awaited between pieces of work, so that others run. */
  readonly yield?: () => Promise<void>;
}

/** How the room for what is kept is shared. */
const tableShare = 0.25;
const decodedShare = 0.4;
const windowShare = 0.35;

const tombstoneBytesMax = 256 * 1024 * 1024;

/** The parts of an open block, for those who look into it. */
export interface OpenBlock {
  readonly name: string;
  readonly meta: BlockMeta;
  readonly index: BlockIndex;
  readonly segments: ChunkSegments;
  readonly cache: DecodedCache;
  readonly windows: FileWindows;
  readonly tombstones: Tombstones;
}

/** Reads meta.json, symbols, postings offsets and tombstones. `bytes` is closed with the block, or here on a failure. */
export async function openBlock(
  bytes: BlockBytes,
  options: BlockOptions,
  signal?: AbortSignal,
): Promise<Result<Block, BlockFailure>> {
  const parts = await openBlockParts(bytes, options, signal);
  if (!parts.ok) return parts;
  const { name, meta, index, segments, cache, windows, tombstones } = parts.value;
  const { externalLabels } = options;
  const forget = () => {
    cache.clear();
    windows.clear();
  };
  const seat = options.sharedCache?.join({
    heldBytes: () => windows.heldBytes + cache.heldBytes,
    // A question that loses what it waited for would read it once more, piece by piece.
    forget: () => {
      if (!windows.isLoading) forget();
    },
  });
  const reader: BlockReader = {
    meta,
    index,
    segments,
    cache,
    externalLabels,
    watch: options.watch,
    settle: seat === undefined ? undefined : () => seat.settle(),
    yield: options.yield,
  };
  return ok({
    meta,
    tombstones,
    mayHave: (wanted) => mayHave(index, externalLabels, wanted),
    symbols: () => index.symbols.all(),
    everySeries: (scanSignal) => scanSeries({ block: name, windows, index, segments }, scanSignal),
    heldBytes: () => windows.heldBytes + cache.heldBytes + index.heldBytes,
    tableBytes: () => index.heldBytes,
    select: (request, selectSignal) => selectSeries(reader, request, selectSignal),
    labelNames: (request, labelSignal) => listLabelNames(reader, request, labelSignal),
    labelValues: (label, request, labelSignal) => listLabelValues(reader, label, request, labelSignal),
    close: () => {
      forget();
      seat?.leave();
      return bytes.close();
    },
  });
}

function mayHave(index: BlockIndex, externalLabels: Labels, wanted: readonly WantedValues[]): boolean {
  if (externalLabels.length === 0) return index.mayHave(wanted);
  const ofSeries: WantedValues[] = [];
  for (const one of wanted) {
    const external = labelValue(externalLabels, one.name);
    if (external === "") ofSeries.push(one);
    else if (!one.values.includes(external)) return false;
  }
  return index.mayHave(ofSeries);
}

export async function openBlockParts(
  bytes: BlockBytes,
  options: BlockOptions,
  signal?: AbortSignal,
): Promise<Result<OpenBlock, BlockFailure>> {
  const { name } = bytes;
  try {
    const meta = await readMeta(bytes, signal);
    const { externalLabels, intern, cacheBytesMax } = options;
    const cache = new DecodedCache(cacheBytesMax * decodedShare);
    const windows = new FileWindows(bytes, cacheBytesMax * windowShare, () => cache.dropChunks(), options.readRuns);
    const sizes = new Map(meta.thanos?.files.map(({ path, sizeBytes }) => [path, sizeBytes]));
    const indexSize = sizes.get("index") ?? (await bytes.sizeOf("index", signal));
    if (indexSize === undefined) throw missing(name, "index");
    const indexFile = windows.add("index", indexSize);
    const tombstones = await readTombstones(bytes, signal);
    const tableBytesMax = cacheBytesMax * tableShare;
    const indexOptions = {
      block: name,
      externalLabels,
      intern,
      tableBytesMax,
      watch: options.watch,
      yield: options.yield,
    };
    const tables =
      options.indexHeader === undefined
        ? await readIndexTables(windows, indexFile, name, signal)
        : parseIndexHeader(options.indexHeader, indexSize, name);
    const index = openBlockIndex(windows, indexFile, tables, cache, tombstones, indexOptions);
    const files: (WindowedFile | undefined)[] = [];
    for (const [path, size] of await chunkFileSizes(bytes, sizes, signal)) {
      files[Number(path.slice("chunks/".length)) - 1] = windows.add(path, size);
    }
    const segments = new ChunkSegments(windows, name, files);
    return ok({ name, meta, index, segments, cache, windows, tombstones });
  } catch (error) {
    const failure = blockFailureOf(name, error, signal);
    // The failure that is told is the first one.
    await bytes.close().catch(() => {});
    return fail(failure);
  }
}

async function readMeta(bytes: BlockBytes, signal?: AbortSignal): Promise<BlockMeta> {
  const content = await bytes.read("meta.json", 0, blockMetaBytesMax + 1, signal);
  const meta = parseBlockMeta(content, bytes.name);
  if (!meta.ok) throw new BlockReadError(meta.failure);
  return meta.value;
}

async function readTombstones(bytes: BlockBytes, signal?: AbortSignal): Promise<Tombstones> {
  const size = await bytes.sizeOf("tombstones", signal);
  if (size === undefined) return noTombstones;
  if (size > tombstoneBytesMax) {
    throw new BlockReadError({ kind: "limit", block: bytes.name, of: "bytes", max: tombstoneBytesMax });
  }
  return parseTombstones(await bytes.read("tombstones", 0, size, signal), bytes.name);
}

/** The chunk files by the list in meta.json, which spares a bucket requests; where it has none, by looking. */
async function chunkFileSizes(
  bytes: BlockBytes,
  listed: ReadonlyMap<string, number | undefined>,
  signal?: AbortSignal,
): Promise<readonly (readonly [path: string, size: number])[]> {
  const sizes: [string, number][] = [];
  for (const [path, size] of listed) {
    if (/^chunks\/(?!000000)\d{6}$/.test(path) && size !== undefined) sizes.push([path, size]);
  }
  if (sizes.length > 0) return sizes;
  for (const file of await bytes.chunkFiles(signal)) {
    const path = `chunks/${file}`;
    const size = await bytes.sizeOf(path, signal);
    if (size !== undefined && file !== "000000") sizes.push([path, size]);
  }
  return sizes;
}

function missing(block: string, file: string): BlockReadError {
  return new BlockReadError({ kind: "corrupt", block, file, offset: 0, reason: "the file is missing" });
}
