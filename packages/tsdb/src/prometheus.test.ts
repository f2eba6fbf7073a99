/** A data folder, opened by the real thing, and the other way round; skipped where it is not installed. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createHistogramColumns, createSampleColumns, decodeChunk, decodeHistogramChunk } from "@pleiad/chunks";
import {
  collectSeries,
  formatFloat,
  formatLabels,
  labelsFromRecord,
  plainSelect,
  type FloatHistogram,
  type SeriesSource,
} from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { appendAt, at, hourMs, laterPorts, named, openTestTsdb, testOptions } from "./tsdb.fixtures.ts";
import { defaultTsdbView, viewTsdb } from "./tsdb-view.ts";

const hasPrometheus = isInstalled("prometheus");
const hasPromtool = isInstalled("promtool");

function isInstalled(program: string): boolean {
  const found = spawnSync(program, ["--version"]).status === 0;
  if (!found && process.env["PLEIAD_REQUIRE_PEERS"] === "1") throw new Error(`${program} is required here and missing`);
  return found;
}

async function inDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "pleiad-tsdb-"));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function store(contents: ReadonlyMap<string, Uint8Array>, directory: string): void {
  for (const [path, bytes] of contents) {
    const target = join(directory, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, bytes);
  }
}

async function load(directory: string) {
  const ports = testPorts({ startMs: Date.now() });
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = `/data${path.slice(directory.length)}`;
    if (entry.isDirectory()) await ports.files.makeDirectory(name);
    else ports.files.contents.set(name, new Uint8Array(readFileSync(path)));
  }
  return ports;
}

/** All floats, a line each: labels, time, value. Histograms by their counts. */
async function linesOf(source: SeriesSource): Promise<string[]> {
  const { series, failure, warnings } = await collectSeries(source.select(plainSelect, new AbortController().signal));
  expect([failure, warnings]).toEqual([undefined, []]);
  const lines: string[] = [];
  for (const { labels, chunks } of series) {
    const name = formatLabels(labels);
    for (const { content } of chunks) {
      if (content.kind !== "raw") throw new Error("a folder has raw samples only");
      if (content.encoding === 1) {
        const columns = createSampleColumns(120);
        expect(decodeChunk(1, content.data, columns)).toBeUndefined();
        for (let i = 0; i < columns.count; i++) {
          const isMarker = columns.valueWords[2 * i] === 2 && columns.valueWords[2 * i + 1] === 0x7ff00000;
          if (!isMarker) lines.push(`${name} ${columns.timestampsMs[i]} ${formatFloat(columns.values[i] ?? 0)}`);
        }
      } else {
        const columns = createHistogramColumns();
        expect(decodeHistogramChunk(content.encoding, content.data, columns)).toBeUndefined();
        for (let i = 0; i < columns.count; i++) {
          lines.push(`${name} ${columns.timestampsMs[i]} histogram of ${columns.histograms[i]?.count}`);
        }
      }
    }
  }
  return lines.sort();
}

/** A folder with three blocks and a head: floats, native histograms, samples out of order, a staleness marker. */
async function ourFolder() {
  const ports = laterPorts();
  const head = { ...testOptions.head, outOfOrderWindowMs: hourMs };
  const tsdb = await openTestTsdb(ports, { head });
  const odd = named("odd", { text: 'ä "quoted" \\ \n line' });
  const requests = named("request_seconds");
  let count = 0;
  for (let t = at(0); t < at(8.5); t += 60_000) {
    count++;
    await appendAt(
      tsdb.head,
      t,
      new Map([
        [named("steady"), 1],
        [named("counter_total", { pod: "a" }), count * 7],
        [odd, Math.sin(count)],
        ...(count % 97 < 90 ? [[named("gappy"), count / 3] as const] : []),
      ]),
    );
    const appender = tsdb.head.appender();
    const ref = appender.series(requests);
    if (typeof ref !== "number") throw new Error(ref.kind);
    expect(appender.appendHistogram(ref, t, histogramOf(count), "integer")).toBe("appended");
    if (count % 5 === 0) {
      const late = appender.series(named("steady"));
      if (typeof late !== "number") throw new Error(late.kind);
      expect(appender.append(late, t - 90_001, count)).toBe("appended");
    }
    if (count === 500) {
      const gone = appender.series(odd);
      if (typeof gone === "number") appender.appendStale(gone, t + 1000);
    }
    expect((await appender.commit()).ok).toBe(true);
  }
  expect(await tsdb.maintain(at(9))).toMatchObject({ ok: true, value: { cut: { length: 3 } } });
  const lines = await linesOf(tsdb);
  await tsdb.close();
  return { contents: ports.files.contents, lines };
}

function histogramOf(count: number): FloatHistogram {
  return {
    schema: 1,
    zeroThreshold: 0.001,
    zeroCount: count,
    count: 4 * count,
    sum: count * 1.5,
    positiveSpans: [
      { offset: -1, length: 1 },
      { offset: 2, length: 1 },
    ],
    positiveBuckets: Float64Array.of(count, 2 * count),
    negativeSpans: [],
    negativeBuckets: new Float64Array(0),
    customBounds: new Float64Array(0),
    counterReset: "unknown",
  };
}

const portFirst = 29_100;

async function freePort(): Promise<number> {
  for (let port = portFirst; port < portFirst + 800; port++) {
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await once(server, "listening").then(
      () => true,
      () => false,
    );
    server.close();
    if (isFree) return port;
  }
  throw new Error("no port is free");
}

/** Runs Prometheus over a folder until `use` is done with its API. */
async function withPrometheus<T>(
  directory: string,
  scrapes: object[],
  use: (ask: (path: string) => Promise<{ data: unknown }>, address: string) => Promise<T>,
): Promise<T> {
  const address = `127.0.0.1:${await freePort()}`;
  const config = join(directory, "prometheus.yml");
  // JSON is YAML.
  const own = scrapes.map((scrape) => ({ ...scrape, static_configs: [{ targets: [address] }] }));
  writeFileSync(config, JSON.stringify({ scrape_configs: own }));
  const flags = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(directory, "data")}`,
    `--web.listen-address=${address}`,
    "--storage.tsdb.retention.time=100y",
    "--enable-feature=native-histograms",
    "--query.lookback-delta=1m",
  ];
  const peer = spawn("prometheus", flags, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  peer.stderr.on("data", (piece: Uint8Array) => (said += new TextDecoder().decode(piece)));
  const ended = once(peer, "exit");
  try {
    for (;;) {
      if (peer.exitCode !== null) throw new Error(`prometheus ended by itself: ${said.slice(-2000)}`);
      await sleep(100);
      const ready = await fetch(`http://${address}/-/ready`).catch(() => undefined);
      if (ready?.ok === true) break;
    }
    const ask = async (path: string) =>
      (await (await fetch(`http://${address}/api/v1/${path}`)).json()) as { data: unknown };
    const answer = await use(ask, address);
    peer.kill("SIGTERM");
    await ended;
    expect(said.split("\n").filter((line) => /level=(warn|error)/.test(line) && !line.includes("SIGTERM"))).toEqual([]);
    return answer;
  } finally {
    peer.kill("SIGKILL");
    await ended;
  }
}

interface MatrixSeries {
  readonly metric: Record<string, string>;
  readonly values?: [number, string][];
  readonly histograms?: [number, { count: string }][];
}

function matrixLines(data: unknown): string[] {
  const { result } = data as { result: MatrixSeries[] };
  return result
    .flatMap(({ metric, values = [], histograms = [] }) => {
      const name = formatLabels(labelsFromRecord(metric));
      return [
        ...values.map(([seconds, value]) => `${name} ${Math.round(seconds * 1000)} ${value}`),
        ...histograms.map(([seconds, { count }]) => `${name} ${Math.round(seconds * 1000)} histogram of ${count}`),
      ];
    })
    .sort();
}

const everything = encodeURIComponent('{__name__!=""}[12h]');

describe("Prometheus", () => {
  it.skipIf(!hasPrometheus)(
    "serves a data folder of ours, blocks, head and samples out of order, sample for sample (needs prometheus)",
    { timeout: 60_000 },
    async () => {
      const { contents, lines } = await ourFolder();
      await inDirectory(async (directory) => {
        store(contents, directory);
        const theirs = await withPrometheus(directory, [], async (ask) => {
          const { data } = await ask(`query?query=${everything}&time=${at(9) / 1000}`);
          return matrixLines(data);
        });
        expect(lines.length).toBeGreaterThan(2400);
        expect(theirs).toEqual(lines);
      });
    },
  );

  it.skipIf(!hasPromtool)(
    "has tools that list, analyze and dump it (needs promtool)",
    { timeout: 60_000 },
    async () => {
      const { contents, lines } = await ourFolder();
      await inDirectory(async (directory) => {
        store(contents, directory);
        const run = (...words: string[]) => {
          const { stdout, stderr, status } = spawnSync("promtool", ["tsdb", ...words], { encoding: "utf8" });
          expect([stderr, status]).toEqual(["", 0]);
          return stdout;
        };
        const data = join(directory, "data");
        const listed = run("list", data).trim().split("\n").slice(1);
        expect(listed.map((line) => Number(line.split(/\s+/)[1]))).toEqual([at(0), at(2), at(4)]);
        const ulid = listed[0]?.slice(0, 26) ?? "";
        expect(run("analyze", data, ulid)).toContain("Series: 5\n");
        // Its dump of native histograms is of no use before 2.50.
        const dumped = run("dump", '--match={__name__!="request_seconds"}', data).trim().split("\n");
        const floats = lines.filter((line) => !line.includes("histogram of"));
        expect(dumped.filter((line) => !line.includes(" NaN ")).length).toBe(floats.length);
      });
    },
  );
});

describe("a view over the folder of a Prometheus", () => {
  it.skipIf(!hasPrometheus || !hasPromtool)(
    "that has blocks and goes on scraping has all that its API told (needs prometheus, promtool)",
    { timeout: 60_000 },
    async () => {
      await inDirectory(async (directory) => {
        const lines = Array.from({ length: 400 }, (_, i) => {
          const seconds = Math.floor(Date.now() / 1000) - 90_000 + i * 60;
          return `old{i="${i % 3}"} ${Math.sqrt(i)} ${seconds}\nother ${i} ${seconds}\n`;
        });
        writeFileSync(join(directory, "text"), `# TYPE old gauge\n${lines.join("")}# EOF\n`);
        const words = ["tsdb", "create-blocks-from", "openmetrics", join(directory, "text"), join(directory, "data")];
        expect(spawnSync("promtool", words).status).toBe(0);
        const scrape = { job_name: "self", scrape_interval: "1s", scrape_timeout: "1s" };
        const told = await withPrometheus(directory, [scrape], async (ask) => {
          for (;;) {
            await sleep(500);
            const { data } = await ask("query?query=up[1m]");
            if (matrixLines(data).length >= 4) break;
          }
          const { data } = await ask(`query?query=${encodeURIComponent('{__name__!=""}[2d]')}`);
          return matrixLines(data);
        });
        const view = await viewTsdb("/data", defaultTsdbView, await load(join(directory, "data")));
        if (!view.ok) throw new Error(view.failure.kind);
        expect(view.value.blocks().length).toBeGreaterThan(0);
        const timeOf = (line: string) => Number(/ (\d+) (?:histogram of )?\S+$/.exec(line)?.[1]);
        const askedMs = Math.max(...told.map(timeOf));
        const ours = (await linesOf(view.value)).filter((line) => timeOf(line) <= askedMs);
        expect(told.length).toBeGreaterThan(1500);
        expect(ours).toEqual(told.sort());
      });
    },
  );
});
