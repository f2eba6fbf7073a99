/** Blocks: their size on disk, the speed of writing, of decoding their chunks, of making many one. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { clustersPerBlock } from "../reference-data.ts";
import { medianReading, type Reading, type StorageFigure } from "./figure.ts";
import { startJob } from "./job-process.ts";
import { logField, startPrometheusServer } from "./prometheus-server.ts";
import { blockFolderBytes, timeOf, type StorageSetting } from "./setting.ts";

/** The blocks of the reference fleet written by us, beside those that promtool wrote of the same samples. */
export async function measureBlockWriting(setting: StorageSetting): Promise<readonly StorageFigure[]> {
  const { data, folder, runs } = setting;
  const { fleet } = data;
  const directory = `${folder}/written`;
  const speeds: Reading[] = [];
  let bytesPerSample = NaN;
  for (let run = 0; run < runs; run++) {
    rmSync(directory, { recursive: true, force: true });
    const job = await startJob("writeBlocks", { fleet, directory, time: timeOf(data), clustersPerBlock });
    const { bytes, samples, wallMs, cpuMs } = await job.stage();
    if (samples !== samplesOf(data.blocks)) throw new Error("not all samples are in the blocks");
    speeds.push({ value: bytes / 1000 / wallMs, cpuMs, peakBytes: job.peakBytes() });
    bytesPerSample = bytes / samples;
    await job.kill();
  }
  rmSync(directory, { recursive: true });
  const theirs = { value: blockFolderBytes(data.blocks) / samplesOf(data.blocks) };
  const goal = { kind: "ratio", most: 1 } as const;
  return [
    { name: "blocks on disk", unit: "bytes a sample", ours: { value: bytesPerSample }, theirs, goal },
    { name: "blocks encoded and written", unit: "MB/s", ours: medianReading(speeds) },
  ];
}

const decodedMillionsLeast = 120;

/** All chunks of the reference blocks through the bulk decoder, on one core. */
export async function measureDecoding(setting: StorageSetting): Promise<readonly StorageFigure[]> {
  const rounds = setting.runs + 1;
  const job = await startJob("decodeChunks", { from: setting.data.blocks, rounds });
  const readings: Reading[] = [];
  for (let round = 0; round < rounds; round++) {
    const { samples, cpuMs } = await job.stage();
    if (round > 0) readings.push({ value: samples / 1000 / cpuMs, cpuMs });
  }
  await job.kill();
  const goal = { kind: "at-least", value: decodedMillionsLeast } as const;
  return [{ name: "chunks decoded", unit: "M samples a cpu s", ours: medianReading(readings), goal }];
}

const memoryMebibytesMost = 1024;

/** All reference blocks made one. */
export async function measureCompaction(setting: StorageSetting): Promise<readonly StorageFigure[]> {
  const ours: Reading[] = [];
  const theirs: Reading[] = [];
  for (let run = 0; run < setting.runs; run++) {
    ours.push(await compactOurs(setting));
    theirs.push(await compactTheirs(setting));
  }
  const [our, their] = [medianReading(ours), medianReading(theirs)];
  const goal = { kind: "ratio", most: 1 } as const;
  const memory = ({ peakBytes = NaN }: Reading) => ({ value: peakBytes / 2 ** 20 });
  const memoryGoal = { kind: "at-most", value: memoryMebibytesMost } as const;
  return [
    { name: "blocks made one", unit: "s", ours: our, theirs: their, goal },
    { name: "blocks made one, memory", unit: "MiB", ours: memory(our), theirs: memory(their), goal: memoryGoal },
  ];
}

export async function compactOurs({ data, folder }: StorageSetting): Promise<Reading> {
  const to = `${folder}/compacted`;
  const job = await startJob("compactFolder", { from: data.blocks, to });
  const { samples, wallMs, cpuMs } = await job.stage();
  const peakBytes = job.peakBytes();
  await job.kill();
  if (samples !== samplesOf(data.blocks)) throw new Error("our compaction lost samples");
  rmSync(to, { recursive: true });
  return { value: wallMs / 1000, cpuMs, peakBytes };
}

/** A minute after its start it makes blocks that overlap in time one. */
async function compactTheirs({ data, folder, port, note }: StorageSetting): Promise<Reading> {
  const own = `${folder}/prometheus-compacted`;
  mkdirSync(own);
  for (const name of ulidsIn(data.blocks)) cpSync(`${data.blocks}/${name}`, `${own}/${name}`, { recursive: true });
  let begun: number | undefined;
  let ended: { readonly cpuMs: number; readonly wallMs: number } | undefined;
  const server = await startPrometheusServer({
    folder: own,
    port,
    onLine: (line) => {
      const message = logField(line, "msg") ?? "";
      if (message === "Found overlapping blocks during compaction") {
        begun = server.cpuMs();
        server.resetPeak();
      } else if (message === "compact blocks") {
        ended = { cpuMs: server.cpuMs() - (begun ?? NaN), wallMs: durationMs(logField(line, "duration") ?? "") };
      }
    },
  });
  try {
    note("waiting for Prometheus to compact");
    const startMs = performance.now();
    while (ended === undefined) {
      if (performance.now() - startMs > compactionMsMax) throw new Error("Prometheus does not compact");
      await pause(50);
    }
    const peakBytes = server.peakBytes();
    const { cpuMs, wallMs } = ended;
    return { value: wallMs / 1000, cpuMs, peakBytes };
  } finally {
    await server.kill();
    rmSync(own, { recursive: true });
  }
}

const compactionMsMax = 15 * 60_000;

/** Of Go's text for a duration: 1m2.5s, 350ms. */
function durationMs(text: string): number {
  const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, µs: 1e-3, ns: 1e-6 };
  let sum = 0;
  for (const [, number, unit = ""] of text.matchAll(/([\d.]+)(h|ms|m|s|µs|ns)/g))
    sum += Number(number) * (units[unit] ?? NaN);
  return sum;
}

function ulidsIn(folder: string): readonly string[] {
  return readdirSync(folder).filter((name) => /^[0-9A-Z]{26}$/.test(name));
}

function samplesOf(folder: string): number {
  let samples = 0;
  for (const ulid of ulidsIn(folder)) {
    const meta = JSON.parse(readFileSync(`${folder}/${ulid}/meta.json`, "utf8")) as { stats: { numSamples: number } };
    samples += meta.stats.numSamples;
  }
  return samples;
}
