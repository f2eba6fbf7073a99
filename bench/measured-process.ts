/** A process whose processor time and memory are looked at from outside, as Linux accounts them. */
import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

export interface ProcessMeasures {
  /** Processor time of all its threads since it began. */
  cpuMs(): number;
  residentBytes(): number;
  /** Starts a new measurement of the peak. */
  resetPeak(): void;
  peakBytes(): number;
}

export interface MeasuredProcess extends ProcessMeasures {
  readonly child: ChildProcess;
  /** The end of what it wrote to its standard error. */
  complaint(): string;
  /** SIGTERM, and SIGKILL for one that takes longer than ten seconds. */
  end(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export interface SpawnOptions {
  /** User and group; those of this process by default. */
  readonly uid?: number | undefined;
  readonly hasMessages?: boolean;
  /** Beside the environment of this process, whose own settings go first. */
  readonly env?: Readonly<Record<string, string>>;
  /** Is given what it writes to its standard error, line by line. */
  readonly onLine?: (line: string) => void;
}

const complaintLength = 4000;

/** Resolves once the process is there; what it does then is for the caller to wait for. */
export async function spawnMeasured(
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<MeasuredProcess> {
  const { uid, hasMessages = false, env, onLine } = options;
  const stdio: StdioOptions = ["ignore", "ignore", "pipe", ...(hasMessages ? (["ipc"] as const) : [])];
  const child = spawn(command, args, {
    stdio,
    env: { ...env, ...process.env },
    serialization: "advanced",
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  let complaint = "";
  let line = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-complaintLength);
    if (onLine === undefined) return;
    const lines = (line + text).split("\n");
    line = lines.pop() ?? "";
    for (const one of lines) onLine(one);
  });
  await Promise.race([
    once(child, "spawn"),
    once(child, "error").then(([error]) => Promise.reject(new Error(`${command} does not start: ${String(error)}`))),
  ]);
  if (child.pid === undefined) throw new Error(`${command} has no process`);
  const closed = once(child, "close");
  const stop = async (signal: "SIGTERM" | "SIGKILL") => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return await Promise.race([closed.then(() => true), pause(10_000, false, { ref: false })]);
  };
  return {
    ...processMeasures(child.pid),
    child,
    complaint: () => complaint,
    async end() {
      if (!(await stop("SIGTERM"))) await stop("SIGKILL");
    },
    async kill() {
      await stop("SIGKILL");
    },
  };
}

export function processMeasures(pid: number): ProcessMeasures {
  const statusBytes = (field: string) => {
    const status = readFileSync(`/proc/${String(pid)}/status`, "utf8");
    return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0) * 1024;
  };
  return {
    cpuMs() {
      let ns = 0;
      for (const task of readdirSync(`/proc/${String(pid)}/task`)) {
        try {
          const text = readFileSync(`/proc/${String(pid)}/task/${task}/schedstat`, "utf8");
          ns += Number(text.split(" ")[0]);
        } catch {
          // The thread ended between the two readings.
        }
      }
      return ns / 1e6;
    },
    residentBytes: () => statusBytes("VmRSS"),
    resetPeak: () => writeFileSync(`/proc/${String(pid)}/clear_refs`, "5"),
    peakBytes: () => statusBytes("VmHWM"),
  };
}
