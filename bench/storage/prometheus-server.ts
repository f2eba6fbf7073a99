/** Prometheus on a folder of its own: started, asked, watched by its log, ended or killed. */
import { mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { spawnMeasured, type MeasuredProcess } from "../measured-process.ts";

export interface PrometheusServer extends MeasuredProcess {
  /** From its start until it said that it is ready. */
  readonly readyMs: number;
  /** The body of the answer. */
  get(path: string): Promise<string>;
  post(path: string): Promise<string>;
  /** A series of its own metrics, by its text. */
  metric(series: string): Promise<number>;
  /** What the work gives; where it fails because this process has ended, the failure has its last words. */
  during<T>(work: Promise<T>): Promise<T>;
}

export interface PrometheusServerOptions {
  readonly folder: string; // its data folder
  readonly port: number;
  /** What the configuration file says besides. */
  readonly configuration?: string;
  readonly flags?: readonly string[];
  /** Is given each line of its log. */
  readonly onLine?: (line: string) => void;
}

const readyMsMax = 600_000;
const readyMessage = "Server is ready to receive web requests.";

export async function startPrometheusServer(options: PrometheusServerOptions): Promise<PrometheusServer> {
  const { folder, port, configuration = "", flags = [], onLine } = options;
  mkdirSync(folder, { recursive: true });
  const configurationFile = `${folder}.yml`;
  writeFileSync(configurationFile, `global: {}\n${configuration}`);
  const args = [
    `--config.file=${configurationFile}`,
    `--storage.tsdb.path=${folder}`,
    "--storage.tsdb.retention.time=100y",
    `--web.listen-address=127.0.0.1:${String(port)}`,
    ...flags,
  ];
  const startMs = performance.now();
  // Its own words, as another one that has the port would answer just as well.
  let isReady = false;
  const measured = await spawnMeasured("prometheus", args, {
    onLine(line) {
      if (logField(line, "msg") === readyMessage) isReady = true;
      onLine?.(line);
    },
  });
  const call = async (method: string, path: string) => {
    const answer = await fetch(`http://127.0.0.1:${String(port)}${path}`, { method });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${String(answer.status)} on ${path}: ${text.slice(0, 300)}`);
    return text;
  };
  while (!isReady) {
    if (hasEnded(measured) || performance.now() - startMs > readyMsMax) {
      await measured.kill();
      throw new Error(`Prometheus is not ready: ${measured.complaint()}`);
    }
    await pause(5);
  }
  return {
    ...measured,
    readyMs: performance.now() - startMs,
    get: async (path) => await call("GET", path),
    post: async (path) => await call("POST", path),
    async metric(series) {
      const line = (await call("GET", "/metrics")).split("\n").find((one) => one.startsWith(`${series} `));
      if (line === undefined) throw new Error(`Prometheus has no metric ${series}`);
      return Number(line.slice(series.length + 1));
    },
    async during(work) {
      try {
        return await work;
      } catch (error) {
        // The connection goes some moments before the process is known to have ended.
        for (let waited = 0; waited < 10 && !hasEnded(measured); waited++) await pause(50);
        if (!hasEnded(measured)) throw error;
        throw new Error(`Prometheus has ended: ${measured.complaint()}`, { cause: error });
      }
    },
  };
}

function hasEnded({ child }: MeasuredProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Floats that its head took. */
export const appendedSeries = 'prometheus_tsdb_head_samples_appended_total{type="float"}';

/** A field of a line of its log; undefined where it has none. */
export function logField(line: string, name: string): string | undefined {
  const match = new RegExp(`(?:^| )${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|(\\S+))`).exec(line);
  return match?.[1] ?? match?.[2];
}
