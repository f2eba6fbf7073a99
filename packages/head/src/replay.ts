/**
 * Brings a head back from its directory: closed chunks first, then the checkpoint, then the segments of the log. What a
 * crash tore off is cut off, so that the next replay does not meet it again; what decayed before the end stays, left out.
 * Nothing is taken that fails its checksum.
 */
import { formatLabels, isSortedLabels, labelsFromSorted, type FloatHistogram } from "@pleiad/model";
import type { Ports } from "@pleiad/ports";
import type { ExemplarRing } from "./exemplar-ring.ts";
import { GatheredSamples } from "./gathered-samples.ts";
import { readHeadChunkFile, type ClosedChunk, type HeadChunkFile } from "./head-chunk-file.ts";
import type { HeadChunkWriter } from "./head-chunk-writer.ts";
import type { HeadMemory } from "./head-memory.ts";
import type { HistogramKind } from "./histogram-record.ts";
import type { MemorySeries } from "./memory-series.ts";
import { readRecord, seriesRefMax, type RecordSink } from "./wal-records.ts";
import { SegmentReader } from "./wal-segment.ts";
import type { LogInventory, OutOfOrderSegment } from "./write-ahead-log.ts";

export interface ReplayReport {
  /** Files of closed chunks that are there, by number. */
  readonly chunkFiles: HeadChunkFile[];
  /** Bytes that were cut off at the damaged end of a segment or of a file of closed chunks. */
  repairedBytes: number;
  /** Records of the log that are damaged while others behind them are not. */
  damagedRecords: number;
  /** Samples of series that no record names, or that a later sample of the series had overtaken. */
  skippedSamples: number;
  /** Records and chunks of kinds that are not read. */
  unread: number;
  /** Bytes of the checkpoint and of the segments behind it, as they are now. */
  checkpointBytes: number;
  segmentBytes: number;
  /** Segments of the log of out-of-order samples. */
  readonly outOfOrderSegments: OutOfOrderSegment[];
}

type ReplayPorts = Pick<Ports, "files" | "clock" | "observations">;

export interface ReplayOptions {
  readonly chunkDirectory: string;
  readonly log: LogInventory;
  /** Of samples that came out of order. */
  readonly outOfOrderLog: LogInventory;
  /** Whether damaged ends and drafts are removed; they are passed over in any case. */
  readonly repairs: boolean;
}

/** Samples are taken in pieces of about this many records before others may run. */
const recordsPerPiece = 64;
const samplesPerPiece = 1024;
/** Samples that are gathered at most: 24 bytes each. */
const gatheredMax = 1 << 21;
const pieceMs = 5;

export async function replayHead(
  memory: HeadMemory,
  writer: HeadChunkWriter,
  exemplars: ExemplarRing,
  { chunkDirectory, log, outOfOrderLog, repairs }: ReplayOptions,
  ports: ReplayPorts,
): Promise<ReplayReport> {
  const replay = new Replay(memory, writer, exemplars, repairs, ports);
  await replay.readChunkFiles(chunkDirectory);
  await replay.readLog(log);
  await replay.readOutOfOrderLog(outOfOrderLog);
  replay.finish();
  return replay.report;
}

class Replay implements RecordSink {
  readonly report: ReplayReport = {
    chunkFiles: [],
    repairedBytes: 0,
    damagedRecords: 0,
    skippedSamples: 0,
    unread: 0,
    checkpointBytes: 0,
    segmentBytes: 0,
    outOfOrderSegments: [],
  };
  readonly #memory: HeadMemory;
  readonly #writer: HeadChunkWriter;
  readonly #exemplars: ExemplarRing;
  readonly #gathered = new GatheredSamples();
  readonly #repairs: boolean;
  readonly #ports: ReplayPorts;
  /** Closed chunks of series that no record has named yet. */
  readonly #chunks = new Map<number, ClosedChunk[]>();
  readonly #outOfOrderChunks = new Map<number, ClosedChunk[]>();
  /** Whether the records are of the log of out-of-order samples, and the newest time in its segment. */
  #isOutOfOrder = false;
  #segmentMaxTimeMs = -Infinity;
  #pieceStartMs = 0;
  /** The series of the last sample: a scrape's samples come in the same order every time, a series' in a row. */
  #lastRef = 0;
  #lastSeries: MemorySeries | undefined;
  #senseless: string | undefined;

  constructor(
    memory: HeadMemory,
    writer: HeadChunkWriter,
    exemplars: ExemplarRing,
    repairs: boolean,
    ports: ReplayPorts,
  ) {
    this.#memory = memory;
    this.#writer = writer;
    this.#exemplars = exemplars;
    this.#repairs = repairs;
    this.#ports = ports;
    this.#pieceStartMs = ports.clock.monotonicMs();
  }

  async readChunkFiles(directory: string): Promise<void> {
    const { files, clock } = this.#ports;
    const names = (await files.exists(directory)) ? await files.list(directory) : [];
    if (this.#repairs) {
      for (const name of names) if (/^\d{6,}\.tmp$/.test(name)) await files.unlink(`${directory}/${name}`);
    }
    const numbered = names
      .filter((name) => /^\d{6,}$/.test(name))
      .map((name) => ({ path: `${directory}/${name}`, number: Number(name) }));
    numbered.sort((a, b) => a.number - b.number);
    for (const { path, number } of numbered) {
      const bytes = await files.readFile(path);
      let newestMs = -Infinity;
      const end = readHeadChunkFile(bytes, (ref, chunk, isOutOfOrder) => {
        if (ref < 1 || ref > seriesRefMax) {
          this.report.unread++;
          return;
        }
        this.#memory.reserveRef(ref);
        newestMs = Math.max(newestMs, chunk.maxTimeMs);
        const ofAll = isOutOfOrder ? this.#outOfOrderChunks : this.#chunks;
        const chunks = ofAll.get(ref);
        if (chunks === undefined) ofAll.set(ref, [chunk]);
        else chunks.push(chunk);
      });
      this.report.unread += end.skipped;
      if (end.damage !== undefined) await this.#cutOff(path, end.goodBytes, bytes.length, end.damage);
      const sizeBytes = end.damage === undefined ? bytes.length : end.goodBytes;
      this.report.chunkFiles.push({ number, path, maxTimeMs: newestMs, sizeBytes });
      await clock.yield();
    }
  }

  async readLog(log: LogInventory): Promise<void> {
    const { files, observations } = this.#ports;
    for (const path of log.checkpoint?.paths ?? []) {
      const bytes = await files.readFile(path);
      const end = await this.#readSegment(path, bytes);
      this.report.checkpointBytes += bytes.length;
      if (end.damage !== undefined) {
        // A checkpoint is put in place whole: this is decay, and no end that a crash tore off.
        this.report.damagedRecords++;
        const fields = { path, damage: end.damage, sizeBytes: bytes.length - end.goodBytes };
        observations.log("error", "The end of a checkpoint of the log is damaged: samples are lost.", fields);
      }
    }
    let previous = log.checkpoint?.number;
    for (const { path, number } of log.segments) {
      if (previous !== undefined && number !== previous + 1) {
        observations.log("error", "Segments of the log are missing.", { before: path });
      }
      previous = number;
      const bytes = await files.readFile(path);
      const end = await this.#readSegment(path, bytes);
      this.report.segmentBytes += end.damage === undefined ? bytes.length : end.goodBytes;
      if (end.damage !== undefined) await this.#cutOff(path, end.goodBytes, bytes.length, end.damage);
    }
    await this.#settleGathered();
  }

  /** After the other log, which names the series. */
  async readOutOfOrderLog(log: LogInventory): Promise<void> {
    const { files } = this.#ports;
    this.#isOutOfOrder = true;
    for (const { path, number } of log.segments) {
      this.#segmentMaxTimeMs = -Infinity;
      const bytes = await files.readFile(path);
      const end = await this.#readSegment(path, bytes);
      if (end.damage !== undefined) await this.#cutOff(path, end.goodBytes, bytes.length, end.damage);
      const sizeBytes = end.damage === undefined ? bytes.length : end.goodBytes;
      this.report.outOfOrderSegments.push({ number, path, sizeBytes, maxTimeMs: this.#segmentMaxTimeMs });
    }
  }

  /** Puts every series in the state that samples are appended to, without what is past retention. */
  finish(): void {
    const memory = this.#memory;
    // Files keep longer what the head had dropped: the log until its next checkpoint, chunks until their file expires.
    const cutoffMs = memory.cutoffMs(this.#ports.clock.wallMs());
    const gone = new Set<MemorySeries>();
    memory.minTimeMs = Infinity;
    for (const series of memory.index.all()) {
      memory.expire(series, cutoffMs);
      const undecoded = memory.truncate(series, memory.truncatedBeforeMs, this.#outOfOrderFromMs);
      if (undecoded !== undefined) {
        const fields = { series: formatLabels(series.labels), reason: undecoded.kind };
        this.#ports.observations.log("error", "A closed chunk does not decode: its samples are lost.", fields);
      }
      memory.minTimeMs = Math.min(memory.minTimeMs, series.minTimeMs);
      if (series.isEmpty) gone.add(series);
      const newest = series.closed.at(-1);
      if (newest !== undefined && series.open !== undefined && series.open.count > 0) {
        if (series.open.maxTimeMs < newest.minTimeMs) memory.closeChunk(series, this.#writer);
      }
    }
    memory.forget(gone);
  }

  series(ref: number, labels: string[]): void {
    const flat = labelsFromSorted(labels);
    if (labels.length === 0 || !isSortedLabels(flat)) {
      this.#senseless = "a series whose labels make no sense";
      return;
    }
    const memory = this.#memory;
    memory.reserveRef(ref);
    let series = memory.index.byRef(ref) ?? memory.aliases.get(ref);
    if (series === undefined) {
      series = memory.findOrCreateAs(ref, flat);
      if (series.ref !== ref) memory.aliases.set(ref, series);
      memory.show(series);
    }
    const chunks = this.#chunks.get(ref);
    if (chunks !== undefined) {
      this.#chunks.delete(ref);
      memory.attach(series, chunks);
    }
    const outOfOrderChunks = this.#outOfOrderChunks.get(ref);
    if (outOfOrderChunks !== undefined) {
      this.#outOfOrderChunks.delete(ref);
      memory.attachOutOfOrder(series, outOfOrderChunks);
    }
    this.#lastRef = 0;
  }

  sample(ref: number, timestampMs: number, high: number, low: number): void {
    if (timestampMs < (this.#isOutOfOrder ? this.#outOfOrderFromMs : this.#memory.truncatedBeforeMs)) return;
    if (!this.#isOutOfOrder) {
      // Of one series whatever it is called: its samples stay in their order.
      const { aliases } = this.#memory;
      const ownRef = aliases.size === 0 ? ref : (aliases.get(ref)?.ref ?? ref);
      return this.#gathered.add(ownRef, timestampMs, high, low);
    }
    const series = this.#seriesOf(ref);
    if (series === undefined) return;
    this.#segmentMaxTimeMs = Math.max(this.#segmentMaxTimeMs, timestampMs);
    // Closed chunks have some already.
    this.#memory.appendOutOfOrder(series, timestampMs, high, low, this.#writer);
  }

  histogram(ref: number, timestampMs: number, histogram: FloatHistogram, kind: HistogramKind): void {
    if (timestampMs < this.#memory.truncatedBeforeMs) return;
    // Of the same series, perhaps.
    for (const _ of this.#appendGathered());
    const series = this.#seriesOf(ref);
    if (series === undefined) return;
    if (this.#isOutOfOrder) this.report.skippedSamples++;
    else if (this.#isNews(series, timestampMs)) {
      this.#memory.appendHistogram(series, timestampMs, histogram, kind, this.#writer);
    }
  }

  exemplar(ref: number, timestampMs: number, value: number, labels: string[]): void {
    const series = this.#memory.index.byRef(ref) ?? this.#memory.aliases.get(ref);
    const flat = labelsFromSorted(labels);
    // Checkpoints and the segments behind them tell some twice: the ring takes them once.
    if (series !== undefined && isSortedLabels(flat)) this.#exemplars.add(series, { timestampMs, value, labels: flat });
  }

  /** A Prometheus takes samples out of order below the end of its blocks: who only looks sees them. */
  get #outOfOrderFromMs(): number {
    return this.#repairs ? this.#memory.truncatedBeforeMs : -Infinity;
  }

  /** Appends what is gathered, series by series; where it stops others may run. */
  *#appendGathered(): Generator<void> {
    const gathered = this.#gathered;
    if (gathered.count === 0) return;
    const { refs, timestampsMs, words } = gathered;
    const memory = this.#memory;
    const places = gathered.placesByRef();
    gathered.clear();
    for (let i = 0; i < places.length; i++) {
      const place = places[i] ?? 0;
      const series = this.#seriesOf(refs[place] ?? 0);
      if (series === undefined) continue;
      const timestampMs = timestampsMs[place] ?? 0;
      if (this.#isNews(series, timestampMs)) {
        memory.append(series, timestampMs, words[2 * place] ?? 0, words[2 * place + 1] ?? 0, this.#writer);
      }
      if (i % samplesPerPiece === 0) yield;
    }
  }

  async #settleGathered(): Promise<void> {
    const { clock } = this.#ports;
    for (const _ of this.#appendGathered()) {
      if (clock.monotonicMs() - this.#pieceStartMs <= pieceMs) continue;
      await clock.yield();
      this.#pieceStartMs = clock.monotonicMs();
    }
  }

  #seriesOf(ref: number): MemorySeries | undefined {
    const memory = this.#memory;
    if (ref !== this.#lastRef) {
      this.#lastRef = ref;
      this.#lastSeries = memory.index.byRef(ref) ?? memory.aliases.get(ref);
      if (this.#lastSeries === undefined) memory.reserveRef(ref);
    }
    if (this.#lastSeries === undefined) this.report.skippedSamples++;
    return this.#lastSeries;
  }

  /** Whether a sample of the log is one that the series lacks; it may then be appended. */
  #isNews(series: MemorySeries, timestampMs: number): boolean {
    const { open } = series;
    const openMaxMs = open !== undefined && open.count > 0 ? open.maxTimeMs : -Infinity;
    // Checkpoints and the segments behind them tell some samples twice.
    if (timestampMs <= openMaxMs) return false;
    const newest = series.closed.at(-1);
    if (newest !== undefined && openMaxMs < newest.maxTimeMs) {
      if (series.covers(timestampMs)) return false;
      // A chunk between the open one and this sample: a damaged file lost what was before it, and the log has it still.
      const isBetween = series.closed.some((chunk) => chunk.minTimeMs > openMaxMs && chunk.maxTimeMs < timestampMs);
      if (openMaxMs > -Infinity && isBetween) this.#memory.closeChunk(series, this.#writer);
    }
    return true;
  }

  unread(): void {
    this.report.unread++;
  }

  async #readSegment(path: string, bytes: Uint8Array): Promise<SegmentReader> {
    const { clock, observations } = this.#ports;
    const reader = new SegmentReader(bytes);
    for (let records = 1; reader.next(); records++) {
      const damage = readRecord(reader.record, reader.from, reader.to, this) ?? this.#senseless;
      if (damage !== undefined) {
        this.#senseless = undefined;
        reader.leaveOut(damage);
      }
      if (this.#gathered.count >= gatheredMax) await this.#settleGathered();
      if (records % recordsPerPiece === 0 && clock.monotonicMs() - this.#pieceStartMs > pieceMs) {
        await clock.yield();
        this.#pieceStartMs = clock.monotonicMs();
      }
    }
    const { damagedRecords, firstDamage } = reader;
    if (firstDamage !== undefined) {
      this.report.damagedRecords += damagedRecords;
      const fields = { path, records: damagedRecords, damage: firstDamage };
      observations.log("error", "Records of the log are damaged: samples are lost.", fields);
    }
    return reader;
  }

  async #cutOff(path: string, goodBytes: number, sizeBytes: number, damage: string): Promise<void> {
    const { files, observations } = this.#ports;
    this.report.repairedBytes += sizeBytes - goodBytes;
    const fields = { path, damage, keptBytes: goodBytes, droppedBytes: sizeBytes - goodBytes };
    if (!this.#repairs) return observations.log("warn", "The end of a file is damaged, and passed over.", fields);
    const file = await files.open(path, "append");
    await file.truncate(goodBytes);
    await file.datasync();
    await file.close();
    observations.log("warn", "The damaged end of a file is cut off.", fields);
  }
}
