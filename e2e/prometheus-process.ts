/** A real Prometheus, and a command of ours, as processes that a test starts, kills, and starts again. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, root } from "./twin-under-test.ts";

export interface PeerProcess {
  readonly url: string;
  readonly pid: number;
  /** What it said on both streams. */
  output(): string;
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

export interface PrometheusOptions {
  /** Holds `data` and `prometheus.yml`. */
  readonly folder: string;
  readonly port: number;
  readonly config: string;
  readonly flags?: readonly string[];
}

/** Resolves when it is ready. */
export async function runPrometheus({ folder, port, config, flags = [] }: PrometheusOptions): Promise<PeerProcess> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "prometheus.yml");
  writeFileSync(file, config);
  const url = `http://127.0.0.1:${port}`;
  const child = spawn("prometheus", [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    ...flags,
  ]);
  const process = watched(child, url);
  await answers(process, child, "Prometheus", `${url}/-/ready`);
  return process;
}

/** Runs `pleiad` with these arguments until it is ready by its HTTP address. */
export async function runRoleCommand(args: readonly string[], httpAddress: string): Promise<PeerProcess> {
  const child = spawn(process.execPath, [join(root, "apps/cli/src/main.ts"), ...args, "--http-address", httpAddress]);
  const running = watched(child, `http://${httpAddress}`);
  await answers(running, child, `pleiad ${args[0] ?? ""}`, `http://${httpAddress}/-/ready`);
  return running;
}

async function answers(running: PeerProcess, child: ChildProcess, what: string, readyUrl: string): Promise<void> {
  try {
    await eventually(what, 30_000, async () => {
      // What has ended never answers: there is nothing to wait for.
      if (child.exitCode !== null) return false;
      return (await fetch(readyUrl)).ok ? true : undefined;
    });
    if (child.exitCode !== null) throw new Error(`${what} ended with code ${child.exitCode}`);
  } catch (error) {
    child.kill("SIGKILL");
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${running.output()}`, { cause: error });
  }
}

function watched(child: ChildProcess, url: string): PeerProcess {
  let said = "";
  child.stdout?.on("data", (piece: Buffer) => (said += piece.toString()));
  child.stderr?.on("data", (piece: Buffer) => (said += piece.toString()));
  const ended = new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code)));
  return {
    url,
    pid: child.pid ?? 0,
    output: () => said,
    end: async (signal) => {
      child.kill(signal);
      return await ended;
    },
  };
}
