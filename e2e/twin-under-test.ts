/** A twin as a person starts it, for whole-system tests: the command, its output, its processes, its API. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
const main = join(root, "apps/cli/src/main.ts");

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of `pleiad` to its end. */
export async function pleiad(args: readonly string[], options: { readonly cwd?: string } = {}): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: options.cwd ?? root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  return await endOf(child);
}

function endOf(child: ChildProcess): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (piece: Buffer) => (stdout += piece.toString()));
  child.stderr?.on("data", (piece: Buffer) => (stderr += piece.toString()));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

export interface Answer {
  readonly status: string;
  readonly errorType?: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly data: {
    readonly resultType: string;
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly value?: readonly [number, string];
      readonly values?: readonly (readonly [number, string])[];
    }[];
  };
}

export interface RunningTwin {
  readonly pid: number;
  readonly startMs: number; // from the command to "Up in"
  readonly apiUrls: readonly string[];
  readonly consoleUrl: string;
  readonly stateDirectory: string;
  output(): string;
  query(expression: string, api?: number): Promise<Answer>;
  /** Processes of this twin by name, with the supervisor. Read from /proc. */
  processes(): readonly { readonly pid: number; readonly name: string; readonly residentBytes: number }[];
  /** Sends a signal to the supervisor and waits for its end. */
  end(signal: NodeJS.Signals): Promise<Ended>;
}

export async function startTwin(
  fleetFile: string,
  stateDirectory: string,
  options: readonly string[] = [],
): Promise<RunningTwin> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [main, "up", fleetFile, "--state", stateDirectory, ...options], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, stdout: output, stderr: "" }));
  });
  await new Promise<void>((resolve, reject) => {
    const read = (piece: Buffer) => {
      output += piece.toString();
      if (output.includes("Ctrl-C stops everything.")) resolve();
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("error", reject);
    void ended.then(({ code }) => reject(new Error(`the twin ended with code ${code} while starting:\n${output}`)));
  });
  const pid = child.pid as number;
  const apiUrls = [...output.matchAll(/(http:\S+) {3}\(Prometheus HTTP API/g)].map(([, url]) => url as string);
  const consoleUrl = /Console +(http:\S+)/.exec(output)?.[1] ?? "";
  return {
    pid,
    startMs: performance.now() - startedMs,
    apiUrls,
    consoleUrl,
    stateDirectory,
    output: () => output,
    query: async (expression, api = 0) => await instantQuery(apiUrls[api] as string, expression),
    processes: () => processesOf(pid),
    end: async (signal) => {
      process.kill(pid, signal);
      return await ended;
    },
  };
}

export async function instantQuery(url: string, query: string): Promise<Answer> {
  const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query }).toString()}`);
  return (await response.json()) as Answer;
}

/** The values of an instant answer by one label. */
export function valuesBy(answer: Answer, label: string): Record<string, number> {
  return Object.fromEntries(answer.data.result.map((one) => [one.metric[label] ?? "", Number(one.value?.[1])]));
}

/** Tries until the check passes; the last failure when it never does. */
export async function eventually<T>(what: string, timeoutMs: number, check: () => Promise<T | undefined>): Promise<T> {
  const untilMs = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < untilMs) {
    try {
      const value = await check();
      if (value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${what}: not within ${timeoutMs / 1000} s${last instanceof Error ? ` (${last.message})` : ""}`);
}

export function processesOf(supervisor: number): { pid: number; name: string; residentBytes: number }[] {
  const found: { pid: number; name: string; residentBytes: number }[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const status = readFileSync(`/proc/${entry}/status`, "utf8");
      const parent = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
      const pid = Number(entry);
      if (pid !== supervisor && parent !== supervisor) continue;
      const residentKiB = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
      const title = readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      const name = pid === supervisor ? "supervisor" : title.replace(/^pleiad /, "");
      found.push({ pid, name, residentBytes: residentKiB * 1024 });
    } catch {
      // It ended while being looked at.
    }
  }
  return found;
}

export function processLives(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/status`, "utf8").includes("State:\tZ");
  } catch {
    return false;
  }
}

/** A folder that is gone after the test file. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "pleiad-e2e-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A copy of a shipped fleet file whose ports lie elsewhere, so that a twin of a person is left alone. */
export function fleetFileAt(folder: string, name: string, basePort: number, edit = (text: string) => text): string {
  const text = readFileSync(join(root, "fleets", name), "utf8");
  const moved = text.replace(/^( +basePort:) *\d+/m, `$1 ${basePort}`);
  if (moved === text) throw new Error(`fleets/${name} names no basePort`);
  const path = join(folder, name);
  writeFileSync(path, edit(moved));
  return path;
}

/** Whether a program of a Debian package is there; where peers are required, its absence is a failure. */
export function peerMissing(program: string): boolean {
  const paths = (process.env["PATH"] ?? "").split(":");
  const found = paths.some((path) => {
    try {
      return readdirSync(path).includes(program);
    } catch {
      return false;
    }
  });
  if (!found && process.env["PLEIAD_REQUIRE_PEERS"] === "1") throw new Error(`${program} is required here and missing`);
  return !found;
}
