/** One block of a made-up cluster's history: named by what it holds, so that a second one of the same is the same. */
import { createHash } from "node:crypto";
import {
  createBlockWriter,
  formatBlockFailure,
  newUlid,
  removeTree,
  uploadBlock,
  type BlockChunk,
} from "@pleiad/blocks";
import { encodeXor } from "@pleiad/chunks";
import {
  compareLabels,
  compareText,
  fail,
  labelPairs,
  labelsKey,
  labelsToRecord,
  ok,
  type Labels,
  type Result,
} from "@pleiad/model";
import { seededRandom, type Bucket, type Clock, type FileSystem, type Random } from "@pleiad/ports";
import { timeColumn } from "./made-up-cluster.ts";
import { chunkBounds, scrapeTimes, type PastSeries } from "./past-series.ts";
import type { TimePiece } from "./time-pieces.ts";

/** What all blocks of a cluster have in common. */
export interface HistoryStream {
  readonly externalLabels: Labels;
  readonly series: readonly PastSeries[]; // in label order
  readonly symbols: readonly string[]; // all of the series, sorted
  readonly intervalMs: number;
  readonly offsetMs: number;
}

export function historyStream(
  series: readonly PastSeries[],
  options: Pick<HistoryStream, "externalLabels" | "intervalMs" | "offsetMs">,
): HistoryStream {
  const symbols = new Set<string>();
  for (const { labels } of series) for (const [name, value] of labelPairs(labels)) symbols.add(name).add(value);
  return {
    ...options,
    series: series.toSorted((a, b) => compareLabels(a.labels, b.labels)),
    symbols: [...symbols].sort(compareText),
  };
}

export interface HistoryPorts {
  readonly clock: Clock;
  readonly files: FileSystem;
}

const pieceMs = 10;
const source = "history";

/** Writes a piece, which crosses no block range, and takes it to the bucket. Gives its samples; 0: it has none. */
export async function writeHistoryBlock(
  { externalLabels, series, symbols, intervalMs, offsetMs }: HistoryStream,
  { fromMs, untilMs }: TimePiece,
  to: { readonly bucket: Bucket; readonly workDirectory: string },
  { clock, files }: HistoryPorts,
  signal: AbortSignal,
): Promise<Result<{ readonly samples: number }, string>> {
  const times = timeColumn(scrapeTimes(fromMs, untilMs, intervalMs, offsetMs));
  const { timestampsMs } = times;
  if (timestampsMs.length === 0) return ok({ samples: 0 });
  const ulid = historyUlid(externalLabels, { fromMs, untilMs }, intervalMs);
  const work = withoutSync(files);
  const written = await createBlockWriter(work, symbols, {
    directory: to.workDirectory,
    ulid,
    minTimeMs: fromMs,
    maxTimeMs: untilMs,
    compaction: { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] },
    thanos: {
      labels: labelsToRecord(externalLabels),
      resolutionMs: 0,
      source,
      files: [],
      indexStats: undefined,
      uploadTimeMs: clock.wallMs(),
    },
    chunkFileBytesMax,
  });
  if (!written.ok) return fail(formatBlockFailure(written.failure));
  const writer = written.value;
  const bounds = chunkBounds(timestampsMs);
  const values = new Float64Array(timestampsMs.length);
  let yieldedMs = clock.monotonicMs();
  for (const { labels, fill } of series) {
    fill(times, values);
    const chunks = bounds.map(([from, to]): BlockChunk => ({
      minTimeMs: timestampsMs[from] as number,
      maxTimeMs: timestampsMs[to - 1] as number,
      sampleCount: to - from,
      encoding: 1,
      data: encodeXor(timestampsMs, values, from, to),
    }));
    const added = await writer.add(labels, chunks);
    if (!added.ok) {
      await writer.abort();
      return fail(formatBlockFailure(added.failure));
    }
    if (clock.monotonicMs() - yieldedMs > pieceMs) {
      await clock.yield();
      yieldedMs = clock.monotonicMs();
    }
  }
  const finished = await writer.finish();
  if (!finished.ok) {
    await writer.abort();
    return fail(formatBlockFailure(finished.failure));
  }
  const path = `${to.workDirectory}/${ulid}`;
  try {
    const sent = await uploadBlock({ files: work, path, bucket: to.bucket, signal });
    return sent.ok ? ok({ samples: series.length * timestampsMs.length }) : fail(formatBlockFailure(sent.failure));
  } finally {
    await removeTree(work, path);
  }
}

const chunkFileBytesMax = 512 * 2 ** 20;

/** As if it had been cut when it ended, so that a compactor takes it for as old as it says. The rest is a digest of what it is. */
function historyUlid(labels: Labels, { fromMs, untilMs }: TimePiece, intervalMs: number): string {
  const digest = createHash("sha256")
    .update(`${labelsKey(labels)} ${fromMs} ${untilMs} ${intervalMs}`)
    .digest();
  let at = 0;
  const digestAsChance: Random = { ...seededRandom(0), int: (below) => (digest[at++] as number) % below };
  return newUlid(untilMs, digestAsChance);
}

/** For a folder that nobody reads after a crash. */
function withoutSync(files: FileSystem): FileSystem {
  return {
    ...files,
    open: async (path, mode) => ({ ...(await files.open(path, mode)), datasync: async () => {} }),
    syncDirectory: async () => {},
    writeFileAtomic: async (path, bytes) => {
      const file = await files.open(path, "create-new");
      try {
        await file.append(bytes);
      } finally {
        await file.close();
      }
    },
  };
}
