/**
 * A chunk that is damaged on the disk of an agent or in the bucket: an answer says whose it is, of which block and where, and has
 * what all others gave; or there is no answer, for that reason.
 */
import { createBlockWriter, newUlid, uploadBlock } from "@pleiad/blocks";
import { createBucketStore, defaultBucketStore } from "@pleiad/bucket-store";
import { encodeXor } from "@pleiad/chunks";
import { defaultHead } from "@pleiad/head";
import { labelsFromRecord, type Labels, type SeriesSource } from "@pleiad/model";
import { seededRandom } from "@pleiad/ports";
import { memoryBucket, testPorts, type TestPorts } from "@pleiad/ports/testing";
import { defaultTsdb, openTsdb } from "@pleiad/tsdb";
import { storeHandlers } from "@pleiad/storeapi";
import { memorySource, seriesOf } from "@pleiad/storeapi/testing";
import { describe, expect, it } from "vitest";
import { handlersOf, startAt } from "./hostile-store.testing.ts";
import type { QueryMode } from "./querier.ts";

const hourMs = 3_600_000;
/** A multiple of two hours. */
const startMs = 1_699_992_000_000;
const nowMs = startMs + 6 * hourMs;
const seriesPerBlock = 3;
const stepMs = 10 * 60_000;
const timesOf = (from: number, to: number) =>
  Array.from({ length: ((to - from) * hourMs) / stepMs }, (_, i) => startMs + from * hourMs + i * stepMs);

/** A block of `up{i="0"}` and so on, all samples 1, in a folder; its name. */
async function writeBlock(ports: TestPorts, directory: string, labels: Readonly<Record<string, string>>, from: number) {
  const to = from + 2;
  const ulid = newUlid(startMs + to * hourMs, seededRandom(from));
  const names = Array.from({ length: seriesPerBlock }, (_, i) => String(i));
  const writer = await createBlockWriter(ports.files, ["__name__", "i", "up", ...names].toSorted(), {
    directory,
    ulid,
    minTimeMs: startMs + from * hourMs,
    maxTimeMs: startMs + to * hourMs,
    compaction: { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] },
    thanos: { labels, resolutionMs: 0, source: "sidecar", files: [], indexStats: undefined, uploadTimeMs: undefined },
    chunkFileBytesMax: 1 << 20,
  });
  if (!writer.ok) throw new Error(writer.failure.kind);
  const times = Float64Array.from(timesOf(from, to));
  const [minTimeMs = NaN, maxTimeMs = NaN] = [times[0], times.at(-1)];
  const data = encodeXor(
    times,
    times.map(() => 1),
    0,
    times.length,
  );
  for (const i of names) {
    const chunk = { minTimeMs, maxTimeMs, sampleCount: times.length, encoding: 1 as const, data };
    await writer.value.add(labelsFromRecord({ __name__: "up", i }), [chunk]);
  }
  await writer.value.finish();
  return ulid;
}

/** Another bit in the data of the second chunk. */
function damaged(file: Uint8Array): Uint8Array {
  const copy = file.slice();
  const chunkBytes = (file.length - 8) / seriesPerBlock;
  const at = 8 + Math.floor(1.5 * chunkBytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

const chunkFile = "chunks/000001";

const holders: Record<
  string,
  (ports: TestPorts, labels: Readonly<Record<string, string>>) => Promise<{ source: SeriesSource; ulid: string }>
> = {
  async gateway(ports, labels) {
    const bucket = memoryBucket();
    await ports.files.makeDirectory("/blocks");
    const { signal } = new AbortController();
    const ulids = [];
    for (const from of [0, 2]) {
      const ulid = await writeBlock(ports, "/blocks", labels, from);
      await uploadBlock({ files: ports.files, path: `/blocks/${ulid}`, bucket, signal });
      ulids.push(ulid);
    }
    const [ulid = ""] = ulids;
    await bucket.put(`${ulid}/${chunkFile}`, damaged(await bucket.get(`${ulid}/${chunkFile}`)));
    const options = { ...defaultBucketStore, name: "bucket", directory: "/headers", cacheBytesMax: 1 << 24 };
    const made = createBucketStore(bucket, options, ports);
    if (!made.ok) throw new Error(made.failure);
    await made.value.refresh();
    return { source: made.value, ulid };
  },
  async agent(ports, labels) {
    await ports.files.makeDirectory("/data");
    const ulid = await writeBlock(ports, "/data", labels, 0);
    await writeBlock(ports, "/data", labels, 2);
    const path = `/data/${ulid}/${chunkFile}`;
    ports.files.contents.set(path, damaged(ports.files.contents.get(path) ?? new Uint8Array()));
    const head = { ...defaultHead, externalLabels: labelsFromRecord(labels), intern: (text: string) => text };
    const opened = await openTsdb("/data", { ...defaultTsdb, head }, { ...ports, random: seededRandom(7) });
    if (!opened.ok) throw new Error(opened.failure.kind);
    return { source: opened.value, ulid };
  },
};

const own = { cluster: "a" };
const goodAddress = "127.0.0.1:11001";
const address = "127.0.0.1:11002";

/** A store with a damaged chunk and a good one under a region, and that under a querier. */
async function startTiers(holder: string, mode: QueryMode) {
  const ports = testPorts({ startMs: nowMs });
  const { source, ulid } = (await holders[holder]?.(ports, own)) ?? {};
  if (source === undefined || ulid === undefined) throw new Error(`no ${holder}`);
  const labels: Labels = labelsFromRecord({ __name__: "up", cluster: "b" });
  const good = memorySource([
    seriesOf(
      labels,
      timesOf(0, 4).map((timeMs) => [timeMs, 1] as const),
    ),
  ]);
  await ports.network.serveRpc(goodAddress, handlersOf(good, { cluster: "b" }, ports));
  const served = handlersOf(source, own, ports);
  const times = { minTimeMs: 0, maxTimeMs: Number.MAX_SAFE_INTEGER };
  const external = labelsFromRecord(own);
  const identity = { labelSets: [external], ...times, tsdbInfos: [{ labels: external, ...times }] };
  // An agent evaluates, a gateway does not.
  const asStore = storeHandlers(source, () => ({ ...identity, componentType: "store" }));
  const asAgent = new Map([
    ...served,
    ...storeHandlers(source, () => ({ ...identity, componentType: "sidecar", query: "exact" })),
  ]);
  await ports.network.serveRpc(address, holder === "agent" ? asAgent : asStore);
  const endpoints = [
    { address: goodAddress, name: "cluster-b", expects: [] },
    { address, name: `the ${holder}`, expects: [] },
  ];
  const region = await startAt("127.0.0.1:12000", endpoints, ports, mode);
  await startAt("127.0.0.1:13000", [{ address: region, name: "region", expects: [] }], ports, mode);
  const ask = async (port: number, path: string) => {
    const url = `http://127.0.0.1:${port}/api/v1/${path}&time=${nowMs / 1000}`;
    const { body } = await ports.network.fetchHttp(url, {
      signal: new AbortController().signal,
      bodyBytesMax: 1 << 24,
    });
    return JSON.parse(new TextDecoder().decode(body)) as {
      readonly status: string;
      readonly error?: string;
      readonly warnings?: readonly string[];
      readonly data?: { readonly result: readonly { metric: Record<string, string>; value: [number, string] }[] };
    };
  };
  return { ask, ulid };
}

const counts = `query?query=${encodeURIComponent("sum by (cluster, i) (count_over_time(up[361m]))")}`;
const newerCounts = `query?query=${encodeURIComponent("sum by (cluster, i) (count_over_time(up[3h50m]))")}`;

describe("a damaged chunk", () => {
  for (const holder of Object.keys(holders)) {
    for (const mode of ["fan-out", "distributed"] as const) {
      for (const [tier, port] of [
        ["region", 12_000],
        ["global", 13_000],
      ] as const) {
        it(`of the ${holder}, ${mode}, seen from the ${tier}`, async () => {
          const { ask, ulid } = await startTiers(holder, mode);
          const place = new RegExp(
            `the ${holder}\\b.*block ${ulid}.*chunks/000001 at byte \\d+: the checksum of a chunk`,
          );
          const warned = await ask(port, counts);
          expect(warned.warnings?.join("\n")).toMatch(place);
          expect(warned.status).toBe("success");
          const found = new Map(
            warned.data?.result.map(({ metric, value }) => [`${metric["cluster"]}${metric["i"] ?? ""}`, value[1]]),
          );
          // All of the other store, all of the other block; of the damaged one what comes before.
          expect(found.get("b")).toBe("24");
          expect(found.get("a1")).toBe("12");
          for (const i of [0, 2]) expect(["12", "24"]).toContain(found.get(`a${i}`));
          const aborted = await ask(port, `${counts}&partial_response=false`);
          expect(aborted.status).toBe("error");
          expect(aborted.error).toMatch(place);
          // Who does not read it is not concerned.
          const newer = await ask(port, `${newerCounts}&partial_response=false`);
          expect(newer).toMatchObject({ status: "success" });
          expect(newer.warnings).toBeUndefined();
        });
      }
    }
  }
});
