/**
 * A checkpoint stands for all segments of the log up to a number: every live series, the samples of its open chunk, and the
 * exemplars that are kept.
 * Closed chunks lie in files of their own and must be durable before the segments go.
 */
import {
  ByteWriter,
  createHistogramColumns,
  createSampleColumns,
  decodeChunk,
  decodeHistogramChunk,
} from "@pleiad/chunks";
import type { Clock, FileSystem } from "@pleiad/ports";
import type { ExemplarRing } from "./exemplar-ring.ts";
import type { HeadMemory } from "./head-memory.ts";
import { isOpenHistogram } from "./memory-series.ts";
import {
  histogramRecordType,
  recordExemplars,
  recordSamples,
  recordSeries,
  writeBase,
  writeExemplar,
  writeHistogramSample,
  writeSample,
  writeSeries,
} from "./wal-records.ts";
import { frameRecord } from "./wal-segment.ts";
import { checkpointName, RecordBatch, removeEntries, segmentName } from "./write-ahead-log.ts";

const recordBytesUsual = 64 * 1024;
const appendBytesUsual = 1024 * 1024;
const pieceMs = 5;

/**
 * Writes the checkpoint of number `number` and puts it in place. Commits may go on meanwhile: what they add is in later
 * segments. `settle` is awaited before it counts: it makes closed chunks durable. Gives its size in bytes.
 */
export async function writeCheckpoint(
  memory: HeadMemory,
  exemplars: ExemplarRing,
  directory: string,
  number: number,
  ports: { readonly files: FileSystem; readonly clock: Clock },
  settle: () => Promise<void>,
): Promise<number> {
  const { files } = ports;
  const target = `${directory}/${checkpointName(number)}`;
  const draft = `${target}.tmp`;
  const discard = async () => await removeEntries(files, [{ kind: "directory", path: draft }]);
  await discard();
  try {
    await files.makeDirectory(draft);
    const sizeBytes = await writeRecords(memory, exemplars, `${draft}/${segmentName(0)}`, ports);
    await settle();
    await files.syncDirectory(draft);
    await files.rename(draft, target);
    await files.syncDirectory(directory);
    return sizeBytes;
  } catch (error) {
    // A full disk is not to keep half a checkpoint. What cannot be removed now is removed before the next one.
    await discard().catch(() => {});
    throw error;
  }
}

/** Writes all records to a new file, durably. Gives its size in bytes. */
async function writeRecords(
  memory: HeadMemory,
  exemplars: ExemplarRing,
  path: string,
  { files, clock }: { readonly files: FileSystem; readonly clock: Clock },
): Promise<number> {
  const file = await files.open(path, "create-new");
  try {
    let position = 0;
    const framed = new ByteWriter(recordBytesUsual);
    const flush = async () => {
      if (framed.length === 0) return;
      await file.append(framed.view());
      position += framed.length;
      framed.clear();
    };
    let pieceStartMs = clock.monotonicMs();
    for (const batch of recordsOf(memory, exemplars)) {
      let from = 0;
      for (const to of batch.ends) {
        frameRecord(framed, position, batch.writer.bytes, from, to);
        from = to;
      }
      if (framed.length >= appendBytesUsual) await flush();
      if (clock.monotonicMs() - pieceStartMs > pieceMs) {
        await clock.yield();
        pieceStartMs = clock.monotonicMs();
      }
    }
    await flush();
    await file.datasync();
    return position;
  } finally {
    await file.close();
  }
}

/** All records, in batches of about one record or a few: series first, so that every sample finds its own. */
function* recordsOf(memory: HeadMemory, exemplars: ExemplarRing): Generator<RecordBatch> {
  const batch = new RecordBatch();
  const { writer } = batch;
  const ended = () => endedBatch(batch);
  for (const series of memory.index.all()) {
    if (!series.isLogged) continue;
    if (writer.length === 0) writer.u8(recordSeries);
    writeSeries(writer, series.ref, memory.ownLabels(series));
    if (writer.length >= recordBytesUsual) yield* ended();
  }
  yield* ended();
  for (const [ref, series] of memory.aliases) {
    writer.u8(recordSeries);
    writeSeries(writer, ref, memory.ownLabels(series));
    yield* ended();
  }
  yield* floatsOf(memory, batch);
  yield* histogramsOf(memory, batch);
  let baseRef = 0;
  let baseMs = 0;
  for (const { series, exemplar } of exemplars.inOrder()) {
    if (series.isForgotten) continue;
    if (writer.length === 0) {
      baseRef = series.ref;
      baseMs = exemplar.timestampMs;
      writeBase(writer, recordExemplars, baseRef, baseMs);
    }
    writeExemplar(writer, series.ref - baseRef, exemplar, baseMs);
    if (writer.length >= recordBytesUsual) yield* ended();
  }
  yield* ended();
}

/** The floats of open chunks. */
function* floatsOf(memory: HeadMemory, batch: RecordBatch): Generator<RecordBatch> {
  const { writer } = batch;
  const columns = createSampleColumns(256);
  let baseRef = 0;
  let baseMs = 0;
  for (const { ref, open, isLogged } of memory.index.all()) {
    if (open === undefined || open.count === 0 || isOpenHistogram(open) || !isLogged) continue;
    columns.count = 0;
    const failure = decodeChunk(1, open.bytes(), columns);
    if (failure !== undefined) throw new Error(`an open chunk of the head does not decode: ${failure.kind}`);
    const { timestampsMs, valueWords, count } = columns;
    if (writer.length === 0) {
      baseRef = ref;
      baseMs = timestampsMs[0] ?? 0;
      writeBase(writer, recordSamples, baseRef, baseMs);
    }
    for (let i = 0; i < count; i++) {
      const timestampMs = timestampsMs[i] ?? 0;
      writeSample(writer, ref - baseRef, timestampMs - baseMs, valueWords[2 * i + 1] ?? 0, valueWords[2 * i] ?? 0);
    }
    if (writer.length >= recordBytesUsual) yield* endedBatch(batch);
  }
  yield* endedBatch(batch);
}

/** The histograms of open chunks, a record a series: those of one chunk are of one type. */
function* histogramsOf(memory: HeadMemory, batch: RecordBatch): Generator<RecordBatch> {
  const { writer } = batch;
  for (const { ref, open, isLogged } of memory.index.all()) {
    if (open === undefined || open.count === 0 || !isOpenHistogram(open) || !isLogged) continue;
    const columns = createHistogramColumns(open.count);
    const failure = decodeHistogramChunk(open.encoding, open.bytes(), columns);
    if (failure !== undefined) throw new Error(`an open chunk of the head does not decode: ${failure.kind}`);
    const kind = open.encoding === 2 ? "integer" : "float";
    let openType = 0;
    const baseMs = open.minTimeMs;
    for (let i = 0; i < columns.count; i++) {
      const histogram = columns.histograms[i];
      if (histogram === undefined) continue;
      const type = histogramRecordType(kind, histogram);
      // A staleness marker has no bounds.
      if (type !== openType) batch.endRecord();
      if (batch.openBytes === 0) writeBase(writer, type, ref, baseMs);
      openType = type;
      writeHistogramSample(writer, 0, (columns.timestampsMs[i] ?? 0) - baseMs, histogram, kind);
    }
    yield* endedBatch(batch);
  }
}

function* endedBatch(batch: RecordBatch): Generator<RecordBatch> {
  batch.endRecord();
  if (!batch.isEmpty) yield batch;
  batch.clear();
}
