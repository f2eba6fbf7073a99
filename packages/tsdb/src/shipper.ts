/**
 * Takes the blocks of a data folder to a bucket, each once: of a Pleiad or, beside it, of a Prometheus. What is in the
 * bucket is kept in thanos.shipper.json; where that is lost the bucket itself is asked.
 */
import {
  blockMarkFiles,
  defaultVerify,
  directoryBlockBytes,
  formatBlockFailure,
  uploadBlock,
  verifyBlock,
  type BlockFailure,
  type BlockMeta,
} from "@pleiad/blocks";
import { labelsToRecord, type Labels } from "@pleiad/model";
import {
  BucketError,
  FileError,
  sleepUnlessAborted,
  type Bucket,
  type BucketErrorKind,
  type Counter,
  type Gauge,
  type Ports,
} from "@pleiad/ports";
import { listFolder, readBlockMeta } from "./data-folder.ts";
import { formatShipperMeta, parseShipperMeta, shipperMetaName } from "./shipper-meta.ts";

export interface ShipperOptions {
  /** The data folder. */
  readonly directory: string;
  /** Go into the meta.json of each block in the bucket; at least one, which tells the folder from all others. */
  readonly externalLabels: Labels;
  /** What made the blocks, as Thanos names it. */
  readonly source: string;
  /** Whether blocks that a compaction made are taken too: of a Prometheus that compacts, or of another's history. */
  readonly uploadsCompacted: boolean;
  readonly intervalMs: number;
  /** After passes that failed the interval doubles up to this, with jitter, for as long as it takes. */
  readonly backOffMaxMs: number;
}

/** All that has a usual value. */
export const defaultShipper: Omit<ShipperOptions, "directory" | "externalLabels"> = {
  source: "sidecar",
  uploadsCompacted: false,
  intervalMs: 30_000,
  backOffMaxMs: 300_000,
};

export interface ShipperPass {
  readonly uploaded: readonly string[];
  /** Blocks that are still to be uploaded, the damaged ones apart: they are never uploaded. */
  readonly pending: number;
  /** Why the first of those that failed did. */
  readonly failure: string | undefined;
}

export interface Shipper {
  /** Uploads what is not in the bucket yet, the oldest first. Can be broken off and repeated at any point. */
  sync(signal: AbortSignal): Promise<ShipperPass>;
  /** Syncs again and again until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** Whether a block is known to be in the bucket, whole: until then its folder is all there is. */
  isUploaded(ulid: string): boolean;
}

export type ShipperPorts = Pick<Ports, "files" | "clock" | "random" | "observations">;

export function createShipper(bucket: Bucket, options: ShipperOptions, ports: ShipperPorts): Shipper {
  if (options.externalLabels.length === 0) throw new RangeError("blocks in a bucket need external labels");
  return new FolderShipper(bucket, options, ports);
}

class FolderShipper implements Shipper {
  readonly #bucket: Bucket;
  readonly #options: ShipperOptions;
  readonly #ports: ShipperPorts;
  readonly #figures: ShipperFigures;
  #uploaded: ReadonlySet<string> | undefined;
  /** Blocks that were read and found damaged. They stay where they are. */
  readonly #damaged = new Set<string>();
  /** Whether thanos.shipper.json tells less than what is known. */
  #isRecordStale = false;
  #failedPasses = 0;

  constructor(bucket: Bucket, options: ShipperOptions, ports: ShipperPorts) {
    this.#bucket = bucket;
    this.#options = options;
    this.#ports = ports;
    this.#figures = new ShipperFigures(ports);
  }

  isUploaded(ulid: string): boolean {
    return this.#uploaded?.has(ulid) ?? false;
  }

  async sync(signal: AbortSignal): Promise<ShipperPass> {
    this.#figures.syncs.add(1);
    try {
      return await this.#sync(signal);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.#figures.syncFailures.add(1);
      return { uploaded: [], pending: NaN, failure: error.message };
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, observations } = this.#ports;
    const { directory, intervalMs, backOffMaxMs } = this.#options;
    while (!signal.aborted) {
      const { failure, pending } = await this.sync(signal);
      this.#failedPasses = failure === undefined ? 0 : this.#failedPasses + 1;
      const backOffMs = Math.min(backOffMaxMs, intervalMs * 2 ** Math.min(this.#failedPasses, 30));
      const waitMs = failure === undefined ? intervalMs : backOffMs * (0.5 + random.float() / 2);
      if (failure !== undefined && !signal.aborted) {
        const fields = { directory, bucket: this.#bucket.name, pending, reason: failure, waitMs: Math.round(waitMs) };
        observations.log("warn", "Blocks could not be uploaded; they are kept, and tried again.", fields);
      }
      await sleepUnlessAborted(clock, waitMs, signal);
    }
  }

  async #sync(signal: AbortSignal): Promise<ShipperPass> {
    const before = this.#uploaded ?? (await this.#readMeta());
    const here: string[] = [];
    const uploaded: string[] = [];
    const waiting: BlockMeta[] = [];
    for (const ulid of (await listFolder(this.#ports.files, this.#options.directory)).blocks) {
      if (before.has(ulid)) {
        here.push(ulid);
        continue;
      }
      const meta = this.#damaged.has(ulid) ? undefined : await this.#metaOf(ulid);
      if (meta !== undefined) waiting.push(meta);
    }
    waiting.sort((a, b) => a.minTimeMs - b.minTimeMs);
    this.#showPending(waiting);
    let failure: string | undefined;
    for (const [i, meta] of waiting.entries()) {
      const failed = await this.#ship(meta, signal);
      if (failed === undefined) {
        uploaded.push(meta.ulid);
        // At once: what is taken twice costs no more than a look, but what is deleted is gone.
        this.#uploaded = new Set([...here, ...uploaded]);
        failure ??= await this.#record();
        this.#showPending(waiting.slice(i + 1));
        continue;
      }
      if (failed.kind === "corrupt") {
        this.#refuse(meta.ulid, formatBlockFailure(failed));
        continue;
      }
      failure ??= formatBlockFailure(failed);
      // A bucket that is down is down for all.
      if (signal.aborted || isBucketDown(failed)) break;
    }
    this.#uploaded = new Set([...here, ...uploaded]);
    if (this.#isRecordStale || before.size !== this.#uploaded.size) failure ??= await this.#record();
    const pending = waiting.filter(({ ulid }) => !this.#uploaded?.has(ulid) && !this.#damaged.has(ulid)).length;
    this.#figures.compactedDone.set(this.#options.uploadsCompacted && pending === 0 ? 1 : 0);
    return { uploaded, pending, failure };
  }

  /** What is to be uploaded of a block that is not in the bucket yet; undefined where nothing is. */
  async #metaOf(ulid: string): Promise<BlockMeta | undefined> {
    const { directory, uploadsCompacted } = this.#options;
    const meta = await readBlockMeta(this.#ports.files, `${directory}/${ulid}`);
    if (meta === undefined) return undefined;
    if (!meta.ok) {
      this.#refuse(ulid, formatBlockFailure(meta.failure));
      return undefined;
    }
    const { stats, compaction } = meta.value;
    if (stats.numSamples === 0 || (compaction.level > 1 && !uploadsCompacted)) return undefined;
    return meta.value;
  }

  #refuse(ulid: string, reason: string): void {
    this.#damaged.add(ulid);
    this.#figures.corrupted.add(1);
    const fields = { directory: this.#options.directory, block: ulid, reason };
    this.#ports.observations.log("error", "A damaged block is not uploaded; it stays where it is.", fields);
  }

  /** What is wrong with the bytes of a block. Read before they go: once in the bucket they stop the compaction of a stream. */
  async #damageOf(ulid: string, signal: AbortSignal): Promise<BlockFailure | undefined> {
    const bytes = directoryBlockBytes(this.#ports.files, `${this.#options.directory}/${ulid}`);
    const report = await verifyBlock(bytes, { ...defaultVerify, ulid, findingsMax: 1 }, signal);
    if (!report.ok) return report.failure;
    const [reason] = report.value.findings;
    return reason === undefined ? undefined : { kind: "corrupt", block: ulid, file: "the block", offset: 0, reason };
  }

  /** Why a block is not in the bucket, whole, by now. */
  async #ship(meta: BlockMeta, signal: AbortSignal): Promise<BlockFailure | undefined> {
    const { files, clock, observations } = this.#ports;
    const { directory, externalLabels, source } = this.#options;
    const { ulid } = meta;
    try {
      // An earlier process may have got so far, and no further.
      if (await this.#isInBucket(`${ulid}/meta.json`, signal)) {
        // It may be gone soon, and counts as uploaded when the mark is taken back, or when it is uploaded anew.
        if (!(await this.#isInBucket(`${ulid}/${blockMarkFiles.deletion}`, signal))) return undefined;
        return { kind: "unavailable", block: ulid, cause: new Error("in the bucket it is marked for deletion") };
      }
    } catch (error) {
      if (signal.aborted) return { kind: "canceled", block: ulid };
      if (!(error instanceof BucketError)) throw error;
      this.#figures.uploadFailures.add(1);
      return { kind: "unavailable", block: ulid, cause: error };
    }
    const startMs = clock.monotonicMs();
    const damage = await this.#damageOf(ulid, signal);
    if (damage !== undefined) return damage;
    const thanos = {
      labels: labelsToRecord(externalLabels),
      resolutionMs: 0,
      source,
      files: [],
      indexStats: undefined,
      uploadTimeMs: clock.wallMs(),
    };
    const path = `${directory}/${ulid}`;
    const sent = await uploadBlock({ files, path, bucket: this.#bucket, signal, thanos });
    if (!sent.ok) {
      if (sent.failure.kind !== "canceled") this.#figures.uploadFailures.add(1);
      if (sent.failure.kind === "corrupt") this.#figures.corrupted.add(1);
      return sent.failure;
    }
    this.#figures.uploads.add(1);
    const tookMs = Math.round(clock.monotonicMs() - startMs);
    observations.log("info", "A block is uploaded.", { block: ulid, bucket: this.#bucket.name, tookMs });
    return undefined;
  }

  async #isInBucket(key: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#bucket.attributes(key, signal);
      return true;
    } catch (error) {
      if (error instanceof BucketError && error.kind === "not-found") return false;
      throw error;
    }
  }

  async #readMeta(): Promise<ReadonlySet<string>> {
    const { files, observations } = this.#ports;
    const path = `${this.#options.directory}/${shipperMetaName}`;
    if (!(await files.exists(path))) return new Set();
    const parsed = parseShipperMeta(await files.readFile(path));
    if (parsed.ok) return new Set(parsed.value);
    observations.log("warn", "What is uploaded is asked of the bucket: its record is no use.", {
      path,
      reason: parsed.failure,
    });
    return new Set();
  }

  /** Writes down what is in the bucket; why that failed. Uploads go on without: a full disk gets room by them. */
  async #record(): Promise<string | undefined> {
    const path = `${this.#options.directory}/${shipperMetaName}`;
    this.#isRecordStale = true;
    try {
      await this.#ports.files.writeFileAtomic(path, formatShipperMeta([...(this.#uploaded ?? [])].sort()));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      return error.message;
    }
    this.#isRecordStale = false;
    return undefined;
  }

  #showPending(waiting: readonly BlockMeta[]): void {
    this.#figures.pending.set(waiting.length);
    const [oldest] = waiting;
    this.#figures.oldestPending.set(oldest === undefined ? NaN : oldest.maxTimeMs / 1000);
  }
}

const downKinds: ReadonlySet<BucketErrorKind> = new Set([
  "unavailable",
  "full",
  "timeout",
  "throttled",
  "access-denied",
]);

function isBucketDown(failure: BlockFailure): boolean {
  if (failure.kind !== "unavailable" || !(failure.cause instanceof BucketError)) return false;
  return downKinds.has(failure.cause.kind);
}

/** Thanos's metrics of its shipper, and two of what waits. */
class ShipperFigures {
  readonly syncs: Counter;
  readonly syncFailures: Counter;
  readonly uploads: Counter;
  readonly uploadFailures: Counter;
  readonly corrupted: Counter;
  readonly compactedDone: Gauge;
  readonly pending: Gauge;
  readonly oldestPending: Gauge;

  constructor({ observations }: ShipperPorts) {
    this.syncs = observations.counter("thanos_shipper_dir_syncs_total", "Times that the folder was looked through.");
    this.syncFailures = observations.counter(
      "thanos_shipper_dir_sync_failures_total",
      "Times that the folder could not be read.",
    );
    this.uploads = observations.counter("thanos_shipper_uploads_total", "Blocks uploaded.");
    this.uploadFailures = observations.counter(
      "thanos_shipper_upload_failures_total",
      "Uploads of blocks that failed.",
    );
    this.corrupted = observations.counter("thanos_shipper_corrupted_blocks_total", "Damaged blocks that were met.");
    this.compactedDone = observations.gauge(
      "thanos_shipper_upload_compacted_done",
      "1 once compacted blocks are uploaded too.",
    );
    this.pending = observations.gauge("pleiad_shipper_pending_blocks", "Blocks that are not in the bucket yet.");
    this.oldestPending = observations.gauge(
      "pleiad_shipper_oldest_pending_timestamp_seconds",
      "End of the oldest such block.",
    );
  }
}
