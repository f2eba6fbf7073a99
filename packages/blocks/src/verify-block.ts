/** Whether a block is what its format promises: everything is read and compared, and what is wrong is told to people. */
import {
  createHistogramColumns,
  createSampleColumns,
  decodeChunk,
  decodeHistogramChunk,
  formatChunkFailure,
  parseAggregateChunk,
} from "@pleiad/chunks";
import {
  emptyLabels,
  formatLabels,
  labelPairs,
  labelsFromSorted,
  ok,
  type ChunkEncoding,
  type Result,
} from "@pleiad/model";

import type { BlockBytes } from "./block-bytes.ts";
import { blockFailureOf, formatBlockFailure, type BlockFailure } from "./block-failure.ts";
import type { BlockMeta, BlockStats } from "./block-meta.ts";
import type { BlockChunk } from "./block-writer.ts";
import { openBlockParts, type OpenBlock } from "./block.ts";
import { faultOfSegmentHeader, segmentHeaderBytes } from "./chunk-record.ts";
import { segmentName } from "./chunk-segments.ts";
import type { Postings } from "./postings.ts";
import { scanSeries } from "./series-scan.ts";

export interface BlockReport {
  /** Undefined where the block does not open. */
  readonly meta: BlockMeta | undefined;
  readonly stats: BlockStats;
  /** Sentences, in the order in which they were found; empty for a good block. */
  readonly findings: readonly string[];
  /** How many more there were than are told. */
  readonly untold: number;
}

export interface VerifyOptions {
  /** The name of the folder, where it should be that of the block. */
  readonly ulid?: string;
  readonly findingsMax: number;
  readonly cacheBytesMax: number;
}

export const defaultVerify: VerifyOptions = { findingsMax: 100, cacheBytesMax: 256 * 1024 * 1024 };

const noStats: BlockStats = {
  numSamples: 0,
  numFloatSamples: 0,
  numHistogramSamples: 0,
  numSeries: 0,
  numChunks: 0,
  numTombstones: 0,
};

/**
 * Reads a whole block: every checksum, the order of symbols, series and chunks, every sample's place in its chunk, the
 * postings of every label, the counts in meta.json. Fails only where files or bucket do, or when it is canceled. It holds a
 * number for each label of each series.
 */
export async function verifyBlock(
  bytes: BlockBytes,
  options: VerifyOptions,
  signal: AbortSignal,
): Promise<Result<BlockReport, BlockFailure>> {
  const findings = new Findings(options.findingsMax);
  const opened = await openBlockParts(
    bytes,
    { externalLabels: emptyLabels, intern: (text) => text, cacheBytesMax: options.cacheBytesMax },
    signal,
  );
  if (!opened.ok) {
    const { failure } = opened;
    if (failure.kind === "unavailable" || failure.kind === "canceled") return opened;
    findings.add(formatBlockFailure(failure));
    return ok({ meta: undefined, stats: noStats, findings: findings.list, untold: findings.untold });
  }
  const block = opened.value;
  const { meta } = block;
  try {
    if (options.ulid !== undefined && options.ulid !== meta.ulid) {
      findings.add(`meta.json is of block ${meta.ulid}, and the folder is called ${options.ulid}`);
    }
    await verifySegments(block, findings, signal);
    const seen = await verifySeries(block, findings, signal);
    if (seen.isWhole) {
      await verifyPostings(block, seen, findings, signal);
      verifyStats(meta, seen.stats, findings);
      for (const ref of block.tombstones.keys()) {
        if (!seen.refs.has(ref)) findings.add(`tombstones: series ${ref} is not in the index`);
      }
    }
    return ok({ meta, stats: seen.stats, findings: findings.list, untold: findings.untold });
  } catch (error) {
    const failure = blockFailureOf(meta.ulid, error, signal);
    if (failure.kind === "unavailable" || failure.kind === "canceled") return { ok: false, failure };
    findings.add(formatBlockFailure(failure));
    return ok({ meta, stats: noStats, findings: findings.list, untold: findings.untold });
  } finally {
    await bytes.close();
  }
}

class Findings {
  readonly list: string[] = [];
  untold = 0;
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  add(text: string): void {
    if (this.list.length < this.#max) this.list.push(text);
    else this.untold++;
  }
}

async function verifySegments(
  { segments, windows }: OpenBlock,
  findings: Findings,
  signal: AbortSignal,
): Promise<void> {
  for (let segment = 0; segment < segments.files.length; segment++) {
    const file = segments.files[segment];
    if (file === undefined) {
      findings.add(`chunks/${segmentName(segment)}: the file is missing, though later ones are there`);
      continue;
    }
    if (file.size < segmentHeaderBytes) {
      findings.add(`${file.name}: the header is cut short`);
      continue;
    }
    const fault = faultOfSegmentHeader(await windows.readPast(file, 0, segmentHeaderBytes, signal));
    if (fault !== undefined) findings.add(`${file.name}: ${fault}`);
  }
}

interface SeenSeries {
  readonly stats: BlockStats;
  readonly refs: ReadonlySet<number>;
  /** References by label name and value, as the series have them. */
  readonly byPair: ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>;
  /** Whether all series could be read. */
  readonly isWhole: boolean;
}

async function verifySeries(block: OpenBlock, findings: Findings, signal: AbortSignal): Promise<SeenSeries> {
  const { meta, tombstones } = block;
  const counts = { samples: 0, histograms: 0, chunks: 0 };
  const refs = new Set<number>();
  const byPair = new Map<string, Map<string, number[]>>();
  let isWhole = true;
  try {
    for await (const { ref, labels, chunks } of scanSeries({ block: block.name, ...block }, signal)) {
      refs.add(ref);
      if (labels.length === 0) findings.add(`index: series ${ref} has no labels`);
      for (const [name, value] of labelPairs(labels)) addRef(byPair, name, value, ref);
      if (chunks.length === 0) findings.add(`${formatLabels(labels)}: no chunks`);
      let before = -Infinity;
      for (const chunk of chunks) {
        counts.chunks++;
        counts.samples += chunk.sampleCount;
        if (isHistogram(chunk.encoding)) counts.histograms += chunk.sampleCount;
        if (chunk.minTimeMs <= before) findings.add(`${formatLabels(labels)}: chunks overlap at ${chunk.minTimeMs}`);
        before = chunk.maxTimeMs;
        if (chunk.minTimeMs < meta.minTimeMs || chunk.maxTimeMs >= meta.maxTimeMs) {
          findings.add(
            `${formatLabels(labels)}: a chunk of ${chunk.minTimeMs} to ${chunk.maxTimeMs} lies outside the block`,
          );
        }
        const fault = chunkFault(chunk);
        if (fault !== undefined) findings.add(`${formatLabels(labels)}: the chunk at ${chunk.minTimeMs}: ${fault}`);
      }
    }
  } catch (error) {
    const failure = blockFailureOf(meta.ulid, error, signal);
    if (failure.kind === "unavailable" || failure.kind === "canceled") throw error;
    findings.add(formatBlockFailure(failure));
    isWhole = false;
  }
  let numTombstones = 0;
  for (const spans of tombstones.values()) numTombstones += spans.length;
  const stats: BlockStats = {
    numSamples: counts.samples,
    numFloatSamples: counts.samples - counts.histograms,
    numHistogramSamples: counts.histograms,
    numSeries: refs.size,
    numChunks: counts.chunks,
    numTombstones,
  };
  return { stats, refs, byPair, isWhole };
}

function addRef(byPair: Map<string, Map<string, number[]>>, name: string, value: string, ref: number): void {
  let values = byPair.get(name);
  if (values === undefined) byPair.set(name, (values = new Map<string, number[]>()));
  const refs = values.get(value);
  if (refs === undefined) values.set(value, [ref]);
  else refs.push(ref);
}

/** What is wrong with the samples of a chunk. */
function chunkFault(chunk: BlockChunk): string | undefined {
  const { encoding, data, minTimeMs, maxTimeMs, sampleCount } = chunk;
  if (encoding === 255) {
    const of = parseAggregateChunk(data);
    if (!of.ok) return formatChunkFailure(of.failure);
    for (const [aggregate, inner] of of.value) {
      const times = timesOf(inner.encoding, inner.data);
      if (!times.ok) return `${aggregate}: ${times.failure}`;
    }
    return undefined;
  }
  const times = timesOf(encoding, data);
  if (!times.ok) return times.failure;
  const { value } = times;
  if (value.length === 0) return "no samples";
  if (value.length !== sampleCount) return `${value.length} samples, said to be ${sampleCount}`;
  for (let i = 1; i < value.length; i++) {
    if ((value[i - 1] as number) >= (value[i] as number)) return `times do not ascend at ${value[i]}`;
  }
  const first = value[0];
  const last = value[value.length - 1];
  if (first !== minTimeMs || last !== maxTimeMs) {
    return `samples of ${first} to ${last}, said to be of ${minTimeMs} to ${maxTimeMs}`;
  }
  return undefined;
}

const columns = createSampleColumns(256);
const histogramColumns = createHistogramColumns(64);

function timesOf(encoding: ChunkEncoding, data: Uint8Array): Result<Float64Array, string> {
  columns.count = 0;
  histogramColumns.count = 0;
  const broken = isHistogram(encoding)
    ? decodeHistogramChunk(encoding, data, histogramColumns)
    : decodeChunk(encoding, data, columns);
  if (broken !== undefined) return { ok: false, failure: formatChunkFailure(broken) };
  const from = isHistogram(encoding) ? histogramColumns : columns;
  return ok(from.timestampsMs.subarray(0, from.count));
}

async function verifyPostings(
  { index }: OpenBlock,
  { refs, byPair }: SeenSeries,
  findings: Findings,
  signal: AbortSignal,
): Promise<void> {
  const compare = (what: string, postings: Postings, wanted: ReadonlySet<number> | readonly number[]) => {
    const list = [...wanted];
    const isSame = postings.length === list.length && list.every((ref, i) => postings[i] === ref);
    if (!isSame) findings.add(`postings of ${what}: ${postings.length} series, and ${list.length} have it`);
  };
  compare("all series", await index.allPostings(signal), refs);
  for (const name of index.table.names) {
    const entries = await index.labelEntries(name, signal);
    const wanted = byPair.get(name);
    for (let i = 0; i < entries.values.length; i++) {
      const value = entries.values[i] as string;
      const postings = await index.postingsAt(entries.offsets[i] as number, signal);
      compare(formatLabels(labelsFromSorted([name, value])), postings, wanted?.get(value) ?? []);
    }
    if (wanted === undefined) continue;
    const listed = new Set(entries.values);
    for (const value of wanted.keys()) if (!listed.has(value)) findings.add(`postings of ${name}=${value} are missing`);
  }
  const names = new Set(index.table.names);
  for (const name of byPair.keys()) if (!names.has(name)) findings.add(`postings of label ${name} are missing`);
}

function verifyStats(meta: BlockMeta, found: BlockStats, findings: Findings): void {
  for (const key of ["numSamples", "numSeries", "numChunks"] as const) {
    if (meta.stats[key] !== found[key]) {
      findings.add(`meta.json says ${key} is ${meta.stats[key]}, and the block has ${found[key]}`);
    }
  }
}

function isHistogram(encoding: BlockChunk["encoding"]): boolean {
  return encoding === 2 || encoding === 3 || encoding === 5 || encoding === 6;
}
