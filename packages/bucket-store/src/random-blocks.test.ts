/** Buckets at random: whatever lies in them and however little may be kept, an answer has every sample of the raw blocks once. */
import type { BlockMeta } from "@pleiad/blocks";
import { labelsFromRecord, type Labels, type Matcher } from "@pleiad/model";
import { seededRandom, type Random } from "@pleiad/ports";
import { memoryBucket } from "@pleiad/ports/testing";
import { expect, it } from "vitest";
import {
  ask,
  epochMs,
  hourMs,
  linesOf,
  openStore,
  putBlock,
  putCompacted,
  putDeletionMark,
  type TestBlock,
  type TestSample,
} from "./bucket-store.fixtures.ts";

const names = ["apples", "pears", "plums"];
const clusters = ["a", "b"];

function randomBlock(random: Random, cluster: string, from: number): TestBlock {
  const series = new Map<Labels, TestSample[]>();
  const stepMs = 15_000 * (1 + random.int(20));
  for (const name of names) {
    for (let i = random.int(4); i >= 0; i--) {
      const samples: TestSample[] = [];
      const toMs = epochMs + (from + 2) * hourMs;
      for (let time = epochMs + from * hourMs + random.int(stepMs); time < toMs; time += stepMs) {
        if (random.int(8) > 0) samples.push([time, random.int(1000)]);
      }
      if (samples.length > 0) series.set(labelsFromRecord({ __name__: name, i: String(i) }), samples);
    }
  }
  if (series.size === 0) series.set(labelsFromRecord({ __name__: "apples" }), [[epochMs + from * hourMs, 1]]);
  return { from, to: from + 2, external: { cluster }, series };
}

const matcherSets: readonly (readonly Matcher[])[] = [
  [],
  [{ type: "=", name: "__name__", value: "pears" }],
  [{ type: "=~", name: "cluster", value: "a|c" }],
  [{ type: "!=", name: "i", value: "0" }],
  [
    { type: "=~", name: "__name__", value: "p.+" },
    { type: "=", name: "cluster", value: "b" },
  ],
];

function isWanted(line: string, at: number): boolean {
  return (
    [
      () => true,
      () => line.startsWith("pears{"),
      () => line.includes('cluster="a"'),
      () => !line.includes('i="0"'),
      () => line.startsWith("p") && line.includes('cluster="b"'),
    ][at]?.() === true
  );
}

it("every sample once, whatever was compacted, marked or deleted meanwhile", async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const random = seededRandom(seed);
    const bucket = memoryBucket();
    const blocks: TestBlock[] = [];
    const metas = new Map<string, BlockMeta[]>(clusters.map((cluster) => [cluster, []]));
    for (const cluster of clusters) {
      for (let from = 0; from < 10; from += 2) {
        if (random.int(5) === 0) continue;
        const block = randomBlock(random, cluster, from);
        blocks.push(block);
        metas.get(cluster)?.push(await putBlock(bucket, block));
      }
    }
    const { store } = await openStore(bucket, {
      cacheBytesMax: [0, 20_000, 1 << 24][random.int(3)] ?? 0,
      keptBytesMax: random.int(2) << 20,
      readRuns: { windowBytes: 1 << (15 + random.int(3)), gapBytesMax: random.int(2) << 18, runBytesMax: 1 << 18 },
    });
    for (let round = 0; round < 5; round++) {
      const of = metas.get(clusters[random.int(2)] ?? "") ?? [];
      const from = random.int(Math.max(1, of.length));
      const parents = of.slice(from, from + 1 + random.int(3));
      if (parents.length > 1) {
        of.splice(from, parents.length, await putCompacted(bucket, parents));
        for (const { ulid } of parents) {
          const fate = random.int(3);
          if (fate === 0) await putDeletionMark(bucket, ulid, epochMs - random.int(48) * hourMs);
          if (fate !== 1) continue;
          for (const key of [...bucket.objects.keys()]) if (key.startsWith(ulid)) await bucket.delete(key);
        }
      }
      if (random.int(2) === 0) await store.refresh();
      const minTimeMs = epochMs + random.int(10 * hourMs);
      const maxTimeMs = minTimeMs + random.int(10 * hourMs);
      const at = random.int(matcherSets.length);
      const answer = await ask(store, {
        matchers: matcherSets[at] ?? [],
        minTimeMs,
        maxTimeMs,
        maxResolutionMs: random.int(2) * 300_000,
        onFailure: "abort",
      });
      const wanted = linesOf(blocks, minTimeMs, maxTimeMs).filter((line) => isWanted(line, at));
      expect(answer, `seed ${seed}, round ${round}`).toEqual({ lines: wanted, failure: undefined, warnings: [] });
    }
  }
});
