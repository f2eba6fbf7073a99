/** What a head writes, read by the real thing, and the other way round; skipped where it is not installed. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeXor } from "@pleiad/chunks";
import { formatLabels, labelsFromRecord, parseFloatText } from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { appendAll, dump, named, openTestHead, startMs } from "./head.fixtures.ts";
import type { SeriesRef } from "./memory-series.ts";

const hasPromtool = isInstalled("promtool");
const hasPrometheus = isInstalled("prometheus");

function isInstalled(program: string): boolean {
  const found = spawnSync(program, ["--version"]).status === 0;
  if (!found && process.env["PLEIAD_REQUIRE_PEERS"] === "1") throw new Error(`${program} is required here and missing`);
  return found;
}

/** `promtool tsdb dump` of a head's files: `{labels} value time`, a line each. */
function promtoolDump(contents: ReadonlyMap<string, Uint8Array>): string[] {
  const directory = mkdtempSync(join(tmpdir(), "pleiad-head-"));
  try {
    for (const [path, bytes] of contents) {
      const target = join(directory, path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, bytes);
    }
    const run = spawnSync("promtool", ["tsdb", "dump", join(directory, "data")], { encoding: "utf8", timeout: 20_000 });
    expect(run.stderr).toBe("");
    return run.stdout.trim().split("\n").sort();
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe("promtool", () => {
  it.skipIf(!hasPromtool)("reads log, checkpoint and closed chunks of a head (needs promtool)", async () => {
    const ports = testPorts();
    const options = { samplesPerChunk: 50, checkpointBytesMin: 5000, walSegmentBytes: 65_536 };
    const head = await openTestHead(ports, options);
    const importer = head.importer();
    const times = Float64Array.from({ length: 100 }, (_, i) => startMs - 100_000 + i * 1000);
    importer.add(named("busy", { text: 'ä "quoted"' }), [
      { minTimeMs: startMs - 100_000, maxTimeMs: startMs - 1000, data: encodeXor(times, times, 0, 100) },
    ]);
    expect((await importer.commit()).ok).toBe(true);
    for (let i = 0; i < 180; i++) {
      const t = startMs + i * 1000;
      await appendAll(head, [
        [named("busy", { text: 'ä "quoted"' }), t, i / 7],
        [named("constant"), t, 1],
        [named("negative", { i: String(i % 3) }), t, -i],
      ]);
      if (i === 120) expect(await head.maintain(t)).toMatchObject({ ok: true, value: { isLogTruncated: true } });
    }
    const appender = head.appender();
    appender.appendStale(appender.series(named("constant")) as SeriesRef, startMs + 180_000);
    expect((await appender.commit()).ok).toBe(true);
    expect([...ports.files.contents.keys()].some((path) => path.includes("checkpoint"))).toBe(true);

    const ours = (await dump(head)).map((line) => {
      const [, series = "", time = "", bits = ""] = /^(.*) (\d+) ([0-9a-f]{16})$/.exec(line) ?? [];
      const value = new DataView(BigUint64Array.of(BigInt(`0x${bits}`)).buffer).getFloat64(0, true);
      const labels = series.replace(/^(\w+)\{?/, '{__name__="$1", ').replace(/, $/, "}");
      return { labels, value, time };
    });
    const theirs = promtoolDump(ports.files.contents).map((line) => {
      const [, labels = "", value = "", time = ""] = /^(.*) (\S+) (\d+)$/.exec(line) ?? [];
      return { labels, value: Number(value), time };
    });
    const key = ({ labels, value, time }: { labels: string; value: number; time: string }) =>
      `${labels} ${time} ${value}`;
    expect(theirs.map(key).sort()).toEqual(ours.map(key).sort());
  });
});

const portFirst = 29_100;
const portLast = 29_999;

async function freePort(): Promise<number> {
  for (let port = portFirst; port <= portLast; port++) {
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await once(server, "listening").then(
      () => true,
      () => false,
    );
    server.close();
    if (isFree) return port;
  }
  throw new Error(`no port is free from ${portFirst} to ${portLast}`);
}

/** Runs Prometheus on itself until it has scraped eight times; gives what its API told last, and then its files. */
async function runPrometheus(directory: string): Promise<{ lines: string[]; contents: Map<string, Uint8Array> }> {
  const data = join(directory, "data");
  const address = `127.0.0.1:${await freePort()}`;
  const targets = { targets: [address], labels: { odd: '\u00e4 "quoted"' } };
  const scrape = { job_name: "self", scrape_interval: "1s", scrape_timeout: "1s", static_configs: [targets] };
  const config = join(directory, "prometheus.yml");
  // JSON is YAML.
  writeFileSync(config, JSON.stringify({ scrape_configs: [scrape] }));
  const flags = [`--config.file=${config}`, `--storage.tsdb.path=${data}`, `--web.listen-address=${address}`];
  const peer = spawn("prometheus", flags, { stdio: "ignore" });
  const ended = once(peer, "exit");
  try {
    while (peer.exitCode === null) {
      await sleep(100);
      const lines = await askForAll(address).catch(() => []);
      if (lines.filter((line) => line.startsWith("up{")).length < 8) continue;
      peer.kill("SIGTERM");
      await ended;
      return { lines, contents: filesIn(data) };
    }
  } finally {
    peer.kill("SIGKILL");
    await ended;
  }
  throw new Error(`prometheus ended by itself, with ${peer.exitCode}`);
}

/** All samples as the API tells them, a line each as `dump` has them. */
async function askForAll(address: string): Promise<string[]> {
  const query = encodeURIComponent('{__name__!=""}[1h]');
  const response = await fetch(`http://${address}/api/v1/query?query=${query}`);
  const answer = (await response.json()) as {
    data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
  };
  return answer.data.result.flatMap(({ metric, values }) => {
    const series = formatLabels(labelsFromRecord(metric));
    return values.map(([seconds, text]) => `${series} ${Math.round(seconds * 1000)} ${bitsOf(text)}`);
  });
}

function bitsOf(text: string): string {
  if (text === "NaN") return "7ff8000000000001";
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, parseFloatText(text) ?? NaN);
  return view.getBigUint64(0).toString(16).padStart(16, "0");
}

function filesIn(directory: string): Map<string, Uint8Array> {
  const contents = new Map<string, Uint8Array>();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) contents.set(`/data${path.slice(directory.length)}`, new Uint8Array(readFileSync(path)));
  }
  return contents;
}

describe("a head over the directory of a Prometheus", () => {
  it.skipIf(!hasPrometheus)(
    "has all that its API told, bit by bit, from a compressed log (needs prometheus)",
    { timeout: 60_000 },
    async () => {
      const directory = mkdtempSync(join(tmpdir(), "pleiad-head-"));
      try {
        const { lines, contents } = await runPrometheus(directory);
        expect((contents.get("/data/wal/00000000")?.[0] ?? 0) & 0x08).toBe(0x08);
        const ports = testPorts({ startMs: Date.now() });
        await ports.files.makeDirectory("/data/wal");
        await ports.files.makeDirectory("/data/chunks_head");
        for (const [path, bytes] of contents) ports.files.contents.set(path, bytes);
        const head = await openTestHead(ports);
        expect(head.statistics()).toMatchObject({ repairedBytes: 0, damagedRecords: 0, skippedSamples: 0 });
        // It went on scraping after it was asked.
        const timeOf = (line: string) => Number(/ (\d+) [0-9a-f]{16}$/.exec(line)?.[1]);
        const askedMs = Math.max(...lines.map(timeOf));
        const ours = (await dump(head)).filter((line) => timeOf(line) <= askedMs && !line.endsWith("7ff0000000000002"));
        expect(lines.length).toBeGreaterThan(2000);
        expect(ours.sort()).toEqual(lines.sort());
      } finally {
        rmSync(directory, { recursive: true });
      }
    },
  );
});
