/** The head: what it costs to fill, what it holds, how fast its block is cut and its log read again. */
import { cpSync, rmSync } from "node:fs";
import { medianReading, type Reading, type StorageFigure } from "./figure.ts";
import { startJob } from "./job-process.ts";
import { appendedSeries, startPrometheusServer } from "./prometheus-server.ts";
import { sendSampleRows } from "./remote-write.ts";
import { writeSampleRows } from "./sample-rows.ts";
import { blockFolderBytes, settledBytes, timeOf, type StorageSetting } from "./setting.ts";

const connections = 2;

/** What one of the two did with all samples of the reference fleet. */
interface FilledHead {
  readonly series: number;
  readonly samples: number;
  readonly fill: Reading; // samples a second
  readonly filledBytes: number; // resident, just then
  readonly settledBytes: number;
  readonly cut: Reading; // seconds
  readonly blockBytes: number;
}

/** One head with all series of the reference fleet, as many scrapes of them as the setting says. */
export async function measureHead(setting: StorageSetting): Promise<readonly StorageFigure[]> {
  const { data, folder, runs, scrapes, note } = setting;
  const rows = `${folder}/rows`;
  note("writing the rows of the reference fleet");
  const samples = writeSampleRows(rows, { ...data.fleet, samples: scrapes });
  note("filling our head");
  const filled = await fillOurs(setting, rows);
  note("filling that of Prometheus");
  // Ours rests meanwhile, until its memory has settled.
  const [settled, theirs] = await Promise.all([filled.settle(), fillTheirs(setting, rows)]);
  const ours = await filled.cut(settled);
  // Both read the same log: the one that ours left when it was killed.
  const [ourLog, theirLog] = [`${folder}/head`, `${folder}/prometheus-log`];
  cpSync(ourLog, theirLog, { recursive: true });
  rmSync(rows, { recursive: true });
  for (const [name, head] of Object.entries({ ours, theirs })) {
    if (head.samples !== samples) throw new Error(`${name} took ${String(head.samples)} of ${String(samples)} samples`);
  }
  const replays: { readonly ours: Reading[]; readonly theirs: Reading[] } = { ours: [], theirs: [] };
  for (let run = 0; run < runs; run++) {
    note("reading the logs again");
    replays.ours.push(await replayOurs(ourLog, ours.series));
    replays.theirs.push(await replayTheirs(theirLog, setting.port, ours.series));
  }
  const ratioOfOne = { kind: "ratio", most: 1 } as const;
  const by = (divisor: number, of: (head: FilledHead) => number) => ({
    ours: { value: of(ours) / divisor },
    theirs: { value: of(theirs) / divisor },
  });
  return [
    // Theirs has the decoding of requests in it, ours the reading of rows: no goal stands on this.
    { name: "samples into the head", unit: "k samples/s", ours: ours.fill, theirs: theirs.fill },
    { name: "resident when filled", unit: "bytes a series", ...by(ours.series, (head) => head.filledBytes) },
    {
      ...{ name: "resident when settled", unit: "bytes a series", goal: ratioOfOne },
      ...by(ours.series, (head) => head.settledBytes),
    },
    { name: "block cut from the head", unit: "s", ours: ours.cut, theirs: theirs.cut },
    {
      ...{ name: "cut block on disk", unit: "bytes a sample", goal: ratioOfOne },
      ...by(samples, (head) => head.blockBytes),
    },
    {
      ...{ name: "log replayed", unit: "s to ready", goal: ratioOfOne },
      ours: medianReading(replays.ours),
      theirs: medianReading(replays.theirs),
    },
  ];
}

/** A head of ours that is full, in a process of its own. */
interface OurFilledHead {
  /** Waits until its memory stays as it is; gives the bytes. */
  settle(): Promise<number>;
  /** Cuts its block, and kills the process. */
  cut(settledBytes: number): Promise<FilledHead>;
}

async function fillOurs(setting: StorageSetting, rows: string): Promise<OurFilledHead> {
  const { data, folder } = setting;
  const blocks = `${folder}/cut`;
  const job = await startJob("fillHead", { rows, head: `${folder}/head`, blocks, time: timeOf(data) });
  const filled = await job.stage();
  const filledBytes = job.residentBytes();
  const peakBytes = job.peakBytes();
  await job.stage();
  return {
    settle: async () => await settledBytes(job, setting),
    async cut(settled) {
      job.resetPeak();
      const cut = await job.stage();
      if (cut.samples !== filled.samples) throw new Error("our cut block lacks samples");
      const reading = { value: cut.wallMs / 1000, cpuMs: cut.cpuMs, peakBytes: job.peakBytes() };
      await job.kill();
      rmSync(blocks, { recursive: true });
      return {
        series: filled.series,
        samples: filled.samples,
        fill: { value: filled.samples / filled.wallMs, cpuMs: filled.cpuMs, peakBytes },
        filledBytes,
        settledBytes: settled,
        cut: reading,
        blockBytes: cut.bytes,
      };
    },
  };
}

async function fillTheirs(setting: StorageSetting, rows: string): Promise<FilledHead> {
  const { folder, port } = setting;
  const own = `${folder}/prometheus-head`;
  const flags = ["--web.enable-remote-write-receiver", "--web.enable-admin-api"];
  const server = await startPrometheusServer({ folder: own, port, flags });
  try {
    const startMs = performance.now();
    const cpuBeforeMs = server.cpuMs();
    await server.during(sendSampleRows(rows, port, connections));
    const fillMs = performance.now() - startMs;
    const fillCpuMs = server.cpuMs() - cpuBeforeMs;
    const filledBytes = server.residentBytes();
    const peakBytes = server.peakBytes();
    const samples = await server.metric(appendedSeries);
    const series = await server.metric("prometheus_tsdb_head_series");
    // As we do in our process: what is garbage goes.
    await server.get("/debug/pprof/heap?gc=1");
    const settled = await settledBytes(server, setting);
    server.resetPeak();
    const cutStartMs = performance.now();
    const cutCpuMs = server.cpuMs();
    const answer = JSON.parse(await server.post("/api/v1/admin/tsdb/snapshot")) as { data: { name: string } };
    const cut = { value: (performance.now() - cutStartMs) / 1000, cpuMs: server.cpuMs() - cutCpuMs };
    const snapshot = `${own}/snapshots/${answer.data.name}`;
    const blockBytes = blockFolderBytes(snapshot);
    rmSync(`${own}/snapshots`, { recursive: true });
    return {
      series,
      samples,
      fill: { value: samples / fillMs, cpuMs: fillCpuMs, peakBytes },
      filledBytes,
      settledBytes: settled,
      cut: { ...cut, peakBytes: server.peakBytes() },
      blockBytes,
    };
  } finally {
    await server.kill();
    rmSync(own, { recursive: true });
  }
}

async function replayOurs(head: string, series: number): Promise<Reading> {
  const startMs = performance.now();
  const job = await startJob("replayHead", { head });
  const replayed = await job.stage();
  const reading = { value: (performance.now() - startMs) / 1000, cpuMs: job.cpuMs(), peakBytes: job.peakBytes() };
  await job.kill();
  if (replayed.series !== series) throw new Error("our log lost series");
  return reading;
}

async function replayTheirs(folder: string, port: number, series: number): Promise<Reading> {
  const server = await startPrometheusServer({ folder, port });
  const reading = { value: server.readyMs / 1000, cpuMs: server.cpuMs(), peakBytes: server.peakBytes() };
  const replayed = await server.metric("prometheus_tsdb_head_series");
  await server.kill();
  if (replayed !== series) throw new Error("Prometheus lost series of the log");
  return reading;
}
