/** What a head writes, read by the real thing; skipped where it is not installed. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { encodeXor } from "@pleiad/chunks";
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { appendAll, dump, named, openTestHead, startMs } from "./head.fixtures.ts";
import type { SeriesRef } from "./memory-series.ts";

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;

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
