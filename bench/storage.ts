/**
 * `node bench/storage.ts`: our storage beside Prometheus's on the reference fleet, each in a process of its own, in turn.
 *
 *   --data FOLDER    where the reference blocks are, or shall be made (default: below the system's temporary folder)
 *   --clusters N     of the reference fleet (220); a fleet of another size needs a folder of its own
 *   --runs N         of what can be repeated (3)
 *   --scrapes N      of those that the head is given (240, two hours); 30 take two minutes
 *   --only A,B       of blocks, decoding, head, scraping, compaction (all)
 *   --port N         the first of four (27800)
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeReferenceBlocks } from "./reference-data.ts";
import { measureBlockWriting, measureCompaction, measureDecoding } from "./storage/block-figures.ts";
import { figureHeading, formatFigure, type StorageFigure } from "./storage/figure.ts";
import { measureHead } from "./storage/head-figures.ts";
import { measureScraping } from "./storage/scrape-figures.ts";
import type { StorageSetting } from "./storage/setting.ts";

const measures: Readonly<Record<string, (setting: StorageSetting) => Promise<readonly StorageFigure[]>>> = {
  blocks: measureBlockWriting,
  decoding: measureDecoding,
  head: measureHead,
  scraping: measureScraping,
  compaction: measureCompaction,
};

const { values: flags } = parseArgs({
  options: {
    data: { type: "string", default: join(tmpdir(), "pleiad-reference-fleet") },
    clusters: { type: "string", default: "220" },
    runs: { type: "string", default: "3" },
    scrapes: { type: "string", default: "240" },
    only: { type: "string", default: Object.keys(measures).join(",") },
    port: { type: "string", default: "27800" },
  },
});

const note = (text: string) => process.stderr.write(`${text}\n`);
mkdirSync(flags.data, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), "pleiad-storage-"));
try {
  const data = await makeReferenceBlocks(flags.data, { clusters: Number(flags.clusters) }, note);
  const setting: StorageSetting = {
    ...{ data, folder, port: Number(flags.port), runs: Number(flags.runs), scrapes: Number(flags.scrapes), note },
    ...{ settleMs: 10_000, settleMsMax: 60_000, scrape: { intervalMs: 5_000, windowMs: 10_000 } },
  };
  process.stdout.write(figureHeading);
  for (const name of flags.only.split(",")) {
    const measure = measures[name];
    if (measure === undefined) throw new Error(`there is no ${name}; there are ${Object.keys(measures).join(", ")}`);
    for (const figure of await measure(setting)) process.stdout.write(formatFigure(figure));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
