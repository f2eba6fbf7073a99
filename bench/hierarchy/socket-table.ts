/** Who listens and who is connected to whom on this machine, as Linux tells it in /proc. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

interface Socket {
  readonly localPort: number;
  readonly peerPort: number;
  readonly state: "established" | "listening" | "other";
  readonly inode: string;
}

/** The process that listens on a port of IPv4; undefined where none of ours does. */
export function listenerOf(port: number): number | undefined {
  const socket = sockets().find(({ state, localPort }) => state === "listening" && localPort === port);
  if (socket === undefined) return undefined;
  return processIds().find((pid) => socketsOf(pid).has(socket.inode));
}

/** How many connections a process has to any of the ports. */
export function connectionsTo(pid: number, ports: ReadonlySet<number>): number {
  const own = socketsOf(pid);
  return sockets().filter(
    ({ state, peerPort, inode }) => state === "established" && ports.has(peerPort) && own.has(inode),
  ).length;
}

function sockets(): readonly Socket[] {
  const [, ...rows] = readFileSync("/proc/net/tcp", "utf8").trim().split("\n");
  return rows.map((row) => {
    const [, local = "", peer = "", state, , , , , , inode = ""] = row.trim().split(/\s+/);
    const named = state === "01" ? "established" : state === "0A" ? "listening" : "other";
    return { localPort: portOf(local), peerPort: portOf(peer), state: named, inode };
  });
}

const portOf = (address: string) => Number.parseInt(address.split(":")[1] ?? "", 16);

const processIds = () =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** Inodes of the sockets that a process has open; none of one that ended or is another user's. */
function socketsOf(pid: number): ReadonlySet<string> {
  const inodes = new Set<string>();
  const folder = `/proc/${String(pid)}/fd`;
  try {
    for (const name of readdirSync(folder)) {
      const inode = linkedSocket(`${folder}/${name}`);
      if (inode !== undefined) inodes.add(inode);
    }
  } catch {
    // It ended while being looked at, or is not ours.
  }
  return inodes;
}

function linkedSocket(path: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1];
  } catch {
    return undefined; // closed meanwhile
  }
}
