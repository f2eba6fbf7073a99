/**
 * The write-ahead log of a head: what was appended to it survives the death of the process. Segments, each one file, and
 * a checkpoint that stands for all segments up to its number. Byte layout: docs/format/write-ahead-log.md.
 */
import { ByteWriter } from "@pleiad/chunks";
import { FileError, type Clock, type FileSystem } from "@pleiad/ports";
import { AppendFile } from "./append-file.ts";
import { framedBytes, frameRecord } from "./wal-segment.ts";

/** Records, one after the other, ready to be framed. */
export class RecordBatch {
  readonly writer = new ByteWriter(1024);
  readonly ends: number[] = [];

  clear(): void {
    this.writer.clear();
    this.ends.length = 0;
  }

  get isEmpty(): boolean {
    return this.ends.length === 0;
  }

  /** The bytes of the record that is being written, so far. */
  get openBytes(): number {
    return this.writer.length - (this.ends.at(-1) ?? 0);
  }

  endRecord(): void {
    if (this.openBytes > 0) this.ends.push(this.writer.length);
  }
}

/** What lies in the log's directory, in the order in which it is to be read. */
export interface LogInventory {
  readonly checkpoint:
    | { readonly number: number; readonly directory: string; readonly paths: readonly string[] }
    | undefined;
  readonly segments: readonly { readonly number: number; readonly path: string }[];
  /** Half-written checkpoints, and what the checkpoint stands for. */
  readonly leftovers: readonly LogEntry[];
}

type LogEntry =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "directory"; readonly path: string };

/** A segment of the log of out-of-order samples, and the newest of them: past retention it goes as a whole. */
export interface OutOfOrderSegment {
  readonly number: number;
  readonly path: string;
  sizeBytes: number;
  maxTimeMs: number;
}

/** A directory that is not there is an empty log. */
export async function listLog(files: FileSystem, directory: string): Promise<LogInventory> {
  const names = (await files.exists(directory)) ? await files.list(directory) : [];
  const checkpointNumbers = names.flatMap((name) => {
    const digits = /^checkpoint\.(\d{6,})$/.exec(name)?.[1];
    return digits === undefined ? [] : [{ number: Number(digits), name }];
  });
  checkpointNumbers.sort((a, b) => a.number - b.number);
  const newest = checkpointNumbers.pop();
  const leftovers: LogEntry[] = [
    ...names.filter((name) => /^checkpoint\.\d+\.tmp$/.test(name)),
    ...checkpointNumbers.map(({ name }) => name),
  ].map((name) => ({ kind: "directory", path: `${directory}/${name}` }));
  const segments: { number: number; path: string }[] = [];
  for (const name of names) {
    if (!/^\d{6,}$/.test(name)) continue;
    const segment = { number: Number(name), path: `${directory}/${name}` };
    if (newest !== undefined && segment.number <= newest.number) leftovers.push({ kind: "file", path: segment.path });
    else segments.push(segment);
  }
  segments.sort((a, b) => a.number - b.number);
  if (newest === undefined) return { checkpoint: undefined, segments, leftovers };
  const checkpointDirectory = `${directory}/${newest.name}`;
  const paths = (await files.list(checkpointDirectory)).filter((name) => /^\d{6,}$/.test(name));
  return {
    checkpoint: {
      number: newest.number,
      directory: checkpointDirectory,
      paths: paths.map((name) => `${checkpointDirectory}/${name}`),
    },
    segments,
    leftovers,
  };
}

/** Removes files, and directories with the files in them. What is gone already is fine. */
export async function removeEntries(files: FileSystem, entries: readonly LogEntry[]): Promise<void> {
  for (const { kind, path } of entries) {
    try {
      if (kind === "file") await files.unlink(path);
      else {
        for (const name of await files.list(path)) await files.unlink(`${path}/${name}`);
        await files.removeDirectory(path);
      }
    } catch (error) {
      if (!(error instanceof FileError) || error.code !== "ENOENT") throw error;
    }
  }
}

export interface WriteAheadLogOptions {
  readonly directory: string;
  readonly segmentBytes: number;
  /** Commits are made durable against the death of the machine at most this often. */
  readonly syncIntervalMs: number;
  /** The number of the first segment that is written: above all that lie there. */
  readonly firstSegment: number;
}

export class WriteAheadLog {
  readonly #files: FileSystem;
  readonly #clock: Clock;
  readonly #options: WriteAheadLogOptions;
  readonly #framed = new ByteWriter(1024);
  #nextSegment: number;
  #segment: AppendFile | undefined;
  /** Whether the directory durably names the current segment. */
  #isListed = true;
  #syncedMs: number;
  /** Bytes that this process wrote into segments. */
  bytesWritten = 0;

  constructor(files: FileSystem, clock: Clock, options: WriteAheadLogOptions) {
    this.#files = files;
    this.#clock = clock;
    this.#options = options;
    this.#nextSegment = options.firstSegment;
    this.#syncedMs = clock.monotonicMs();
  }

  /**
   * Writes all records; they are in the file when it resolves. Rejects with FileError: then some of them may come back if
   * the process dies before the next append, or if they do not fit one segment.
   */
  async append({ writer, ends }: RecordBatch): Promise<void> {
    // What fits a segment goes into one, by one append, so that of a failed one nothing is left for later records to meet.
    const start = this.#segment?.sizeBytes ?? 0;
    if (start > 0 && start + framedBatchBytes(start, ends) > this.#options.segmentBytes) await this.cut();
    let from = 0;
    for (const to of ends) {
      const position = (this.#segment?.sizeBytes ?? 0) + this.#framed.length;
      if (position > 0 && position + framedBytes(position, to - from) > this.#options.segmentBytes) {
        await this.#flush();
        await this.cut();
      }
      frameRecord(this.#framed, this.#segment?.sizeBytes ?? 0, writer.bytes, from, to);
      from = to;
    }
    await this.#flush();
    if (this.#clock.monotonicMs() - this.#syncedMs >= this.#options.syncIntervalMs) await this.datasync();
  }

  async #flush(): Promise<void> {
    const bytes = this.#framed.bytes.subarray(0, this.#framed.length);
    // Forgotten first: were it to stay, the records of a failed append would go out with the next.
    this.#framed.clear();
    if (bytes.length === 0) return;
    if (this.#segment === undefined) {
      const path = `${this.#options.directory}/${segmentName(this.#nextSegment)}`;
      this.#segment = new AppendFile(await this.#files.open(path, "create-new"), path);
      this.#nextSegment++;
      this.#isListed = false;
    }
    if (!this.#isListed) {
      await this.#files.syncDirectory(this.#options.directory);
      this.#isListed = true;
    }
    await this.#segment.append(bytes);
    this.bytesWritten += bytes.length;
  }

  /** Ends the current segment, durably. Gives the number below which the next record will not be written. */
  async cut(): Promise<number> {
    if (this.#segment !== undefined) {
      await this.#segment.finish();
      this.#segment = undefined;
      this.#syncedMs = this.#clock.monotonicMs();
    }
    return this.#nextSegment;
  }

  async datasync(): Promise<void> {
    await this.#segment?.datasync();
    this.#syncedMs = this.#clock.monotonicMs();
  }

  /** Number and place of the segment that was written last; undefined while there is none, and after a cut. */
  get current(): { readonly number: number; readonly path: string; readonly sizeBytes: number } | undefined {
    const segment = this.#segment;
    if (segment === undefined) return undefined;
    return { number: this.#nextSegment - 1, path: segment.path, sizeBytes: segment.sizeBytes };
  }

  /** What a failed datasync said: nothing more is written then. */
  get sealedBy(): string | undefined {
    return this.#segment?.sealedBy;
  }

  /**
   * Lets go of a segment whose datasync failed, as it is: nobody knows what of it is on disk. The next record begins
   * another. Gives the number of the one that is left.
   */
  async abandon(): Promise<number> {
    const segment = this.#segment;
    this.#segment = undefined;
    await segment?.abandon();
    return this.#nextSegment - 1;
  }

  /** Makes all durable and lets go of the segment, whatever comes of it. */
  async close(): Promise<void> {
    const segment = this.#segment;
    this.#segment = undefined;
    await segment?.release();
  }
}

function framedBatchBytes(position: number, ends: readonly number[]): number {
  let end = position;
  let from = 0;
  for (const to of ends) {
    end += framedBytes(end, to - from);
    from = to;
  }
  return end - position;
}

export function segmentName(number: number): string {
  return String(number).padStart(8, "0");
}

export function checkpointName(number: number): string {
  return `checkpoint.${segmentName(number)}`;
}
