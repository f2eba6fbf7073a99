/**
 * Runs the programs of a deployment with next to nothing to do, and keeps the pages of metrics that they show: what
 * scripts/metric-catalogue.ts makes the catalogue from. Programs are given by their paths; those left out are not asked.
 *
 *   node scripts/metric-pages.ts OUT_FOLDER thanos=PATH prometheus=PATH alertmanager=PATH
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Program {
  readonly program: "thanos" | "prometheus" | "alertmanager";
  readonly component: string;
  readonly httpPort: number;
  readonly args: readonly string[];
}

const [outFolder = "", ...given] = process.argv.slice(2);
const paths = new Map(given.map((one) => [one.split("=")[0] ?? "", one.slice(one.indexOf("=") + 1)]));
const folder = mkdtempSync(join(tmpdir(), "pleiad-metric-pages-"));
const running: ChildProcess[] = [];

try {
  for (const program of await programs()) {
    const path = paths.get(program.program);
    if (path === undefined) continue;
    const log: string[] = [];
    const child = spawn(path, [...program.args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.on("data", (piece: Buffer) => log.push(piece.toString()));
    child.stderr.on("data", (piece: Buffer) => log.push(piece.toString()));
    running.push(child);
    const page = await pageOf(program, log);
    mkdirSync(join(outFolder, program.program), { recursive: true });
    writeFileSync(join(outFolder, program.program, `${program.component}.txt`), page);
    process.stderr.write(`${program.program} ${program.component}: ${page.split("\n# TYPE ").length} families\n`);
  }
} finally {
  for (const child of running) child.kill();
  rmSync(folder, { recursive: true, force: true });
}

async function programs(): Promise<readonly Program[]> {
  const [prometheus = 0, alertmanager = 0, ...ports] = await freePorts(20);
  const take = () => ports.shift() ?? 0;
  writeFileSync(join(folder, "bucket.yml"), `type: FILESYSTEM\nconfig: { directory: ${join(folder, "bucket")} }\n`);
  writeFileSync(join(folder, "rules.yml"), `groups: [{ name: g, rules: [{ alert: A, expr: "vector(1)" }] }]\n`);
  writeFileSync(join(folder, "alertmanager.yml"), "route: { receiver: none }\nreceivers: [{ name: none }]\n");
  writeFileSync(
    join(folder, "prometheus.yml"),
    `global: { external_labels: { cluster: a } }
rule_files: [${join(folder, "rules.yml")}]
alerting: { alertmanagers: [{ static_configs: [{ targets: ["127.0.0.1:${alertmanager}"] }] }] }
scrape_configs: [{ job_name: p, static_configs: [{ targets: ["127.0.0.1:${prometheus}"] }] }]
remote_write: [{ url: "http://127.0.0.1:${alertmanager}/none" }]
`,
  );
  const bucket = `--objstore.config-file=${join(folder, "bucket.yml")}`;
  const thanos = (component: string, hasGrpc: boolean, ...args: readonly string[]): Program => {
    const httpPort = take();
    const grpc = hasGrpc ? [`--grpc-address=127.0.0.1:${take()}`] : [];
    return {
      program: "thanos",
      component,
      httpPort,
      args: [component, `--http-address=127.0.0.1:${httpPort}`, ...grpc, "--log.level=warn", ...args],
    };
  };
  const data = (name: string) => join(folder, name);
  const query = thanos("query", true, `--endpoint=dns+localhost:${ports[0] ?? 0}`);
  const queryUrl = `http://127.0.0.1:${query.httpPort}`;
  return [
    {
      program: "alertmanager",
      component: "alertmanager",
      httpPort: alertmanager,
      args: [
        `--config.file=${data("alertmanager.yml")}`,
        `--storage.path=${data("alertmanager")}`,
        `--web.listen-address=127.0.0.1:${alertmanager}`,
        `--cluster.listen-address=127.0.0.1:${take()}`,
      ],
    },
    {
      program: "prometheus",
      component: "prometheus",
      httpPort: prometheus,
      args: [
        `--config.file=${data("prometheus.yml")}`,
        `--storage.tsdb.path=${data("prometheus")}`,
        `--web.listen-address=127.0.0.1:${prometheus}`,
        "--storage.tsdb.min-block-duration=2h",
        "--storage.tsdb.max-block-duration=2h",
      ],
    },
    query,
    thanos("query-frontend", false, `--query-frontend.downstream-url=${queryUrl}`),
    thanos("store", true, bucket, `--data-dir=${data("store")}`),
    thanos("compact", false, bucket, `--data-dir=${data("compact")}`, "--wait"),
    thanos(
      ...(["rule", true, bucket, `--data-dir=${data("rule")}`, `--query=${queryUrl}`] as const),
      ...([`--rule-file=${data("rules.yml")}`, '--label=r="0"', "--eval-interval=1s"] as const),
      `--alertmanagers.url=http://127.0.0.1:${alertmanager}`,
    ),
    thanos(
      ...(["receive", true, bucket, `--tsdb.path=${data("receive")}`, '--label=r="0"'] as const),
      `--remote-write.address=127.0.0.1:${take()}`,
    ),
    thanos(
      "sidecar",
      true,
      bucket,
      `--tsdb.path=${data("prometheus")}`,
      `--prometheus.url=http://127.0.0.1:${prometheus}`,
    ),
  ];
}

/** The page once it has been asked for something: families with labels show only what has happened. */
async function pageOf({ component, httpPort }: Program, log: readonly string[]): Promise<string> {
  const base = `http://127.0.0.1:${httpPort}`;
  for (let tries = 0; tries < 100; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    try {
      await fetch(`${base}/api/v1/query?query=up`).then((response) => response.text());
      await new Promise((resolve) => setTimeout(resolve, 3000));
      const response = await fetch(`${base}/metrics`);
      if (response.ok) return await response.text();
    } catch {
      // It does not listen yet.
    }
  }
  throw new Error(`${component} shows no metrics at ${base}:\n${log.join("")}`);
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  return await Promise.all(
    servers.map(async (server) => {
      const address = server.address();
      await new Promise((resolve) => server.close(resolve));
      return typeof address === "object" && address !== null ? address.port : 0;
    }),
  );
}
