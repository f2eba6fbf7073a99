/**
 * The history of a twin: made up in the bucket, compacted, downsampled, served by store gateways; then what it depends on
 * is broken. A small fleet and thirty days, so that a whole window of fourteen days is among them and every resolution
 * comes to be.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  defaultVerify,
  directoryBlockBytes,
  formatBlockFailure,
  parseBlockMeta,
  verifyBlock,
  type BlockMeta,
} from "@pleiad/blocks";
import { emptyLabels, labelValue } from "@pleiad/model";
import { nodeFiles } from "@pleiad/node-ports";
import { fillValues, makeUpCluster, timeColumn } from "@pleiad/twin";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  eventually,
  processesOf,
  processLives,
  startTwin,
  temporaryFolder,
  type Answer,
  type RunningTwin,
} from "./twin-under-test.ts";

const basePort = 28_500;
const fleet = `
version: 1
name: past
defaults: { scrapeInterval: 30s }
nodes:
  node-1: { tier: 1, role: global, cores: 4, memory: 8Gi, disk: 100Gi, network: 1Gbit/s }
  node-2: { tier: 2, role: regional, cores: 4, memory: 8Gi, disk: 100Gi, network: 1Gbit/s }
  node-3: { tier: 3, role: storage, cores: 4, memory: 8Gi, disk: 100Gi, network: 1Gbit/s }
  node-4: { tier: 1, role: global, cores: 4, memory: 8Gi, disk: 100Gi, network: 1Gbit/s }
groups:
  shops: { clusters: shop-1, series: 12k }
regions:
  east: { clusters: shop-1 }
roles:
  global-querier: { cpu: 1, memory: 1Gi, on: [node-1] }
  regional-querier: { cpu: 500m, memory: 1Gi }
  global-store-gateway: { cpu: 250m, memory: 512Mi, on: [node-1] }
  regional-store-gateway: { cpu: 250m, memory: 512Mi }
  compactor: { cpu: 500m, memory: 1Gi, on: [node-4] }
  object-store: { cpu: 500m, memory: 1Gi }
  monitoring-agent: { cpu: 250m, memory: 512Mi, on: [node-1] }
objectStorage: { bucket: past, capacity: 50Gi }
twin: { basePort: ${basePort}, seriesScale: 0.01, history: 30d }
`;

const intervalMs = 30_000;
const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const seriesCount = 120;

/** A cluster's own grid of scrapes, and what its function says of a series on it. */
const shop1 = makeUpCluster({ name: "shop-1", number: 1, seriesCount });
const offsetMs = 7919 % intervalMs;
const onGrid = (timeMs: number) => Math.floor((timeMs - offsetMs) / intervalMs) * intervalMs + offsetMs;

function expectedValues(metric: string, timesMs: readonly number[]): readonly number[] {
  const series = shop1.series.find(({ labels }) => labelValue(labels, "__name__") === metric);
  if (series === undefined) throw new Error(`no ${metric}`);
  const values = new Float64Array(timesMs.length);
  fillValues(series, timeColumn(Float64Array.from(timesMs)), values, 0);
  return [...values];
}

/** Every scrape of (fromMs, toMs]. */
function gridOf(fromMs: number, toMs: number): readonly number[] {
  const firstMs = onGrid(fromMs) + intervalMs;
  return Array.from(
    { length: Math.max(0, Math.floor((toMs - firstMs) / intervalMs) + 1) },
    (_, i) => firstMs + i * intervalMs,
  );
}

describe("a twin with thirty days of history", () => {
  const folder = temporaryFolder();
  const state = join(folder.path, "state");
  const bucketFolder = join(state, "fleets/past/roles/object-store-0/buckets/past");
  const file = join(folder.path, "past.yaml");
  let twin: RunningTwin;

  const ask = async (query: string, timeMs: number, resolution = "0s") => {
    const parameters = { query, time: (timeMs / 1000).toFixed(3), max_source_resolution: resolution };
    const response = await fetch(`${twin.apiUrls[0]}/api/v1/query?${new URLSearchParams(parameters).toString()}`);
    const answer = (await response.json()) as Answer;
    expect(answer.error, query).toBeUndefined();
    return answer;
  };
  const scalar = async (query: string, timeMs: number, resolution?: string) => {
    const { warnings, data } = await ask(query, timeMs, resolution);
    expect(warnings, query).toBeUndefined();
    expect(data.result, query).toHaveLength(1);
    return Number(data.result[0]?.value?.[1]);
  };
  const historyIsWhole = async () =>
    await eventually("the history", 240_000, async () => (/History .*is whole/.test(twin.output()) ? true : undefined));
  const pidOf = (name: string) => twin.processes().find((one) => one.name === name)?.pid as number;
  /** Blocks that are there and not marked for deletion. */
  const blocks = (): readonly BlockMeta[] =>
    readdirSync(bucketFolder).flatMap((name) => {
      try {
        const files = readdirSync(join(bucketFolder, name));
        if (!files.includes("meta.json") || files.includes("deletion-mark.json")) return [];
        const meta = parseBlockMeta(new Uint8Array(readFileSync(join(bucketFolder, name, "meta.json"))));
        return meta.ok ? [meta.value] : [];
      } catch {
        return []; // Deleted meanwhile, or no block.
      }
    });
  const killAll = async () => {
    const family = processesOf(twin.pid);
    for (const { pid } of family) if (pid !== twin.pid && processLives(pid)) process.kill(pid, "SIGKILL");
    await twin.end("SIGKILL");
    await eventually("every process gone", 10_000, async () =>
      family.some(({ pid }) => processLives(pid)) ? undefined : true,
    );
  };

  beforeAll(async () => {
    writeFileSync(file, fleet);
    twin = await startTwin(file, state);
  });
  afterAll(async () => {
    await twin.end("SIGINT");
    folder.remove();
  });

  it("goes on with its history after SIGKILL of every process, where it was", { timeout: 480_000 }, async () => {
    // Of what compaction has merged, and may not have marked yet, each is counted once.
    const made = () => new Set(blocks().flatMap(({ compaction }) => compaction.sources)).size;
    await eventually("some of the history", 160_000, async () => (made() > 60 ? true : undefined));
    await killAll();
    const madeAtLeast = made();
    twin = await startTwin(file, state);
    await historyIsWhole();
    const [, left] = /History +30d of it comes in the background, (\d+) blocks/.exec(twin.output()) ?? [];
    expect(Number(left)).toBeGreaterThan(0);
    // A block for every two hours, and one that was under way.
    expect(Number(left)).toBeLessThanOrEqual(30 * 12 + 1 - madeAtLeast);
  });

  it("keeps a bucket sound whose compactor is killed again and again", { timeout: 600_000 }, async () => {
    for (let round = 0; round < 4; round++) {
      const pid = await eventually("the compactor's process", 60_000, async () => pidOf("node-4"));
      await new Promise((resolve) => setTimeout(resolve, 700 * (round + 1)));
      process.kill(pid, "SIGKILL");
      await eventually("its end", 10_000, async () => (processLives(pid) ? undefined : true));
    }
    const weeksAgoMs = Date.now() - 15 * dayMs;
    const coversWeeksAgo = ({ minTimeMs, maxTimeMs }: BlockMeta) => minTimeMs <= weeksAgoMs && maxTimeMs > weeksAgoMs;
    await eventually("all resolutions", 400_000, async () => {
      const resolutions = new Set(
        blocks()
          .filter(coversWeeksAgo)
          .map(({ thanos }) => thanos?.resolutionMs),
      );
      return resolutions.has(5 * minuteMs) && resolutions.has(hourMs) ? true : undefined;
    });
    const compacted = blocks().filter(({ thanos }) => thanos?.resolutionMs === 0);
    expect(Math.max(...compacted.map(({ compaction }) => compaction.level))).toBeGreaterThan(2);
    // Of one stream and resolution no two share time, once a pass has marked what a killed one had merged.
    await eventually("blocks that share no time", 120_000, async () => {
      const streams = Map.groupBy(blocks(), ({ thanos }) => JSON.stringify([thanos?.labels, thanos?.resolutionMs]));
      const isApart = [...streams.values()].every((stream) => {
        const sorted = stream.toSorted((x, y) => x.minTimeMs - y.minTimeMs);
        return sorted.every((one, i) => one.minTimeMs >= (sorted[i - 1]?.maxTimeMs ?? 0));
      });
      return isApart ? true : undefined;
    });
  });

  it("answers for two hours from agents, for days from the bucket, to the bit what the clusters' functions say", async () => {
    const nowMs = Date.now();
    for (const agoMs of [hourMs, 5 * hourMs, 2 * dayMs, 6 * dayMs, 20 * dayMs]) {
      for (const metric of ["node_load1", "node_cpu_seconds_total", "node_memory_MemAvailable_bytes"]) {
        const timesMs = gridOf(nowMs - agoMs - 10 * minuteMs, nowMs - agoMs);
        const query = `${metric}{cluster="shop-1"}[10m]`;
        const { data, warnings } = await ask(query, nowMs - agoMs);
        expect(warnings, query).toBeUndefined();
        const first = shop1.series.find(({ labels }) => labelValue(labels, "__name__") === metric)?.labels;
        const found = data.result.find(({ metric: labels }) =>
          ["instance", "cpu", "mode"].every((name) => (labels[name] ?? "") === labelValue(first ?? emptyLabels, name)),
        );
        expect(found?.values?.map(([seconds]) => Math.round(seconds * 1000))).toEqual(timesMs);
        expect(found?.values?.map(([, value]) => Number(value))).toEqual(expectedValues(metric, timesMs));
      }
    }
  });

  it("has no gap and no double from the bucket into the agents, sample by sample", async () => {
    const nowMs = Date.now();
    // Two hours of what the agents took in at the first start are behind the border, which lies within these eight.
    const untilMs = nowMs - hourMs;
    const { data, warnings } = await ask('up{job="cluster", cluster="shop-1"}[8h]', untilMs);
    expect(warnings).toBeUndefined();
    expect(data.result[0]?.values?.map(([seconds]) => Math.round(seconds * 1000))).toEqual(
      gridOf(untilMs - 8 * hourMs, untilMs),
    );
    const days = 29;
    const fromMs = untilMs - days * dayMs;
    expect(await scalar(`sum(count_over_time(up{job="cluster", cluster="shop-1"}[${days}d]))`, untilMs)).toBe(
      gridOf(fromMs, untilMs).length,
    );
  });

  for (const { resolution, gaugeTolerance, samplesIn6h } of [
    { resolution: "auto", gaugeTolerance: 0.15, samplesIn6h: undefined },
    { resolution: "1h", gaugeTolerance: 0.15, samplesIn6h: 6 },
    { resolution: "5m", gaugeTolerance: 0.02, samplesIn6h: 72 },
    { resolution: "0s", gaugeTolerance: 1e-9, samplesIn6h: 720 },
  ]) {
    it(`answers for weeks with max_source_resolution=${resolution}, near to what the raw samples say`, async () => {
      // Long ago enough for a whole window of fourteen days, of which alone there are blocks of 1 h.
      const untilMs = Math.floor((Date.now() - 15 * dayMs) / (6 * hourMs)) * 6 * hourMs;
      const fromMs = untilMs - 2 * dayMs;
      const selector = 'node_load1{cluster="shop-1"}';
      const parameters = new URLSearchParams({
        query: `avg_over_time(${selector}[6h])`,
        start: String(fromMs / 1000),
        end: String(untilMs / 1000),
        step: String((6 * hourMs) / 1000),
        max_source_resolution: resolution,
      });
      const response = await fetch(`${twin.apiUrls[0]}/api/v1/query_range?${parameters.toString()}`);
      const { data, warnings } = (await response.json()) as Answer;
      expect(warnings).toBeUndefined();
      const points = data.result[0]?.values ?? [];
      expect(points).toHaveLength(9);
      for (const [seconds, text] of points) {
        const raw = expectedValues("node_load1", gridOf(seconds * 1000 - 6 * hourMs, seconds * 1000));
        const average = raw.reduce((sum, value) => sum + value, 0) / raw.length;
        expect(Math.abs(Number(text) - average)).toBeLessThan(gaugeTolerance);
      }
      const counted = await scalar(`sum(count_over_time(${selector}[2d]))`, untilMs, resolution);
      const exact = gridOf(fromMs, untilMs).length;
      expect(Math.abs(counted - exact)).toBeLessThanOrEqual(resolution === "0s" ? 0 : 121);
      if (samplesIn6h === undefined) return;
      // What is stored, seen as it is: one sample a window of the resolution.
      const storedCount = async () =>
        (await ask(`${selector}[6h]`, untilMs, resolution)).data.result[0]?.values?.length ?? 0;
      // A gateway that has not looked at the bucket since serves what was there before.
      await eventually("blocks of the resolution", 60_000, async () =>
        Math.abs((await storedCount()) - samplesIn6h) <= 1 ? true : undefined,
      );
    });
  }

  it("answers for now without the object store, names what is missing of the past, and has it back", async () => {
    const store = pidOf("node-3");
    process.kill(store, "SIGSTOP");
    try {
      const recent = await ask('count(up{job="cluster"} == 1)', Date.now());
      expect(recent.data.result[0]?.value?.[1]).toBe("1");
      const past = await ask("count(node_filesystem_avail_bytes)", Date.now() - 9 * dayMs - 17 * minuteMs);
      expect(past.warnings?.join("\n")).toMatch(/store-gateway-east/);
    } finally {
      process.kill(store, "SIGCONT");
    }
    await eventually("the past", 60_000, async () => {
      const past = await ask(
        "count(count by (cluster) (node_filesystem_avail_bytes))",
        Date.now() - 9 * dayMs - 17 * minuteMs,
      );
      return past.warnings === undefined && past.data.result[0]?.value?.[1] === "1" ? true : undefined;
    });
    process.kill(pidOf("node-3"), "SIGKILL");
    await eventually("the past after a crash of the store", 60_000, async () => {
      const past = await ask("count(count by (cluster) (node_load1))", Date.now() - 11 * dayMs);
      return past.warnings === undefined && past.data.result[0]?.value?.[1] === "1" ? true : undefined;
    });
  });

  it("is the same after SIGKILL of every process: nothing lost, nothing twice", async () => {
    const untilMs = Date.now();
    const question = 'sum(count_over_time(up{job="cluster", cluster="shop-1"}[29d]))';
    const wholeAnswer = async () =>
      await eventually("a whole answer", 60_000, async () => {
        const { warnings, data } = await ask(question, untilMs);
        return warnings === undefined ? Number(data.result[0]?.value?.[1]) : undefined;
      });
    const before = await wholeAnswer();
    await killAll();
    twin = await startTwin(file, state);
    const after = await wholeAnswer();
    expect(after).toBe(before);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(twin.output()).not.toMatch(/of it comes in the background/);
  });

  it("has a bucket that is sound: every block in it is whole", async () => {
    const files = nodeFiles();
    const { signal } = new AbortController();
    const kept = blocks();
    expect(kept.length).toBeGreaterThan(10);
    for (const { ulid } of kept) {
      const report = await verifyBlock(directoryBlockBytes(files, join(bucketFolder, ulid)), defaultVerify, signal);
      expect(report.ok ? report.value.findings : formatBlockFailure(report.failure), ulid).toEqual([]);
    }
  });
});
