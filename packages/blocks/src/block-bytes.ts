/** Where the bytes of a block come from: a folder, or a bucket. */
export interface BlockBytes {
  /** A ULID as a rule; for messages. */
  readonly name: string;
  /** Of `index`, `meta.json`, `tombstones`, `chunks/000001` …; undefined where there is no such file. */
  sizeOf(file: string, signal?: AbortSignal): Promise<number | undefined>;
  /** The names below `chunks/`, in order. */
  chunkFiles(signal?: AbortSignal): Promise<readonly string[]>;
  /** Exactly `length` bytes, or fewer at the end of the file. The result belongs to the caller. Throws as its store does. */
  read(file: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  close(): Promise<void>;
}
