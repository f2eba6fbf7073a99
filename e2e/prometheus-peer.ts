/** One head on both sides: the files that Pleiad wrote, read by the real Prometheus and by Pleiad's own query path. */
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createLog, createNodePorts } from "@pleiad/node-ports";
import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import { defaultHead, formatHeadFailure, openHead, type Head } from "@pleiad/head";
import { createHttpApi, defaultHttpApiLimits, loopbackAccess } from "@pleiad/http-api";
import { emptyLabels, type SeriesSource } from "@pleiad/model";
import type { Ports } from "@pleiad/ports";
import { createEngine, defaultEngineOptions } from "@pleiad/promql-exec";
import { eventually } from "./twin-under-test.ts";

export interface RunningServer {
  readonly url: string;
  end(): Promise<void>;
}

/** Starts Prometheus on a copy of a head's files, with nothing to scrape. Resolves when it answers. */
export async function startPrometheus(headDirectory: string, folder: string, port: number): Promise<RunningServer> {
  const dataDirectory = join(folder, "data");
  mkdirSync(folder, { recursive: true });
  cpSync(headDirectory, dataDirectory, { recursive: true });
  const configFile = join(folder, "prometheus.yml");
  writeFileSync(configFile, "global: {}\n");
  const child = spawn(
    "prometheus",
    [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${dataDirectory}`,
      "--storage.tsdb.retention.time=100y",
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let log = "";
  child.stderr.on("data", (piece: Buffer) => (log += piece.toString()));
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const url = `http://127.0.0.1:${port}`;
  await eventually("Prometheus", 20_000, async () => {
    if (child.exitCode !== null) throw new Error(`Prometheus ended with code ${child.exitCode}:\n${log}`);
    return (await fetch(`${url}/-/ready`)).ok ? true : undefined;
  });
  return {
    url,
    end: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Pleiad's query path on the files themselves: head, engine, HTTP API. No labels are attached, as Prometheus has none. */
export async function startPleiad(headDirectory: string): Promise<RunningServer> {
  const head = await openTestedHead(headDirectory, portsOfTest());
  return await serveSource(head, () => head.close());
}

/** The query path on any source, which is closed in the end. The engine's threads are those of `given`, if any. */
export async function serveSource(
  source: SeriesSource,
  close: () => Promise<unknown>,
  given: Pick<Ports, "threads"> = {},
): Promise<RunningServer> {
  const ports = portsOfTest();
  const engine = createEngine(defaultEngineOptions, { ...ports, ...given });
  const handle = createHttpApi(
    {
      engine,
      source,
      stores: () => ({ stores: [], missingClusters: [] }),
      buildInfo: { version: "", revision: "", branch: "", buildUser: "", buildDate: "", goVersion: "" },
      replicaLabels: [],
      partialResponseDefault: true,
      ready: () => ({ ready: true }),
      renderMetrics: () => "",
      access: loopbackAccess,
      limits: defaultHttpApiLimits,
    },
    ports,
  );
  const listener = await ports.network.serveHttp("127.0.0.1:0", handle);
  return {
    url: `http://${listener.address}`,
    end: async () => {
      await listener.close(1000);
      await engine.close();
      await close();
    },
  };
}

/** Opens the head of a directory, hands it to `work`, and makes durable what that wrote. */
export async function changeHead<T>(headDirectory: string, work: (head: Head) => Promise<T>): Promise<T> {
  const head = await openTestedHead(headDirectory, portsOfTest());
  try {
    return await work(head);
  } finally {
    await head.close();
  }
}

async function openTestedHead(directory: string, ports: Ports): Promise<Head> {
  const opened = await openHead(
    { ...defaultHead, directory, externalLabels: emptyLabels, intern: (text) => text },
    ports,
  );
  if (!opened.ok) throw new Error(formatHeadFailure(opened.failure));
  return opened.value;
}

export function portsOfTest(): Ports {
  return createNodePorts({ observations: observationsOf(createMetricRegistry(), createLog({ level: "error" })) });
}
