/** An agent as those above ask it for series: the contract holds from its data folder to StoreAPI. */
import { createBlockWriter, newUlid, type BlockChunk } from "@pleiad/blocks";
import { chunkSampleCount } from "@pleiad/chunks";
import { compareLabels, compareText, fail, labelsFromRecord, ok, withoutLabels, type Result } from "@pleiad/model";
import { runSeriesSourceAcceptance, type AcceptanceSeries } from "@pleiad/model/acceptance";
import { testPorts, type TestPorts } from "@pleiad/ports/testing";
import { createStoreClient, defaultStoreClient } from "@pleiad/storeapi";
import { seriesOf, samplesOf } from "@pleiad/storeapi/testing";
import { startAgent, type Agent, type AgentFolder, type AgentOptions } from "./agent.ts";

const hourMs = 3_600_000;
const directory = "/data/a1";

for (const [name, blockEndMs, restarts] of [
  ["an agent with all in its head", 0, false],
  ["an agent that read its log again", 0, true],
  ["an agent with a block and a head", 2 * hourMs, true],
] as const) {
  runSeriesSourceAcceptance(name, async (series) => {
    const ports = testPorts({ startMs: 3 * hourMs }); // soon after the samples of the suite
    const own = series.map(withoutExternal);
    if (blockEndMs > 0) await putBlock(ports, own, blockEndMs);
    const first = await start(ports, async (folder) => await fill(folder, own, blockEndMs));
    if (restarts) await first.stop(0);
    const agent = restarts ? await start(ports) : first;
    const client = createStoreClient("a1:10901", ports, { ...defaultStoreClient, name: "a1" });
    return {
      source: client,
      decode: samplesOf,
      close: async () => {
        await client.close();
        await agent.stop(0);
      },
    };
  });
}

/** The label that all series of the suite have is the external one. */
const externalLabels = labelsFromRecord({ replica: "0" });

function withoutExternal({ labels, samples }: AcceptanceSeries): AcceptanceSeries {
  return { labels: withoutLabels(labels, new Set(["replica"])), samples };
}

async function start(ports: TestPorts, beforeScraping?: AgentOptions["beforeScraping"]): Promise<Agent> {
  const started = await startAgent(
    {
      ...{ name: "a1", directory, externalLabels, grpcAddress: "a1:10901" },
      ...{ targets: [], scrapeIntervalMs: 30_000, retentionMs: 48 * hourMs },
      ...(beforeScraping === undefined ? {} : { beforeScraping }),
    },
    ports,
  );
  if (!started.ok) throw new Error(started.failure.message);
  return started.value;
}

/** The samples from `fromMs` on go into the head. */
async function fill(
  { head }: AgentFolder,
  all: readonly AcceptanceSeries[],
  fromMs: number,
): Promise<Result<undefined, string>> {
  const appender = head.appender();
  for (const { labels, samples } of all) {
    const newer = samples.filter(([timestampMs]) => timestampMs >= fromMs);
    const ref = newer.length === 0 ? undefined : appender.series(labels);
    if (typeof ref === "object") return fail(ref.kind);
    for (const [timestampMs, value] of newer) {
      const outcome = ref === undefined ? "no series" : appender.append(ref, timestampMs, value);
      if (outcome !== "appended") return fail(`${timestampMs}: ${outcome}`);
    }
  }
  const committed = await appender.commit();
  return committed.ok ? ok(undefined) : fail(committed.failure.kind);
}

/** The samples before `endMs` as a block in the folder. */
async function putBlock({ files, random }: TestPorts, all: readonly AcceptanceSeries[], endMs: number): Promise<void> {
  await files.makeDirectory("/data");
  await files.makeDirectory(directory);
  const ulid = newUlid(endMs, random);
  const compaction = { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] };
  const symbols = new Set(all.flatMap(({ labels }) => [...labels]));
  const writer = await createBlockWriter(files, [...symbols].sort(compareText), {
    ...{ directory, ulid, minTimeMs: 0, maxTimeMs: endMs, compaction, thanos: undefined, chunkFileBytesMax: 1 << 20 },
  });
  if (!writer.ok) throw new Error(writer.failure.kind);
  for (const { labels, samples } of [...all].sort((a, b) => compareLabels(a.labels, b.labels))) {
    const older = samples.filter(([timestampMs]) => timestampMs < endMs);
    const added = await writer.value.add(labels, chunksOf({ labels, samples: older }));
    if (!added.ok) throw new Error(added.failure.kind);
  }
  const finished = await writer.value.finish();
  if (!finished.ok) throw new Error(finished.failure.kind);
}

/** Chunks of 120 samples, as a head cuts them. */
function chunksOf({ labels, samples }: AcceptanceSeries): readonly BlockChunk[] {
  return seriesOf(labels, samples).chunks.flatMap(({ minTimeMs, maxTimeMs, content }) => {
    if (content.kind !== "raw") return [];
    const { encoding, data } = content;
    return [{ minTimeMs, maxTimeMs, sampleCount: chunkSampleCount(data), encoding, data }];
  });
}
