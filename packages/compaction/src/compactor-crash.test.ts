import { newUlid, type BlockMarkKind, formatBlockMark } from "@pleiad/blocks";
import { BucketError, seededRandom, type Bucket } from "@pleiad/ports";
import { manualClock, memoryBucket, memoryFiles, silentObservations, type MemoryBucket } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { describeBlocks, epochMs, hourMs, listBlocks, putBlock, readAll, steadySeries } from "./compaction.fixtures.ts";
import { createCompactor } from "./bucket-compactor.ts";
import { defaultBlockWork, defaultCompactor, type Compactor } from "./compactor.ts";

/**
 * A bucket with something of everything: blocks to merge, one to downsample, one that was marked long ago, an upload and a
 * deletion that broke off.
 */
async function startingBucket(): Promise<MemoryBucket> {
  const bucket = memoryBucket(() => startMs);
  const labels = { cluster: "a" };
  const series = (from: number, to: number, stepMs: number) => steadySeries(["up"], from, to, stepMs);
  await putBlock(bucket, { from: 0, to: 48, labels, series: series(0, 48, 3_600_000) });
  for (let from = 48; from < 58; from += 2) {
    await putBlock(bucket, { from, to: from + 2, labels, series: series(from, from + 2, 600_000) });
  }
  const mark = (kind: BlockMarkKind, ulid: string, timeMs: number) =>
    bucket.objects.set(`${ulid}/${kind}-mark.json`, formatBlockMark({ kind, ulid, timeMs, details: "", reason: "" }));
  const expired = await putBlock(bucket, { from: -2, to: 0, labels, series: series(-2, 0, 600_000) });
  mark("deletion", expired.ulid, epochMs);
  const ulids = seededRandom(99);
  const [brokenUpload = "", brokenDeletion = ""] = [1, 2].map((hour) => newUlid(epochMs + hour, ulids));
  bucket.objects.set(`${brokenUpload}/chunks/000001`, new Uint8Array(3));
  bucket.objects.set(`${brokenDeletion}/index`, new Uint8Array(3));
  mark("deletion", brokenDeletion, epochMs);
  return bucket;
}

const copyOf = (bucket: MemoryBucket): MemoryBucket => {
  const copy = memoryBucket(() => startMs);
  for (const [key, content] of bucket.objects) copy.objects.set(key, content.slice());
  return copy;
};

/** More by hand: every operation, more seeds. */
const thoroughness = Number(process.env["PLEIAD_THOROUGHNESS"] ?? 1);

const startMs = epochMs + 60 * hourMs;

function openCompactor(bucket: Bucket, files = memoryFiles(), clock = manualClock(startMs)): Compactor {
  const options = { ...defaultCompactor, work: { ...defaultBlockWork, directory: "/work" } };
  const made = createCompactor(bucket, options, { clock, files, observations: silentObservations() });
  if (!made.ok) throw new Error(made.failure);
  return made.value;
}

const pass = async (compactor: Compactor) => await compactor.runPass(new AbortController().signal);

type Fate = "works" | "fails" | "applied-then-fails";

/** Asks before each operation what becomes of it. */
function fated(bucket: Bucket, fate: () => Fate): Bucket {
  const run = async <T>(key: string, act: () => Promise<T>): Promise<T> => {
    const becomes = fate();
    if (becomes === "fails") throw new BucketError("unavailable", key, "down");
    const result = await act();
    if (becomes === "applied-then-fails") throw new BucketError("timeout", key, "no answer");
    return result;
  };
  return {
    name: bucket.name,
    put: (key, body, options) => run(key, () => bucket.put(key, body, options)),
    get: (key, range, signal) => run(key, () => bucket.get(key, range, signal)),
    attributes: (key, signal) => run(key, () => bucket.attributes(key, signal)),
    delete: (key, signal) => run(key, () => bucket.delete(key, signal)),
    async *list(prefix, options) {
      await run(prefix, async () => {});
      yield* bucket.list(prefix, options);
    },
  };
}

async function referenceRun() {
  const start = await startingBucket();
  const samples = await readAll(start);
  const bucket = copyOf(start);
  let operations = 0;
  const counted = fated(bucket, () => {
    operations++;
    return "works";
  });
  expect(await pass(openCompactor(counted))).toEqual({ kind: "done" });
  return { start, samples, bucket, operations };
}

/** The samples of the block that was marked are gone in the end; all others stay, whatever happens. */
const kept = (samples: readonly string[]) => samples.filter((line) => Number(line.split(" ").at(-2)) >= epochMs);

/** Every raw block can be read, and nothing is missing. */
async function expectWhole(bucket: MemoryBucket, samples: readonly string[], at: string): Promise<void> {
  expect(kept(await readAll(bucket)), at).toEqual(kept(samples));
}

describe("a compactor that is killed", () => {
  it("at any operation on the bucket loses nothing, and the next one ends the work", async () => {
    const { start, samples, bucket: reference, operations } = await referenceRun();
    expect(await describeBlocks(reference)).toHaveLength(4);
    for (let n = 0; n < operations; n++) {
      const bucket = copyOf(start);
      const files = memoryFiles();
      let operation = 0;
      await pass(
        openCompactor(
          fated(bucket, () => (operation++ < n ? "works" : "fails")),
          files,
        ),
      );
      await expectWhole(bucket, samples, `killed at ${n}`);
      expect(await pass(openCompactor(bucket, files)), `killed at ${n}`).toEqual({ kind: "done" });
      // The same objects as if nothing had happened: not a byte was left or made twice.
      expect([...bucket.objects.keys()].sort(), `killed at ${n}`).toEqual([...reference.objects.keys()].sort());
      for (const [key, content] of reference.objects) {
        // A mark tells who wrote it, and why.
        if (key.endsWith("-mark.json")) continue;
        expect(Buffer.compare(bucket.objects.get(key)!, content), `${key}, killed at ${n}`).toBe(0);
      }
      expect([...files.contents.keys()].filter((path) => !path.includes("/kept-metas/"))).toEqual([]);
    }
  });

  it("at any operation on its files does so too", async () => {
    const { start, samples, bucket: reference } = await referenceRun();
    for (let n = 1; ; n += Math.ceil(8 / thoroughness)) {
      const bucket = copyOf(start);
      const files = memoryFiles();
      files.failFrom(n, "EIO");
      const { kind } = await pass(openCompactor(bucket, files));
      await expectWhole(bucket, samples, `killed at ${n}`);
      files.heal();
      expect(await pass(openCompactor(bucket, files)), `killed at ${n}`).toEqual({ kind: "done" });
      expect([...bucket.objects.keys()].sort(), `killed at ${n}`).toEqual([...reference.objects.keys()].sort());
      expect([...files.contents.keys()].filter((path) => !path.includes("/kept-metas/"))).toEqual([]);
      if (kind === "done") break;
    }
  });
});

describe("a bucket", () => {
  it.each(["fails", "applied-then-fails"] as const)(
    "where any one operation %s costs no more than a second pass",
    async (becomes) => {
      const { start, samples, bucket: reference, operations } = await referenceRun();
      for (let n = 0; n < operations; n += Math.ceil(6 / thoroughness)) {
        const bucket = copyOf(start);
        let operation = 0;
        const compactor = openCompactor(fated(bucket, () => (operation++ === n ? becomes : "works")));
        await pass(compactor);
        await expectWhole(bucket, samples, `operation ${n}`);
        expect(await pass(compactor), `operation ${n}`).toEqual({ kind: "done" });
        expect(compactor.status().halted).toEqual([]);
        expect([...bucket.objects.keys()].sort(), `operation ${n}`).toEqual([...reference.objects.keys()].sort());
      }
    },
  );

  it("where a tenth of the operations fails is compacted all the same", async () => {
    const { start, samples, bucket: reference } = await referenceRun();
    for (let seed = 0; seed < 5 * thoroughness; seed++) {
      const bucket = copyOf(start);
      const random = seededRandom(seed);
      const fates = ["fails", "applied-then-fails"] as const;
      const compactor = openCompactor(
        fated(bucket, () => (random.float() < 0.1 ? (fates[random.int(2)] ?? "fails") : "works")),
      );
      let passes = 0;
      while ((await pass(compactor)).kind !== "done") {
        expect(++passes, `seed ${seed}`).toBeLessThan(300);
        await expectWhole(bucket, samples, `seed ${seed}`);
      }
      expect([...bucket.objects.keys()].sort(), `seed ${seed}`).toEqual([...reference.objects.keys()].sort());
    }
  });
});

it("what was merged is deleted after the delay, and the bucket holds what it should", async () => {
  const { samples, bucket } = await referenceRun();
  const clock = manualClock(startMs + 49 * hourMs);
  const later: Bucket = {
    ...bucket,
    attributes: async (...asked) => ({ ...(await bucket.attributes(...asked)), modifiedMs: clock.wallMs() }),
  };
  expect(await pass(openCompactor(later, memoryFiles(), clock))).toEqual({ kind: "done" });
  expect((await listBlocks(bucket)).size).toBe(4);
  expect([...bucket.objects.keys()].filter((key) => key.endsWith("mark.json"))).toEqual([]);
  await expectWhole(bucket, samples, "after the deletion");
});
