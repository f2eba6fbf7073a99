/**
 * A file that one process holds. Node has no flock(2), so the hold is a socket in Linux's abstract namespace, named after
 * the file's inode: the kernel gives it to one process only and takes it back when that dies. Processes that lock with
 * flock(2), as Prometheus does, are seen in /proc/locks; they do not see us.
 */
import { constants } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { once } from "node:events";
import { FileError, type FileLock } from "@pleiad/ports";

const openFlags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

/** On systems without abstract sockets only this process is kept out. */
const heldHere = new Set<string>();

export async function lockFile(path: string): Promise<FileLock> {
  const taken = () => new FileError("EEXIST", "lock", path);
  const handle = await open(path, openFlags, 0o666);
  let inode: string;
  try {
    const { dev, ino } = await handle.stat({ bigint: true });
    inode = `${dev}-${ino}`;
    if (heldHere.has(inode) || (await isFlocked(ino))) throw taken();
    heldHere.add(inode);
  } finally {
    await handle.close();
  }
  try {
    const socket = process.platform === "linux" ? await holdName(`\0pleiad-lock-${inode}`) : undefined;
    return {
      release: async () => {
        if (!heldHere.delete(inode) || socket === undefined) return;
        const closed = once(socket, "close");
        socket.close();
        await closed;
      },
    };
  } catch (error) {
    heldHere.delete(inode);
    if ((error as { code?: unknown }).code === "EADDRINUSE") throw taken();
    throw error;
  }
}

async function holdName(name: string): Promise<Server> {
  const socket = createServer((connection) => void connection.destroy());
  socket.listen(name);
  await once(socket, "listening");
  return socket.unref();
}

/** Whether any process has the file under flock(2). The inode is enough: an overlay shows other devices than it has. */
async function isFlocked(inode: bigint): Promise<boolean> {
  const locks = await readFile("/proc/locks", "utf8").catch(() => "");
  return locks.split("\n").some((line) => / FLOCK /.test(line) && line.includes(`:${inode} `));
}
