/**
 * What a head costs: import, commits, replay, select, memory. Large by name:
 * `node --expose-gc packages/head/src/head.bench.ts [heads] [series a head]`; small in the tests.
 */
import { pathToFileURL } from "node:url";
import { encodeXor } from "@pleiad/chunks";
import { collectSeries, labelsFromRecord, plainSelect, type Labels } from "@pleiad/model";
import type { FileSystem } from "@pleiad/ports";
import { memoryFiles, testPorts } from "@pleiad/ports/testing";
import { openTestHead, startMs, testOptions } from "./head.fixtures.ts";
import type { Head, HeadPorts } from "./head.ts";
import type { SeriesRef } from "./memory-series.ts";

export interface HeadBench {
  readonly encodeMs: number;
  readonly importMs: number;
  readonly commitMs: number;
  /** Samples that commits brought, a second of wall and of processor time. */
  readonly committedPerSecond: number;
  readonly committedPerCpuSecond: number;
  readonly replayMs: number;
  /** Samples of log and closed chunks together, and the same a second of processor time. */
  readonly replayedPerSecond: number;
  readonly replayedPerCpuSecond: number;
  readonly selectMs: number;
  readonly selectOneMs: number;
  readonly samples: number;
  readonly walBytes: number;
  readonly chunkFileBytes: number;
  /** Of closed chunks, frames included; and of the log. */
  readonly chunkBytesPerSample: number;
  readonly walBytesPerSample: number;
  /** Heap and array buffers of the heads after import and commits, chunks included; 0 without a collector to call. */
  readonly bytesPerSeries: number;
  /** Series and chunks that a select gave, over all heads: a faster wrong answer shows. */
  readonly checksum: number;
}

/** Files in memory whose appends cost no copy of the whole. */
function quickFiles(): FileSystem {
  const inner = memoryFiles();
  const partsOf = new Map<string, Uint8Array[]>();
  return {
    ...inner,
    open: async (path, mode) => {
      const file = await inner.open(path, mode);
      const parts = partsOf.get(path) ?? [];
      partsOf.set(path, parts);
      return { ...file, append: async (bytes) => void parts.push(bytes.slice()) };
    },
    readFile: async (path) => {
      const parts = partsOf.get(path) ?? [];
      const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
      let at = 0;
      for (const part of parts) {
        whole.set(part, at);
        at += part.length;
      }
      return whole;
    },
  };
}

function seriesOf(head: number, count: number): Labels[] {
  return Array.from({ length: count }, (_, i) =>
    labelsFromRecord({
      __name__: `metric_${i % 100}_total`,
      job: `job-${i % 7}`,
      instance: `10.${head}.${i % 50}.1:9100`,
      namespace: `namespace-${i % 20}`,
      pod: `pod-${head}-${i % 200}`,
      container: `container-${i % 30}`,
      mode: `mode-${Math.floor(i / 100)}`,
    }),
  );
}

export async function benchHead(
  headCount: number,
  seriesCount: number,
  nowMs: () => number,
  cpuMs: () => number = nowMs,
): Promise<HeadBench> {
  const interned = new Map<string, string>();
  const intern = (text: string) => {
    const known = interned.get(text);
    if (known === undefined) interned.set(text, text);
    return known ?? text;
  };
  const scrapes = 120;
  const times = Float64Array.from({ length: 240 }, (_, i) => startMs - 7_200_000 + i * 30_000);
  const values = new Float64Array(240);
  const valueAt = (series: number, scrape: number) => (series % 3 === 0 ? 1 : series * 1000 + scrape * (series % 17));
  const portsOf = (): HeadPorts => ({ ...testPorts({ startMs: startMs + 1e8 }), files: quickFiles() });
  const ports = Array.from({ length: headCount }, portsOf);
  const optionsOf = (head: number) => ({
    intern,
    externalLabels: labelsFromRecord({
      cluster: `cluster-${head}`,
      region: "a1",
      replica: "0",
      cluster_group: "group-a",
    }),
  });
  const allLabels = ports.map((_, head) => seriesOf(head, seriesCount));
  globalThis.gc?.();
  const memoryBefore = process.memoryUsage();
  const heads: Head[] = [];
  let encodeMs = 0;
  let importMs = 0;
  let commitMs = 0;
  let commitCpuMs = 0;
  for (const [i, headPorts] of ports.entries()) {
    const head = await openTestHead(headPorts, optionsOf(i));
    heads.push(head);
    const labels = allLabels[i] ?? [];
    const encodeStartMs = nowMs();
    const encoded = labels.map((_, series) => {
      for (let t = 0; t < 240; t++) values[t] = valueAt(series, t);
      return [0, 120].map((from) => ({
        minTimeMs: times[from] ?? 0,
        maxTimeMs: times[from + 119] ?? 0,
        data: encodeXor(times, values, from, from + 120),
      }));
    });
    const importStartMs = nowMs();
    encodeMs += importStartMs - encodeStartMs;
    const importer = head.importer();
    labels.forEach((one, series) => {
      const refusal = importer.add(one, encoded[series] ?? []);
      if (refusal !== undefined) throw new Error(refusal.kind);
    });
    const imported = await importer.commit();
    if (!imported.ok) throw new Error(imported.failure.kind);
    const commitStartMs = nowMs();
    const commitStartCpuMs = cpuMs();
    importMs += commitStartMs - importStartMs;
    let refs: SeriesRef[] = [];
    for (let scrape = 0; scrape < scrapes; scrape++) {
      const appender = head.appender();
      if (scrape === 0) refs = labels.map((one) => appender.series(one) as SeriesRef);
      for (const [series, ref] of refs.entries()) {
        appender.append(ref, startMs + scrape * 30_000, valueAt(series, scrape));
      }
      const committed = await appender.commit();
      if (!committed.ok || committed.value.samples !== labels.length) throw new Error("a sample was refused");
    }
    commitMs += nowMs() - commitStartMs;
    commitCpuMs += cpuMs() - commitStartCpuMs;
  }
  globalThis.gc?.();
  const memoryAfter = process.memoryUsage();
  const grownBytes =
    memoryAfter.heapUsed + memoryAfter.arrayBuffers - memoryBefore.heapUsed - memoryBefore.arrayBuffers;
  const total = (of: "walBytes" | "chunkFileBytes") => heads.reduce((sum, head) => sum + head.statistics()[of], 0);
  // Files in this process hold the same bytes once more.
  const fileBytes = total("walBytes") + total("chunkFileBytes");
  const { signal } = new AbortController();
  let checksum = 0;
  const selectStartMs = nowMs();
  for (const head of heads) {
    const { series } = await collectSeries(head.select(plainSelect, signal));
    for (const one of series) checksum += 1 + one.chunks.length;
  }
  const selectOneStartMs = nowMs();
  const matchers = [
    { type: "=", name: "__name__", value: "metric_7_total" },
    { type: "=~", name: "pod", value: "pod-.*7" },
  ] as const;
  for (const head of heads) {
    const { series } = await collectSeries(head.select({ ...plainSelect, matchers }, signal));
    for (const one of series) checksum += 1 + one.chunks.length;
  }
  const replayStartMs = nowMs();
  const selectOneMs = replayStartMs - selectOneStartMs;
  const replayStartCpuMs = cpuMs();
  for (const [i, headPorts] of ports.entries()) {
    const again = await openTestHead(headPorts, optionsOf(i));
    checksum += again.statistics().chunks;
  }
  const replayMs = nowMs() - replayStartMs;
  const replayCpuMs = cpuMs() - replayStartCpuMs;
  const committed = headCount * seriesCount * scrapes;
  const samples = headCount * seriesCount * (240 + scrapes);
  return {
    encodeMs,
    importMs,
    commitMs,
    committedPerSecond: (committed * 1000) / commitMs,
    committedPerCpuSecond: (committed * 1000) / commitCpuMs,
    replayMs,
    replayedPerSecond: (samples * 1000) / replayMs,
    replayedPerCpuSecond: (samples * 1000) / replayCpuMs,
    selectMs: selectOneStartMs - selectStartMs,
    selectOneMs,
    samples,
    walBytes: total("walBytes"),
    chunkFileBytes: total("chunkFileBytes"),
    chunkBytesPerSample: total("chunkFileBytes") / (headCount * seriesCount * 240),
    walBytesPerSample: total("walBytes") / committed,
    bytesPerSeries: globalThis.gc === undefined ? 0 : (grownBytes - fileBytes) / (headCount * seriesCount),
    checksum,
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [headCount, seriesCount] = process.argv.slice(2).map(Number);
  const cpuMs = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  const seriesMax = testOptions.limits.seriesMax / 1000;
  const result = await benchHead(headCount ?? 20, seriesCount ?? seriesMax, () => performance.now(), cpuMs);
  for (const [name, value] of Object.entries(result)) {
    const figure = Number(value);
    console.log(`${name.padEnd(22)} ${figure < 100 ? figure.toFixed(2) : Math.round(figure)}`);
  }
}
