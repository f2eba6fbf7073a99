/**
 * Files on a disk that forgets what was not synced when the power goes: for tests of what is promised to outlive that.
 *
 * Bytes are kept that a datasync came after; names (made, changed, removed) whose directory was synced. Of the rest any part
 * may be there: each change of a name by itself, though sometimes all that come are lost and all that go are gone, or the
 * other way round; of a file's end any length, the last of it perhaps as zeros. Directories that are made are there at once.
 */
import type { File, FileSystem } from "./file-system.ts";
import type { Random } from "./random.ts";

export interface ForgetfulFileSystem extends FileSystem {
  /** The files as they may be found when the power went just now, written into `files`, which are empty. */
  surviveIn(files: FileSystem & { readonly contents: Map<string, Uint8Array> }, random: Random): Promise<void>;
}

/** A file, whatever its name. */
interface Body {
  bytes: Uint8Array;
  synced: Uint8Array;
}

type NameChange =
  | { readonly kind: "set"; readonly path: string; readonly body: Body }
  /** `body` of a file: its new name is there whatever became of the old one. */
  | { readonly kind: "rename"; readonly path: string; readonly from: string; readonly body: Body | undefined }
  | { readonly kind: "remove"; readonly path: string };

/** `inner` does what is asked, and is empty. */
export function forgetfulFiles(inner: FileSystem): ForgetfulFileSystem {
  const bodies = new Map<string, Body>(); // by path, as they are now
  const directories = new Set<string>();
  const log: { readonly change: NameChange; isSynced: boolean }[] = [];

  const change = (one: NameChange, isSynced = false) => {
    apply(one, bodies);
    log.push({ change: one, isSynced });
  };
  const sync = (directory: string) => {
    for (const one of log) if (parentOf(one.change.path) === directory) one.isSynced = true;
  };
  const bodyAt = (path: string): Body => {
    const body = bodies.get(path);
    if (body === undefined) throw new Error(`${path} was not made here`);
    return body;
  };
  const watched = (file: File, body: Body): File => ({
    ...file,
    append: async (bytes) => {
      await file.append(bytes);
      const grown = new Uint8Array(body.bytes.length + bytes.length);
      grown.set(body.bytes);
      grown.set(bytes, body.bytes.length);
      body.bytes = grown;
    },
    truncate: async (sizeBytes) => {
      await file.truncate(sizeBytes);
      const cut = new Uint8Array(sizeBytes);
      cut.set(body.bytes.subarray(0, sizeBytes));
      body.bytes = cut;
    },
    datasync: async () => {
      await file.datasync();
      body.synced = body.bytes;
    },
  });

  return {
    ...inner,
    open: async (path, mode) => {
      const file = await inner.open(path, mode);
      const isNew = !mode.startsWith("read") && !bodies.has(path);
      if (isNew) change({ kind: "set", path, body: { bytes: new Uint8Array(0), synced: new Uint8Array(0) } });
      return watched(file, bodyAt(path));
    },
    writeFileAtomic: async (path, bytes) => {
      await inner.writeFileAtomic(path, bytes);
      const content = bytes.slice();
      change({ kind: "set", path, body: { bytes: content, synced: content } }, true);
    },
    rename: async (from, to) => {
      await inner.rename(from, to);
      change({ kind: "rename", path: to, from, body: bodies.get(from) });
    },
    link: async (from, to) => {
      await inner.link(from, to);
      change({ kind: "set", path: to, body: bodyAt(from) });
    },
    unlink: async (path) => {
      await inner.unlink(path);
      change({ kind: "remove", path });
    },
    makeDirectory: async (path) => {
      await inner.makeDirectory(path);
      directories.add(path);
    },
    removeDirectory: async (path) => {
      await inner.removeDirectory(path);
      change({ kind: "remove", path });
    },
    syncDirectory: async (path) => {
      await inner.syncDirectory(path);
      sync(path);
    },
    lock: async (path) => {
      const lock = await inner.lock(path);
      if (!bodies.has(path))
        change({ kind: "set", path, body: { bytes: new Uint8Array(0), synced: new Uint8Array(0) } });
      return lock;
    },
    surviveIn: async (files, random) => {
      const found = new Map<string, Body>();
      const [comes = 0, goes = 0] = [0, 1].map(() => random.int(3) / 2);
      for (const { change: one, isSynced } of log) {
        if (isSynced || random.float() < (one.kind === "remove" ? goes : comes)) apply(one, found);
      }
      for (const path of directories) if (await inner.exists(path)) await files.makeDirectory(path);
      for (const [path, body] of found) {
        await files.makeDirectory(parentOf(path));
        files.contents.set(path, survivorOf(body, random));
      }
    },
  };
}

function apply(change: NameChange, bodies: Map<string, Body>): void {
  const { path } = change;
  switch (change.kind) {
    case "set":
      bodies.set(path, change.body);
      return;
    case "rename":
      if (change.body !== undefined) {
        bodies.delete(change.from);
        bodies.set(path, change.body);
        return;
      }
      for (const [name, body] of [...bodies]) {
        if (!name.startsWith(`${change.from}/`)) continue;
        bodies.delete(name);
        bodies.set(path + name.slice(change.from.length), body);
      }
      return;
    case "remove":
      bodies.delete(path);
      return;
  }
}

function survivorOf({ bytes, synced }: Body, random: Random): Uint8Array {
  const tailBytes = bytes.length - synced.length;
  // Cut shorter since the last datasync, or not.
  if (tailBytes < 0) return random.float() < 0.5 ? synced.slice() : bytes.slice();
  const kept = bytes.slice(0, synced.length + random.int(tailBytes + 1));
  if (random.float() < 0.3) kept.fill(0, kept.length - random.int(kept.length - synced.length + 1));
  return kept;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}
