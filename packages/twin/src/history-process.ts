/**
 * A process of the twin that makes up history: for each of its clusters the blocks of the time before what the agent holds
 * itself, put into the bucket. It runs beside the rest at the lowest priority, goes on after a restart where it was, and
 * ends when all is there.
 */
import { constants, setPriority } from "node:os";
import { removeTree } from "@pleiad/blocks";
import type { Plan, PlannedCluster } from "@pleiad/fleet";
import { labelsFromRecord } from "@pleiad/model";
import { createFileBucket } from "@pleiad/objstore";
import type { Bucket, Ports } from "@pleiad/ports";
import { bucketFolderOf } from "@pleiad/role-object-store";
import { runChildProcess } from "./child-process.ts";
import { gapFile, historyFiles, readPieces, writePieces } from "./cluster-past.ts";
import { historyStream, writeHistoryBlock } from "./history-block.ts";
import { madeUpClusterOf, madeUpTarget, scrapeGridOf } from "./made-up-target.ts";
import { objectStoreOf } from "./running-roles.ts";
import { blockRangeMs, pastSeriesOf } from "./past-series.ts";
import { cutPieces, withoutPieces, withPiece, type TimePiece } from "./time-pieces.ts";

/** Clusters under way at once: while one waits for the disk, another is encoded. */
const clustersAtOnce = 4;
const firstPauseMs = 1000;
const pauseMsMax = 60_000;

runChildProcess(async (world) => {
  setPriority(constants.priority.PRIORITY_LOW);
  const { plan, process: name, dataDirectory } = world.order;
  const own = plan.twin.history?.processes.find((one) => one.name === name);
  const store = objectStoreOf(plan);
  if (own === undefined || store === undefined || plan.objectStorage === undefined) {
    throw new Error(`the plan has no process ${name}`);
  }
  const { ports } = world.forRole(name);
  const storeDirectory = `${dataDirectory}/roles/${store.id}`;
  const stopping = new AbortController();
  const history: HistoryWork = {
    plan,
    dataDirectory,
    workDirectory: `${dataDirectory}/history/${name}`,
    // Beside the S3 API: a bucket in a folder may have several writers, and a put is seen whole or not at all.
    bucket: createFileBucket(bucketFolderOf(storeDirectory, plan.objectStorage.bucket), ports.files, ports.clock),
    signal: stopping.signal,
    ports,
  };
  await removeTree(ports.files, history.workDirectory);
  await ports.files.makeDirectory(history.workDirectory);
  const clusters = plan.clusters.filter((cluster) => own.clusters.includes(cluster.name));
  const missing = await Promise.all(clusters.map(async (cluster) => await missingPieces(cluster, history)));
  const total = missing.reduce((sum, pieces) => sum + pieces.length, 0);
  const startedMs = ports.clock.monotonicMs();
  let done = 0;
  let samples = 0;
  world.progress(done, total, "history");

  const queue = clusters.map((cluster, i) => ({ cluster, pieces: missing[i] ?? [] }));
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      for await (const written of writeHistory(next.cluster, next.pieces, history)) {
        samples += written;
        world.progress(++done, total, "history");
      }
    }
  };
  const finished = Promise.all(Array.from({ length: clustersAtOnce }, work)).then(
    () => {
      if (stopping.signal.aborted) return;
      const seconds = Math.round(ports.clock.monotonicMs() - startedMs) / 1000;
      ports.observations.log("info", "The history is whole.", { blocks: total, samples, seconds });
      world.finish();
    },
    (error: unknown) => {
      if (!stopping.signal.aborted) throw error;
    },
  );
  return {
    services: [
      {
        name,
        ready: () => ({ ready: true }),
        stop: async () => {
          stopping.abort();
          await finished;
        },
      },
    ],
  };
});

interface HistoryWork {
  readonly plan: Plan;
  readonly dataDirectory: string;
  readonly workDirectory: string;
  readonly bucket: Bucket;
  readonly signal: AbortSignal;
  readonly ports: Ports;
}

/** What the bucket is to have of a cluster and was not given yet, the oldest first, a piece a block. */
async function missingPieces(
  { name }: PlannedCluster,
  { plan, dataDirectory, ports }: HistoryWork,
): Promise<readonly TimePiece[]> {
  const files = historyFiles(dataDirectory, name);
  const gaps = await gapFile(files.gaps, ports.files).read();
  const written = await readPieces(files.written, ports.files);
  if (!gaps.ok) throw new Error(gaps.failure);
  if (!written.ok) throw new Error(written.failure);
  const spanMs = plan.twin.history?.spanMs ?? 0;
  const fromMs = Math.floor((ports.clock.wallMs() - spanMs) / blockRangeMs) * blockRangeMs;
  const wanted = withoutPieces(gaps.value, [{ fromMs: 0, untilMs: fromMs }]);
  return cutPieces(withoutPieces(wanted, written.value), blockRangeMs);
}

/** Writes the pieces one after the other; gives the samples of each when it is in the bucket and noted. */
async function* writeHistory(
  cluster: PlannedCluster,
  pieces: readonly TimePiece[],
  { plan, dataDirectory, workDirectory, bucket, signal, ports }: HistoryWork,
): AsyncGenerator<number> {
  if (pieces.length === 0) return;
  const { intervalMs, offsetMs } = scrapeGridOf(cluster);
  const stream = historyStream(pastSeriesOf(madeUpClusterOf(cluster), madeUpTarget(cluster)), {
    externalLabels: labelsFromRecord(cluster.externalLabels),
    intervalMs: plan.twin.history?.intervalMs ?? intervalMs,
    offsetMs,
  });
  const ledger = historyFiles(dataDirectory, cluster.name).written;
  const known = await readPieces(ledger, ports.files);
  let written = known.ok ? known.value : [];
  for (const piece of pieces) {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMsMax, pauseMs * 2)) {
      signal.throwIfAborted();
      const block = await writeHistoryBlock(stream, piece, { bucket, workDirectory }, ports, signal);
      if (block.ok) {
        // Behind the block: a crash between the two writes the same block once more, under the same name.
        written = withPiece(written, piece);
        await writePieces(ledger, written, ports.files);
        yield block.value.samples;
        break;
      }
      signal.throwIfAborted();
      ports.observations.log("warn", "A block of the history could not be written; it is tried again.", {
        cluster: cluster.name,
        reason: block.failure,
        pauseMs,
      });
      await ports.clock.sleep(pauseMs, signal);
    }
  }
}
