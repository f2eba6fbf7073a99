/**
 * kubectl as a port: what was asked, and how it ended. Children end with the signal, with whatever they started to log in by,
 * and none outlives its time.
 */
import { spawn } from "node:child_process";

export interface KubectlRequest {
  readonly args: readonly string[]; // never with a secret: others see the command lines of this machine
  readonly input?: string; // of its standard input
  readonly timeoutMs: number;
}

export interface KubectlAnswer {
  /** Undefined where it was not started, ran out of time, or was ended by the signal: `stderr` says which. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Kubectl {
  /** Never rejects. When the signal aborts, the child is told to end, and the promise resolves once it has. */
  run(request: KubectlRequest, signal: AbortSignal): Promise<KubectlAnswer>;
}

const outputBytesMax = 256 * 2 ** 20;
const killAfterMs = 5000;

/** The program at `path`, or of that name among those of PATH. */
export function kubectlProgram(path: string): Kubectl {
  return { run: async (request, signal) => await runProgram(path, request, signal) };
}

async function runProgram(
  path: string,
  { args, input, timeoutMs }: KubectlRequest,
  signal: AbortSignal,
): Promise<KubectlAnswer> {
  if (signal.aborted) return { exitCode: undefined, stdout: "", stderr: "stopped before it began" };
  return await new Promise((resolve) => {
    // A group of its own, so that programs that kubectl asks for credentials end with it.
    const child = spawn(path, args, { stdio: ["pipe", "pipe", "pipe"], detached: true });
    const [stdout, stderr] = [[] as Buffer[], [] as Buffer[]];
    let bytes = 0;
    let endedBecause: string | undefined;
    let killTimer: NodeJS.Timeout | undefined;
    const end = (why: string) => {
      if (endedBecause !== undefined) return;
      endedBecause = why;
      signalGroup(child.pid, "SIGTERM");
      killTimer = setTimeout(() => {
        signalGroup(child.pid, "SIGKILL");
        // One that left the group may hold these open for as long as it likes.
        child.stdout.destroy();
        child.stderr.destroy();
      }, killAfterMs);
    };
    const onAbort = () => end("stopped");
    const collect = (parts: Buffer[]) => (part: Buffer) => {
      bytes += part.length;
      if (bytes > outputBytesMax) end(`more than ${outputBytesMax} bytes of output`);
      else parts.push(part);
    };
    const timer = setTimeout(() => end(`no end within ${timeoutMs / 1000} s`), timeoutMs);
    signal.addEventListener("abort", onAbort, { once: true });
    child.stdout.on("data", collect(stdout));
    child.stderr.on("data", collect(stderr));
    child.stdin.on("error", () => {}); // it ended before it had read all: its exit code tells
    child.stdin.end(input ?? "");
    const finish = (exitCode: number | undefined, why: string) => {
      clearTimeout(timer);
      clearTimeout(killTimer);
      signal.removeEventListener("abort", onAbort);
      const text = (parts: readonly Buffer[]) => Buffer.concat(parts).toString("utf8");
      resolve({ exitCode, stdout: text(stdout), stderr: [text(stderr), why].filter(Boolean).join("\n") });
    };
    child.on("error", (error: NodeJS.ErrnoException) =>
      finish(undefined, error.code === "ENOENT" ? `there is no program ${path}` : String(error)),
    );
    child.on("close", (code) => {
      // What ignores SIGTERM and holds no output open outlives kubectl itself.
      if (endedBecause !== undefined) signalGroup(child.pid, "SIGKILL");
      finish(endedBecause === undefined ? (code ?? undefined) : undefined, endedBecause ?? "");
    });
  });
}

function signalGroup(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // all of it ended in the meantime
  }
}
