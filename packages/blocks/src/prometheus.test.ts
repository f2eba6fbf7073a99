/** Blocks of ours read by the real thing, and the other way round; skipped where it is not installed. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { formatLabels, labelPairs, labelsFromRecord, parseFloatText } from "@pleiad/model";
import { memoryFiles, type MemoryFileSystem } from "@pleiad/ports/testing";
import { seededRandom } from "@pleiad/ports";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dump, openTestBlock, startMs, testUlid, writeBlock, writeChunked, type TestSeries } from "./block.fixtures.ts";
import { directoryBlockBytes } from "./block-bytes.ts";
import type { BlockChunk } from "./block-writer.ts";
import { defaultVerify, verifyBlock } from "./verify-block.ts";

const hasPromtool = isInstalled("promtool");
const hasPrometheus = isInstalled("prometheus");

function isInstalled(program: string): boolean {
  const found = spawnSync(program, ["--version"]).status === 0;
  if (!found && process.env["PLEIAD_REQUIRE_PEERS"] === "1") throw new Error(`${program} is required here and missing`);
  return found;
}

const random = seededRandom(42);
/** Counters, gauges and constants of a small fleet, 30 s apart over two hours. */
const fleet: readonly TestSeries[] = Array.from({ length: 120 }, (_, i) => ({
  labels: labelsFromRecord({
    __name__: `metric_${i % 12}_total`,
    cluster: `cluster-${i % 7}`,
    job: i % 2 === 0 ? "node" : "",
    odd: '\u00e4 "quoted"\\',
    pod: `pod-${i}`,
  }),
  samples: Array.from({ length: 240 }, (_, k) => {
    const value = i % 3 === 0 ? 1 : i % 3 === 1 ? k * (i + 1) : Math.round(random.float() * 1e6) / 1e3;
    return [startMs + k * 30_000, value] as const;
  }),
}));

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "pleiad-blocks-"));
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

/** A data folder on the disk with the files of a block in memory. */
function dataFolder(name: string, files: MemoryFileSystem): string {
  const data = join(directory, name);
  for (const [path, bytes] of files.contents) {
    const target = join(data, path.slice("/data/".length));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, bytes);
  }
  // Without a log of newest samples promtool does not open a folder.
  mkdirSync(join(data, "wal"), { recursive: true });
  return data;
}

function promtool(...args: readonly string[]): string {
  const run = spawnSync("promtool", ["tsdb", ...args], { encoding: "utf8", timeout: 30_000, maxBuffer: 1 << 28 });
  expect(run.stderr).toBe("");
  expect(run.status).toBe(0);
  return run.stdout;
}

/** Lines of `promtool tsdb dump`: `{__name__="a", b="c"} value time`. */
function promtoolLine(line: string): string {
  const [, labels = "", value = "", time = ""] = /^(.*) (\S+) (\d+)$/.exec(line) ?? [];
  return `${labels} ${time} ${Number(value)}`;
}

function ownLines(series: readonly TestSeries[]): string[] {
  return series.flatMap(({ labels, samples }) => {
    const pairs = [...labelPairs(labels)].map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ");
    return samples.map(([t, value]) => `{${pairs}} ${t} ${value}`);
  });
}

describe("promtool", () => {
  it.skipIf(!hasPromtool)("lists, analyzes and dumps a block of ours (needs promtool)", async () => {
    const files = memoryFiles();
    await writeBlock(files, fleet, { chunkFileBytesMax: 20_000 });
    const data = dataFolder("ours", files);
    const [, row = ""] = promtool("list", data).trim().split("\n");
    expect(row.split(/\s+/).slice(0, 3)).toEqual([testUlid, String(startMs), String(startMs + 7_200_000)]);
    expect(row).toMatch(/ 28800 +240 +120 /);
    expect(promtool("analyze", data)).toContain("Series: 120\nLabel names: 5\n");
    const theirs = promtool("dump", data).trim().split("\n").map(promtoolLine);
    expect(theirs.sort()).toEqual(ownLines(fleet).sort());
  });

  it.skipIf(!hasPromtool)(
    "makes a block that we read, write no larger, and find nothing wrong with (needs promtool)",
    async () => {
      const text = fleet.flatMap(({ labels, samples }) =>
        samples.map(([t, value]) => `${formatLabels(labels).replaceAll(", ", ",")} ${value} ${t / 1000}`),
      );
      const input = join(directory, "input.om");
      writeFileSync(input, `${text.join("\n")}\n# EOF\n`);
      const data = join(directory, "theirs");
      promtool("create-blocks-from", "openmetrics", "--quiet", input, data);
      const theirs = readdirSync(data).filter((name) => name.length === 26);
      expect(theirs.length).toBeGreaterThan(0);
      const read: string[] = [];
      for (const ulid of theirs) {
        const files = memoryFiles();
        for (const entry of readdirSync(join(data, ulid), { recursive: true, withFileTypes: true })) {
          if (!entry.isFile()) continue;
          const path = join(entry.parentPath, entry.name);
          const target = `/data${path.slice(data.length)}`;
          await files.makeDirectory(dirname(target));
          files.contents.set(target, new Uint8Array(readFileSync(path)));
        }
        const block = await openTestBlock(files, { ulid });
        read.push(...(await dump(block)));
        const { signal } = new AbortController();
        const bytes = directoryBlockBytes(files, `/data/${ulid}`);
        const report = await verifyBlock(bytes, { ...defaultVerify, ulid }, signal);
        expect(report).toMatchObject({ ok: true, value: { findings: [] } });
        // Their block, written again.
        const series: { labels: TestSeries["labels"]; chunks: readonly BlockChunk[] }[] = [];
        for await (const { labels, chunks } of block.everySeries(signal)) series.push({ labels, chunks });
        const again = memoryFiles();
        await writeChunked(again, series, { minTimeMs: block.meta.minTimeMs, maxTimeMs: block.meta.maxTimeMs });
        for (const file of ["index", "chunks/000001"]) {
          const ours = again.contents.get(`/data/${testUlid}/${file}`)?.length ?? NaN;
          expect(ours).toBeLessThanOrEqual(statSync(join(data, ulid, file)).size);
        }
        expect(again.contents.get(`/data/${testUlid}/chunks/000001`)).toEqual(
          files.contents.get(`/data/${ulid}/chunks/000001`),
        );
      }
      const wanted = fleet.flatMap(({ labels, samples }) =>
        samples.map(([t, v]) => `${formatLabels(labels)} ${t} ${v}`),
      );
      expect(read.sort()).toEqual(wanted.sort());
    },
  );
});

const portFirst = 27_200;
const portLast = 27_299;

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

interface Answer {
  readonly data: {
    readonly result: readonly { readonly metric: Record<string, string>; readonly values: [number, string][] }[];
  };
}

describe("Prometheus", () => {
  it.skipIf(!hasPrometheus)(
    "serves a folder of our blocks with every sample (needs prometheus)",
    { timeout: 60_000 },
    async () => {
      const files = memoryFiles();
      await writeBlock(files, fleet, { chunkFileBytesMax: 20_000 });
      const data = dataFolder("served", files);
      const address = `127.0.0.1:${await freePort()}`;
      const config = join(directory, "prometheus.yml");
      writeFileSync(config, "{}");
      const flags = [
        `--config.file=${config}`,
        `--storage.tsdb.path=${data}`,
        `--web.listen-address=${address}`,
        "--storage.tsdb.retention.time=100y",
      ];
      const peer = spawn("prometheus", flags, { stdio: "ignore" });
      const ended = once(peer, "exit");
      const ask = async (path: string): Promise<unknown> => (await fetch(`http://${address}/api/v1/${path}`)).json();
      try {
        while (
          peer.exitCode === null &&
          !(await fetch(`http://${address}/-/ready`).then(
            (r) => r.ok,
            () => false,
          ))
        ) {
          await sleep(100);
        }
        const time = (startMs + 7_200_000) / 1000;
        const query = encodeURIComponent('{__name__!=""}[3h]');
        const answer = (await ask(`query?query=${query}&time=${time}`)) as Answer;
        const theirs = answer.data.result.flatMap(({ metric, values }) => {
          const series = formatLabels(labelsFromRecord(metric));
          return values.map(([seconds, text]) => `${series} ${Math.round(seconds * 1000)} ${parseFloatText(text)}`);
        });
        expect(theirs.sort()).toEqual((await dump(await openTestBlock(files))).sort());
        const clusters = await ask("label/cluster/values?start=1&end=2000000000");
        expect(clusters).toMatchObject({ data: Array.from({ length: 7 }, (_, i) => `cluster-${i}`) });
      } finally {
        peer.kill("SIGTERM");
        await ended;
      }
    },
  );
});
