/** An engine behind the Prometheus HTTP API, as a process of its own: started, measured, ended. */
import { chmodSync, chownSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { memoryFlags } from "@pleiad/node-ports";
import { spawnMeasured, type MeasuredProcess, type ProcessMeasures } from "./measured-process.ts";
import { referenceCluster } from "./reference-fleet.ts";
import type { ReferenceData } from "./reference-data.ts";

export interface EngineProcess extends Pick<ProcessMeasures, "cpuMs" | "resetPeak" | "peakBytes"> {
  readonly name: EngineName;
  /** The body, once it is whole; with the parameters that the engine needs besides. */
  ask(path: string): Promise<Buffer>;
  /** How long the whole answer takes. It is not kept: a hundred MiB in this process would be felt by all. */
  time(path: string): Promise<number>;
  end(): Promise<void>;
}

export interface EngineOptions {
  readonly data: ReferenceData;
  readonly folder: string; // for what the engine writes
  readonly port: number;
}

const nobody = 65534;

const starts = {
  pleiad: startPleiad,
  prometheus: startPrometheus,
  "victoria-metrics": startVictoriaMetrics,
} satisfies Record<string, (options: EngineOptions) => Promise<EngineProcess>>;

export type EngineName = keyof typeof starts;

export const engineNames = Object.keys(starts) as readonly EngineName[];

/** Resolves when it answers; VictoriaMetrics then has the data, too. */
export async function startEngine(name: EngineName, options: EngineOptions): Promise<EngineProcess> {
  return await starts[name](options);
}

async function startPleiad({ data, port }: EngineOptions): Promise<EngineProcess> {
  const main = fileURLToPath(new URL("../apps/cli/src/main.ts", import.meta.url));
  const args = [...memoryFlags, main, "tsdb", "serve", data.blocks, "--listen", `127.0.0.1:${String(port)}`];
  return await start("pleiad", process.execPath, args, port, {});
}

async function startPrometheus({ data, folder, port }: EngineOptions): Promise<EngineProcess> {
  const configuration = `${folder}/prometheus.yml`;
  writeFileSync(configuration, "global: {}\n");
  const blocks = `${folder}/prometheus`;
  cpSync(data.blocks, blocks, { recursive: true });
  // After a minute it would merge blocks that lie side by side in time, and from then on be asked about other files than
  // we are. In a folder where it may not create any, each attempt ends at once.
  for (const name of ["wal", "chunks_head"]) mkdirSync(`${blocks}/${name}`, { recursive: true });
  for (const name of ["queries.active", "lock"]) writeFileSync(`${blocks}/${name}`, "");
  const isRoot = process.getuid?.() === 0;
  const own = ["wal", "chunks_head", "queries.active", "lock"];
  if (isRoot) for (const name of own) chownSync(`${blocks}/${name}`, nobody, nobody);
  chmodSync(blocks, 0o555);
  chmodSync(folder, 0o755);
  const args = [
    `--config.file=${configuration}`,
    `--storage.tsdb.path=${blocks}`,
    "--storage.tsdb.retention.time=100y",
    "--log.level=error",
    `--web.listen-address=127.0.0.1:${String(port)}`,
  ];
  const engine = await start("prometheus", "prometheus", args, port, {}, isRoot ? nobody : undefined);
  return {
    ...engine,
    async end() {
      await engine.end();
      chmodSync(blocks, 0o755);
    },
  };
}

async function startVictoriaMetrics({ data, folder, port }: EngineOptions): Promise<EngineProcess> {
  const args = [
    `-storageDataPath=${folder}/victoria-metrics`,
    "-retentionPeriod=100y",
    `-httpListenAddr=127.0.0.1:${String(port)}`,
    "-search.latencyOffset=0s",
    "-search.maxUniqueTimeseries=1000000",
    "-search.maxSeries=1000000",
    "-loggerLevel=ERROR",
  ];
  // Its cache of results would answer all but the first of equal questions.
  const engine = await start("victoria-metrics", "victoria-metrics", args, port, { nocache: "1" });
  try {
    await importInto(port, data);
  } catch (error) {
    await engine.end();
    throw error;
  }
  return engine;
}

async function importInto(port: number, { fleet }: ReferenceData): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  for (let cluster = 1; cluster <= fleet.clusters; cluster++) {
    let lines = "";
    for (const { labels, timestampsMs, values } of referenceCluster(cluster, fleet)) {
      const metric: Record<string, string> = {};
      for (let i = 0; i < labels.length; i += 2) metric[labels[i] ?? ""] = labels[i + 1] ?? "";
      const kept = [...values.keys()].filter((i) => !Number.isNaN(values[i]));
      const line = { metric, values: kept.map((i) => values[i]), timestamps: kept.map((i) => timestampsMs[i]) };
      lines += `${JSON.stringify(line)}\n`;
    }
    await send(agent, port, "POST", "/api/v1/import", lines);
  }
  await send(agent, port, "GET", "/internal/force_flush");
  agent.destroy();
}

async function start(
  name: EngineName,
  command: string,
  args: readonly string[],
  port: number,
  extra: Readonly<Record<string, string>>,
  uid?: number,
): Promise<EngineProcess> {
  const measured = await spawnMeasured(command, args, { uid });
  const agent = new Agent({ keepAlive: true });
  const end = async () => {
    agent.destroy();
    await measured.end();
  };
  try {
    await ready(measured, agent, port);
  } catch (error) {
    await end();
    throw error;
  }
  return {
    name,
    ask: async (path) => await send(agent, port, "GET", withParameters(path, extra)),
    async time(path) {
      const before = performance.now();
      await send(agent, port, "GET", withParameters(path, extra), "", "drop");
      return performance.now() - before;
    },
    cpuMs: () => measured.cpuMs(),
    resetPeak: () => measured.resetPeak(),
    peakBytes: () => measured.peakBytes(),
    end,
  };
}

async function ready(engine: MeasuredProcess, agent: Agent, port: number): Promise<void> {
  const attemptsMax = 600;
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const { exitCode } = engine.child;
    if (exitCode !== null) throw new Error(`it ended with ${String(exitCode)}: ${engine.complaint()}`);
    try {
      await send(agent, port, "GET", "/api/v1/query?query=1");
      return;
    } catch {
      await pause(100);
    }
  }
  throw new Error(`it is not ready after a minute: ${engine.complaint()}`);
}

function withParameters(path: string, extra: Readonly<Record<string, string>>): string {
  const more = new URLSearchParams(extra).toString();
  return more === "" ? path : `${path}&${more}`;
}

function send(
  agent: Agent,
  port: number,
  method: string,
  path: string,
  body = "",
  answerBody: "keep" | "drop" = "keep",
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ agent, host: "127.0.0.1", port, method, path }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on("data", (piece: Buffer) => {
        if (answerBody === "keep" || (answer.statusCode ?? 0) >= 300) pieces.push(piece);
      });
      answer.on("error", reject);
      answer.on("end", () => {
        const whole = Buffer.concat(pieces);
        const status = answer.statusCode ?? 0;
        if (status >= 200 && status < 300) resolve(whole);
        else reject(new Error(`${String(status)} on ${path.slice(0, 200)}: ${whole.toString("utf8", 0, 300)}`));
      });
    });
    outgoing.on("error", reject);
    outgoing.setHeader("content-length", Buffer.byteLength(body));
    outgoing.end(body);
  });
}
