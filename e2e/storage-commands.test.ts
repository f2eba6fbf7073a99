/** `pleiad tsdb` and `pleiad bucket` on folders and buckets, whole and damaged. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createBlockWriter, newUlid, uploadBlock } from "@pleiad/blocks";
import { encodeXor } from "@pleiad/chunks";
import { compareLabels, labelsFromRecord } from "@pleiad/model";
import { nodeClock, nodeFiles } from "@pleiad/node-ports";
import { createFileBucket } from "@pleiad/objstore";
import { seededRandom } from "@pleiad/ports";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pleiad, temporaryFolder } from "./twin-under-test.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const data = join(folder.path, "data");
const bucketFolder = join(folder.path, "bucket");
const startMs = 1_763_640_000_000;
const spanMs = 7_200_000;
const stepMs = 30_000;
const files = nodeFiles();
const bucket = createFileBucket(bucketFolder, files, nodeClock());
const ulids: string[] = [];
const { signal } = new AbortController();

/** Two blocks of two hours, three series each, and both in the bucket under the labels of a cluster. */
beforeAll(async () => {
  // promtool wants a log, if an empty one.
  await files.makeDirectory(join(data, "wal"));
  await files.makeDirectory(bucketFolder);
  for (const window of [0, 1]) {
    const minTimeMs = startMs + window * spanMs;
    const ulid = newUlid(minTimeMs, seededRandom(window + 1));
    ulids.push(ulid);
    const writer = await createBlockWriter(files, ["__name__", "job", "load1", "node", "other", "up"].sort(), {
      directory: data,
      ulid,
      minTimeMs,
      maxTimeMs: minTimeMs + spanMs,
      compaction: { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] },
      thanos: undefined,
      chunkFileBytesMax: 512 * 1024 * 1024,
    });
    if (!writer.ok) throw new Error("the block cannot be written");
    const times = Float64Array.from({ length: 120 }, (_, i) => minTimeMs + i * stepMs);
    const values = times.map((_, i) => i / 4);
    const all = [
      labelsFromRecord({ __name__: "load1", job: "node" }),
      labelsFromRecord({ __name__: "up", job: "node" }),
      labelsFromRecord({ __name__: "up", job: "other" }),
    ].sort(compareLabels);
    for (const labels of all) {
      const chunk = {
        minTimeMs: times[0] ?? 0,
        maxTimeMs: times[119] ?? 0,
        sampleCount: 120,
        encoding: 1,
        data: encodeXor(times, values, 0, 120),
      } as const;
      await must(writer.value.add(labels, [chunk]));
    }
    await must(writer.value.finish());
    const thanos = {
      labels: { cluster: window === 0 ? "berlin" : "tokyo" },
      resolutionMs: 0,
      source: "sidecar",
      files: [],
      indexStats: undefined,
      uploadTimeMs: undefined,
    };
    await must(uploadBlock({ files, path: join(data, ulid), bucket, signal, thanos }));
  }
}, 30_000);

async function must(step: Promise<{ readonly ok: boolean }>): Promise<void> {
  const result = await step;
  if (!result.ok) throw new Error(JSON.stringify(result));
}

const lines = (text: string) => text.trimEnd().split("\n");

describe("pleiad tsdb", () => {
  it("analyze lists blocks and what the newest is made of", async () => {
    const { code, stdout, stderr } = await pleiad(["tsdb", "analyze", data]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(lines(stdout)[1]).toMatch(
      new RegExp(`^${String(ulids[0])}  2025-11-20 12:00:00 +2h +1 +3 +3 +360 +[\\d.]+ KiB +[\\d.]+$`),
    );
    expect(stdout).toContain(`Block ${String(ulids[1])}`);
    expect(stdout).toMatch(/^METRIC +SERIES\nup +2\nload1 +1$/m);
  });

  it("dump prints every sample as promtool does", async () => {
    const { code, stdout } = await pleiad(["tsdb", "dump", data, "--match", 'up{job="node"}']);
    expect(code).toBe(0);
    expect(lines(stdout)).toHaveLength(240);
    expect(lines(stdout)[1]).toBe(`{__name__="up", job="node"} 0.25 ${String(startMs + stepMs)}`);
    const promtool = spawnSync("promtool", ["tsdb", "dump", data, "--match", 'up{job="node"}'], { encoding: "utf8" });
    if (promtool.error === undefined) expect(lines(stdout)).toEqual(lines(promtool.stdout));
    else expect(process.env["PLEIAD_REQUIRE_PEERS"]).toBeUndefined();
  });

  it("verify finds blocks whole", async () => {
    const { code, stdout } = await pleiad(["tsdb", "verify", data]);
    expect(stdout).toBe(ulids.map((ulid) => `${ulid}  whole: 3 series, 360 samples\n`).join(""));
    expect(code).toBe(0);
  });

  it("verify says what is wrong with a damaged one, and fails", async () => {
    const copy = join(folder.path, "damaged");
    spawnSync("cp", ["-r", join(data, String(ulids[0])), copy]);
    const chunks = join(copy, "chunks/000001");
    const bytes = readFileSync(chunks);
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    writeFileSync(chunks, bytes);
    const { code, stdout, stderr } = await pleiad(["tsdb", "verify", copy]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/chunks\/000001.*checksum/);
    expect(stderr).toMatch(/^\d+ findings\n$/);
  });

  for (const [what, args, message] of [
    ["a folder that is not there", ["tsdb", "dump", "/no/such"], "there is no folder /no/such\n"],
    [
      "a folder without blocks",
      ["tsdb", "verify", folder.path],
      `${folder.path} holds no blocks, and is none itself\n`,
    ],
    ["a selector that is none", ["tsdb", "dump", data, "--match", "up{"], /^1:4: parse error: /],
    ["a time that is none", ["tsdb", "dump", data, "--min-time", "soon"], /^soon is no time: /],
    ["a block that is not there", ["tsdb", "analyze", data, "01ARZ3NDEKTSV4RRFFQ69G5FAV"], /^there is no block 01ARZ/],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const { code, stderr } = await pleiad(args);
      if (typeof message === "string") expect(stderr).toBe(message);
      else expect(stderr).toMatch(message);
      expect(code).toBe(2);
    });
  }
});

describe("pleiad bucket", () => {
  it("ls lists blocks by time, with their labels", async () => {
    const { code, stdout } = await pleiad(["bucket", "ls", "--dir", bucketFolder]);
    expect(code).toBe(0);
    expect(lines(stdout)).toHaveLength(3);
    expect(lines(stdout)[1]).toMatch(
      new RegExp(`^${String(ulids[0])}  2025-11-20 12:00:00 +2h +1 +raw +3 +360 +\\d+ B +- +cluster=berlin$`),
    );
  });

  it("inspect sums up each stream, here one, through a configuration as Thanos has it", async () => {
    const file = join(folder.path, "bucket.yaml");
    writeFileSync(file, `type: FILESYSTEM\nconfig: { directory: ${bucketFolder} }\n`);
    const args = ["bucket", "inspect", "--objstore", file, "--label", "cluster=tokyo"];
    const { code, stdout } = await pleiad(args);
    expect(code).toBe(0);
    expect(lines(stdout)).toHaveLength(2);
    expect(lines(stdout)[1]).toMatch(/^cluster=tokyo +raw +1 +1: 1 +2025-11-20 14:00:00 +2025-11-20 16:00:00 +360 /);
  });

  it("verify reads blocks from the bucket, and tells of uploads that broke off", async () => {
    await bucket.put("01ARZ3NDEKTSV4RRFFQ69G5FAV/index", new Uint8Array(8));
    const { code, stdout } = await pleiad(["bucket", "verify", "--dir", bucketFolder]);
    expect(stdout).toContain(`${String(ulids[1])}  whole: 3 series, 360 samples\n`);
    expect(stdout).toContain(
      "01ARZ3NDEKTSV4RRFFQ69G5FAV has no meta.json: an upload under way, or one that broke off\n",
    );
    expect(code).toBe(0);
  });

  for (const [what, args, message] of [
    ["no bucket", ["bucket", "ls"], /^give either --objstore <file> or --dir <folder>\n$/],
    ["a folder that is not there", ["bucket", "ls", "--dir", "/no/such"], /^there is no folder \/no\/such\n$/],
    ["a configuration that is not there", ["bucket", "ls", "--objstore", "/no/such"], /^\/no\/such: ENOENT/],
    ["a label that is none", ["bucket", "ls", "--dir", bucketFolder, "--label", "x"], /^x is no label: /],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const { code, stderr } = await pleiad(args);
      expect(stderr).toMatch(message);
      expect(code).toBe(2);
    });
  }
});
