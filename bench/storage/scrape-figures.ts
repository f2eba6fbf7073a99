/** What a sample costs from the page of a target into the head. */
import { setTimeout as pause } from "node:timers/promises";
import type { ProcessMeasures } from "../measured-process.ts";
import { medianReading, type Reading, type StorageFigure } from "./figure.ts";
import { startJob } from "./job-process.ts";
import { appendedSeries, startPrometheusServer } from "./prometheus-server.ts";
import { serveScrapePages, type ScrapePages } from "./scrape-pages.ts";
import type { StorageSetting } from "./setting.ts";

/** Series that come with each scrape, beside those of the page. */
const reportSeries = 5;

/**
 * The same pages, one a cluster, to the scrape loop of our agent and to that of Prometheus. Both run at once, each with
 * pages of its own: a few hundredths of a processor each, and whatever else the machine does falls on both.
 */
export async function measureScraping(setting: StorageSetting): Promise<readonly StorageFigure[]> {
  const { data, port, note } = setting;
  const ourPages = await serveScrapePages(data.fleet, port + 3);
  const theirPages = await serveScrapePages(data.fleet, port + 2);
  try {
    note("scraping, we and Prometheus");
    const [ours, theirs] = await Promise.all([scrapeOurs(setting, ourPages), scrapeTheirs(setting, theirPages)]);
    return [
      {
        ...{ name: "page to head", unit: "cpu µs a sample", goal: { kind: "ratio", most: 1.5 } },
        ours: medianReading(ours),
        theirs: medianReading(theirs),
      },
    ];
  } finally {
    await ourPages.close();
    await theirPages.close();
  }
}

/** Microseconds of processor time a sample, of each window. */
export async function scrapeOurs(setting: StorageSetting, pages: ScrapePages): Promise<readonly Reading[]> {
  const { folder, port, scrape } = setting;
  const job = await startJob("scrapePages", {
    directory: `${folder}/agent`,
    grpcAddress: `127.0.0.1:${String(port + 1)}`,
    intervalMs: scrape.intervalMs,
    targets: pages.urls,
  });
  try {
    await job.stage();
    return await measureWindows(job, async () => (await job.stage()).samples, pages, setting);
  } finally {
    await job.kill();
  }
}

async function scrapeTheirs(setting: StorageSetting, pages: ScrapePages): Promise<readonly Reading[]> {
  const { folder, port, scrape } = setting;
  const interval = `${String(scrape.intervalMs)}ms`;
  const jobs = pages.urls.map(({ cluster, url }) => {
    const { host, pathname } = new URL(url);
    return [
      `- job_name: ${cluster}`,
      `  scrape_interval: ${interval}`,
      `  scrape_timeout: ${interval}`,
      `  metrics_path: ${pathname}`,
      `  static_configs: [{targets: ["${host}"], labels: {cluster: ${cluster}}}]`,
    ].join("\n");
  });
  const server = await startPrometheusServer({
    folder: `${folder}/prometheus-scraping`,
    port,
    configuration: `scrape_configs:\n${jobs.join("\n")}\n`,
  });
  try {
    const stored = async () => await server.metric(appendedSeries);
    return await measureWindows(server, stored, pages, setting);
  } finally {
    await server.kill();
  }
}

/** Two intervals after the first page all series are there: what comes then is measured, a window a run. */
async function measureWindows(
  process: ProcessMeasures,
  stored: () => Promise<number>,
  pages: ScrapePages,
  { scrape, runs }: StorageSetting,
): Promise<readonly Reading[]> {
  // Prometheus takes up to five seconds to begin.
  while (pages.served() === 0) await pause(50);
  await pause(2 * scrape.intervalMs);
  const readings: Reading[] = [];
  for (let run = 0; run < runs; run++) {
    process.resetPeak();
    const before = { cpuMs: process.cpuMs(), samples: await stored(), pages: pages.served() };
    await pause(scrape.windowMs);
    const cpuMs = process.cpuMs() - before.cpuMs;
    const samples = (await stored()) - before.samples;
    const perPage = pages.samplesPerPage + reportSeries;
    const expected = (pages.served() - before.pages) * perPage;
    // Either edge of the window may fall between a page and its commit.
    if (!(Math.abs(samples - expected) <= pages.urls.length * perPage)) {
      throw new Error(`${String(samples)} samples were stored, and pages of ${String(expected)} samples sent`);
    }
    readings.push({ value: (cpuMs * 1000) / samples, cpuMs, peakBytes: process.peakBytes() });
  }
  return readings;
}
