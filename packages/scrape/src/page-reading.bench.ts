/**
 * Speed of reading a page of metrics: with labels made for every line, with each line looked up by its hash, and with the
 * lines of the last page expected at their places. Large by name: `node packages/scrape/src/page-reading.bench.ts`;
 * small in the tests.
 */
import { pathToFileURL } from "node:url";
import { decodeSeries, parseExposition, type ExpositionSink } from "@pleiad/exposition";
import { createSeriesCache } from "./series-cache.ts";

export const pageReadingKinds = ["labels for every line", "by hash", "by place"] as const;

export interface PageReadingBench {
  readonly samplesPerSecond: number;
  readonly bytesPerSecond: number;
  /** The sum of all values, plus that of the series' numbers: the same for every way of reading. */
  readonly checksum: number;
}

/** A page as a node exporter's: a family of eight lines, five labels each, values of short and of long decimals. */
function makePage(series: number): Uint8Array {
  let page = "";
  for (let i = 0; i < series; i++) {
    if (i % 8 === 0) page += `# HELP family_${i}_total What the family counts.\n# TYPE family_${i}_total counter\n`;
    const value = i % 3 === 0 ? Math.sqrt(i * 7919) : Math.floor(i * 1234.5) / 100;
    page += `family_${i - (i % 8)}_total{cpu="${i % 8}",mode="idle",namespace="kube-system",pod="node-exporter-${i % 97}",container="main"} ${value}\n`;
  }
  return new TextEncoder().encode(page);
}

export function benchPageReading(
  kind: (typeof pageReadingKinds)[number],
  series: number,
  rounds: number,
  nowMs: () => number,
): PageReadingBench {
  const page = makePage(series);
  const cache = createSeriesCache<number>();
  let checksum = 0;
  let seen = 0;
  const cached: ExpositionSink = {
    ...(kind === "by place" ? { recognise: (bytes: Uint8Array, start: number) => cache.recognise(bytes, start) } : {}),
    sample: (bytes, start, end, value) => {
      let entry = cache.find(bytes, start, end);
      if (entry < 0) entry = cache.add(bytes, start, end, cache.size);
      cache.see(entry);
      checksum += value + cache.refOf(entry);
    },
  };
  const labelled: ExpositionSink = {
    sample: (bytes, start, end, value, _, type) => {
      checksum += value + (decodeSeries(bytes, start, end, type).length > 0 ? seen++ % series : 0);
    },
  };
  const startMs = nowMs();
  for (let round = 0; round < rounds; round++) {
    cache.begin();
    const parsed = parseExposition(page, "text/plain", kind === "labels for every line" ? labelled : cached);
    if (!parsed.ok) throw new Error(parsed.failure.kind);
    cache.commit();
  }
  const seconds = (nowMs() - startMs) / 1000;
  return {
    samplesPerSecond: (series * rounds) / seconds,
    bytesPerSecond: (page.length * rounds) / seconds,
    checksum,
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for (const kind of pageReadingKinds) benchPageReading(kind, 1000, 100, () => performance.now());
  for (const kind of pageReadingKinds) {
    const { samplesPerSecond, bytesPerSecond, checksum } = benchPageReading(kind, 1000, 1000, () => performance.now());
    console.log(
      `${kind.padEnd(24)} ${(samplesPerSecond / 1e6).toFixed(2)} M samples/s, ${(bytesPerSecond / 1e6).toFixed(0)} MB/s, checksum ${checksum}`,
    );
  }
}
