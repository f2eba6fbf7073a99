export type FileErrorCode =
  | "EACCES"
  | "EEXIST"
  | "EIO"
  | "EMFILE"
  | "ENOENT"
  | "ENOSPC"
  | "ENOTDIR"
  | "EROFS"
  | "EISDIR"
  | "ENOTEMPTY";

/** What a FileSystem throws. The message names operation and path. */
export class FileError extends Error {
  readonly code: FileErrorCode;
  readonly operation: string;
  readonly path: string;

  constructor(code: FileErrorCode, operation: string, path: string) {
    super(`${code}: ${operation} ${path}`);
    this.name = "FileError";
    this.code = code;
    this.operation = operation;
    this.path = path;
  }
}

/** What the file system knows of a file. */
export interface FileStatus {
  readonly sizeBytes: number;
  readonly modifiedMs: number; // whole milliseconds
  /** Differs from that of every other file, and from that of the same one before a change: as far as clocks tell. */
  readonly version: string;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: "file" | "directory" | "other"; // links, pipes and devices are "other"
}

export interface File {
  /** Appends all bytes; when it resolves they survive the death of this process (not of the machine: `datasync`). */
  append(bytes: Uint8Array): Promise<void>;
  /** Up to `length` bytes from `offset`; fewer only at the end of the file. The result belongs to the caller. */
  read(offset: number, length: number): Promise<Uint8Array>;
  datasync(): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  size(): Promise<number>;
  status(): Promise<FileStatus>;
  close(): Promise<void>;
}

/** A file that no other process can lock meanwhile. */
export interface FileLock {
  release(): Promise<void>;
}

export type OpenMode = "read" | "read-no-link" | "append" | "create-new";

/** Files, by absolute path. Every method throws FileError. */
export interface FileSystem {
  /**
   * `append` creates what is not there, `create-new` refuses what is; a file opened in any mode can be read. A link at the
   * path is followed by `read` alone: EACCES for the others.
   */
  open(path: string, mode: OpenMode): Promise<File>;
  readFile(path: string): Promise<Uint8Array>;
  /** Replaces the file as a whole: temporary file, datasync, rename, directory sync. Readers see old or new, never half. */
  writeFileAtomic(path: string, bytes: Uint8Array): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Gives a file a second name; EEXIST if that is taken: one of several who try has it. */
  link(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Names in a directory, sorted by UTF-16 unit. */
  list(directory: string): Promise<readonly string[]>;
  /** As `list`, with what each is. */
  entries(directory: string): Promise<readonly DirectoryEntry[]>;
  /** Creates the directory and its parents; fine if it is there. */
  makeDirectory(path: string): Promise<void>;
  /** Removes an empty directory. */
  removeDirectory(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  exists(path: string): Promise<boolean>;
  /** Of a file that need not be open: EISDIR for a directory, EACCES for a link. */
  status(path: string): Promise<FileStatus>;
  freeBytes(path: string): Promise<number>;
  /**
   * Takes the file, created if need be, for the caller alone until `release` or the death of the process; EEXIST where
   * it is taken. Processes of one machine see each other.
   */
  lock(path: string): Promise<FileLock>;
}
