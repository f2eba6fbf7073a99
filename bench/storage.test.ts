import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeReferenceBlocks } from "./reference-data.ts";
import { compactOurs, measureBlockWriting, measureDecoding } from "./storage/block-figures.ts";
import { formatFigure, isReached, medianReading, type StorageFigure } from "./storage/figure.ts";
import { measureHead } from "./storage/head-figures.ts";
import { scrapeOurs } from "./storage/scrape-figures.ts";
import { serveScrapePages } from "./storage/scrape-pages.ts";
import type { StorageSetting } from "./storage/setting.ts";

const isThere = spawnSync("prometheus", ["--version"]).status === 0;
const isRequired = process.env["PLEIAD_REQUIRE_PEERS"] === "1";

/** The benchmark with a small fleet: that each figure is measured, and that neither of the two loses a sample. */
describe.skipIf(!isThere && !isRequired)("our storage beside Prometheus", () => {
  const folder = mkdtempSync(join(tmpdir(), "pleiad-storage-test-"));
  let setting: StorageSetting;

  beforeAll(async () => {
    const data = await makeReferenceBlocks(folder, { clusters: 2, samples: 40 }, () => {});
    setting = {
      ...{ data, folder, port: 27_850, runs: 1, scrapes: 40, note: () => {} },
      ...{ settleMs: 200, settleMsMax: 1000, scrape: { intervalMs: 200, windowMs: 1000 } },
    };
  }, 60_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const positive = (figures: readonly StorageFigure[]) => {
    for (const { name, ours, theirs } of figures) {
      expect(ours.value, name).toBeGreaterThan(0);
      if (theirs !== undefined) expect(theirs.value, name).toBeGreaterThan(0);
    }
    return figures.map(({ name }) => name);
  };

  it("writes blocks as large as promtool's", async () => {
    const figures = await measureBlockWriting(setting);
    expect(positive(figures)).toEqual(["blocks on disk", "blocks encoded and written"]);
    const [onDisk] = figures;
    expect((onDisk?.ours.value ?? NaN) / (onDisk?.theirs?.value ?? NaN)).toBeLessThan(1.02);
  }, 30_000);

  it("decodes every chunk", async () => {
    expect(positive(await measureDecoding(setting))).toEqual(["chunks decoded"]);
  }, 30_000);

  it("fills a head, cuts its block, reads its log again", async () => {
    expect(positive(await measureHead(setting))).toContain("log replayed");
  }, 30_000);

  // Prometheus takes up to ten seconds until it scrapes.
  it("scrapes, on our side", async () => {
    const pages = await serveScrapePages(setting.data.fleet, setting.port + 3);
    const readings = await scrapeOurs(setting, pages);
    expect(readings).toHaveLength(setting.runs);
    for (const { value } of readings) expect(value).toBeGreaterThan(0);
    await pages.close();
  }, 30_000);

  // Prometheus waits for a minute.
  it("makes blocks one, on our side", async () => {
    expect((await compactOurs(setting)).value).toBeGreaterThan(0);
  }, 30_000);
});

describe("a figure", () => {
  const reading = (value: number) => ({ value });

  it.each([
    ["ours by theirs, at most", reading(3), reading(2), { kind: "ratio", most: 1.5 }, true],
    ["ours by theirs, above", reading(3.1), reading(2), { kind: "ratio", most: 1.5 }, false],
    ["a ratio without theirs", reading(3), undefined, { kind: "ratio", most: 1.5 }, undefined],
    ["at least", reading(120), undefined, { kind: "at-least", value: 120 }, true],
    ["at most", reading(121), undefined, { kind: "at-most", value: 120 }, false],
    ["no goal", reading(1), reading(1), undefined, undefined],
  ] as const)("%s", (_, ours, theirs, goal, reached) => {
    const figure = { name: "a", unit: "b", ours, ...(theirs && { theirs }), ...(goal && { goal }) };
    expect(isReached(figure)).toBe(reached);
    expect(formatFigure(figure).includes("missed")).toBe(reached === false);
  });

  it("is the one in the middle of several runs", () => {
    expect(medianReading([5, 1, 3].map(reading))).toEqual({ value: 3 });
  });
});
