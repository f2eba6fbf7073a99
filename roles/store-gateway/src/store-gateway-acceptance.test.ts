/** A store gateway as those above ask it for series: the contract holds from the blocks of a bucket to StoreAPI. */
import { createBlockWriter, newUlid, uploadBlock, type BlockChunk } from "@pleiad/blocks";
import { chunkSampleCount } from "@pleiad/chunks";
import { compareLabels, compareText, labelValue, withoutLabels } from "@pleiad/model";
import { runSeriesSourceAcceptance, type AcceptanceSeries } from "@pleiad/model/acceptance";
import { seededRandom, type Bucket } from "@pleiad/ports";
import { memoryBucket, memoryFiles, testPorts } from "@pleiad/ports/testing";
import { createStoreClient, defaultStoreClient } from "@pleiad/storeapi";
import { seriesOf, samplesOf } from "@pleiad/storeapi/testing";
import { startStoreGateway } from "./store-gateway.ts";

const hourMs = 3_600_000;
const grpcAddress = "127.0.0.1:27701";

for (const [name, externalNames] of [
  ["a store gateway over the blocks of one cluster", ["replica"]],
  ["a store gateway over the blocks of five clusters", ["cluster", "replica"]],
] as const) {
  runSeriesSourceAcceptance(name, async (series) => {
    const ports = testPorts({ startMs: 12 * hourMs });
    const bucket = memoryBucket();
    const random = seededRandom(1);
    for (const block of blocksOf(series, externalNames)) await putBlock(bucket, block, newUlid(6 * hourMs, random));
    const gateway = await startStoreGateway(
      bucket,
      {
        ...{ name: "gateway-0", directory: "/headers", renderMetrics: () => "" },
        ...{ httpAddress: "127.0.0.1:27702", grpcAddress },
      },
      ports,
    );
    if (!gateway.ok) throw new Error(gateway.failure.message);
    await ports.clock.advance(1000); // it lists the bucket meanwhile
    const client = createStoreClient(grpcAddress, ports, { ...defaultStoreClient, name: "gateway" });
    return {
      source: client,
      decode: samplesOf,
      close: async () => {
        await client.close();
        await gateway.value.stop(0);
      },
    };
  });
}

/** The samples of two hours under one set of external labels. */
interface BlockData {
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly minTimeMs: number;
  readonly series: readonly AcceptanceSeries[]; // none without samples; without the external labels
}

/** All samples, in blocks as sidecars with these external labels upload them. */
function blocksOf(all: readonly AcceptanceSeries[], externalNames: readonly string[]): readonly BlockData[] {
  const blocks = new Map<string, BlockData>();
  for (const { labels, samples } of all) {
    const externalLabels = Object.fromEntries(externalNames.map((name) => [name, labelValue(labels, name)]));
    for (const minTimeMs of [0, 2 * hourMs]) {
      const part = samples.filter(([t]) => t >= minTimeMs && t < minTimeMs + 2 * hourMs);
      if (part.length === 0) continue;
      const key = JSON.stringify([externalLabels, minTimeMs]);
      const one = { labels: withoutLabels(labels, new Set(externalNames)), samples: part };
      blocks.set(key, { externalLabels, minTimeMs, series: [...(blocks.get(key)?.series ?? []), one] });
    }
  }
  return [...blocks.values()];
}

async function putBlock(bucket: Bucket, block: BlockData, ulid: string): Promise<void> {
  const { externalLabels, minTimeMs, series } = block;
  const files = memoryFiles();
  await files.makeDirectory("/data");
  const symbols = new Set(series.flatMap(({ labels }) => [...labels]));
  const writer = await createBlockWriter(files, [...symbols].sort(compareText), {
    ...{ directory: "/data", ulid, minTimeMs, maxTimeMs: minTimeMs + 2 * hourMs, chunkFileBytesMax: 1 << 20 },
    compaction: { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] },
    thanos: {
      ...{ labels: externalLabels, resolutionMs: 0, source: "sidecar", files: [] },
      ...{ indexStats: undefined, uploadTimeMs: undefined },
    },
  });
  if (!writer.ok) throw new Error(writer.failure.kind);
  for (const one of [...series].sort((a, b) => compareLabels(a.labels, b.labels))) {
    const added = await writer.value.add(one.labels, chunksOf(one));
    if (!added.ok) throw new Error(added.failure.kind);
  }
  const finished = await writer.value.finish();
  if (!finished.ok) throw new Error(finished.failure.kind);
  const uploaded = await uploadBlock({ files, path: `/data/${ulid}`, bucket, signal: new AbortController().signal });
  if (!uploaded.ok) throw new Error(uploaded.failure.kind);
}

/** Chunks of 120 samples, as a head cuts them. */
function chunksOf({ labels, samples }: AcceptanceSeries): readonly BlockChunk[] {
  return seriesOf(labels, samples).chunks.flatMap(({ minTimeMs, maxTimeMs, content }) => {
    if (content.kind !== "raw") return [];
    const { encoding, data } = content;
    return [{ minTimeMs, maxTimeMs, sampleCount: chunkSampleCount(data), encoding, data }];
  });
}
