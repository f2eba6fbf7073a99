import { createSampleColumns, decodeChunk } from "@pleiad/chunks";
import { defaultHead, openHead } from "@pleiad/head";
import { collectSeries, emptyLabels, isStale, labelValue, plainSelect } from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { defaultScrapeOptions } from "./scrape-loop.ts";
import { createScrapePool, type ScrapePool } from "./scrape-pool.ts";
import type { ScrapeTarget } from "./scrape-target.ts";

const intervalMs = 30_000;
const { signal } = new AbortController();
const targetOf = (host: string): ScrapeTarget => ({ job: "node", url: `http://${host}:9100/metrics` });

/** Targets that answer with how often they were asked, or what they are told to say, and a head for what they say. */
async function openScene(...hosts: string[]) {
  const ports = testPorts();
  const pages = new Map<string, string>();
  for (const host of hosts) {
    let scrapes = 0;
    await ports.network.serveHttp(`${host}:9100`, async () => ({
      status: 200,
      headers: { "content-type": "text/plain; version=0.0.4" },
      body: pages.get(host) ?? `scrapes ${++scrapes}\n`,
    }));
  }
  const opened = await openHead(
    { ...defaultHead, directory: "/head", externalLabels: emptyLabels, intern: (text) => text },
    ports,
  );
  if (!opened.ok) throw new Error(JSON.stringify(opened.failure));
  const head = opened.value;
  const pool = createScrapePool(hosts.map(targetOf), head, ports, { ...defaultScrapeOptions, intervalMs });
  /** The samples of a metric of a host, the staleness marker as `stale`. */
  const samplesOf = async (host: string, metric = "scrapes") => {
    const matchers = [
      { type: "=", name: "__name__", value: metric },
      { type: "=", name: "instance", value: `${host}:9100` },
    ] as const;
    const { series } = await collectSeries(head.select({ ...plainSelect, matchers }, signal));
    const columns = createSampleColumns(256);
    for (const { content } of series.flatMap(({ chunks }) => chunks)) {
      if (content.kind === "raw") expect(decodeChunk(content.encoding, content.data, columns)).toBeUndefined();
    }
    return Array.from({ length: columns.count }, (_, i) =>
      isStale(columns.valueWords, i) ? "stale" : columns.values[i],
    );
  };
  return { ports, pool, samplesOf, say: (host: string, page: string) => void pages.set(host, page) };
}

const instancesOf = (pool: ScrapePool) => pool.status().map(({ labels }) => labelValue(labels, "instance"));

describe("a pool of scrape loops", () => {
  it("goes on with the targets that stay, begins with new ones, and marks what is gone as stale", async () => {
    const { ports, pool, samplesOf } = await openScene("a", "b", "c");
    pool.setTargets([targetOf("a"), targetOf("b")]);
    await ports.clock.advance(2 * intervalMs);
    expect(await samplesOf("a")).toEqual([1, 2]);
    pool.setTargets([targetOf("b"), targetOf("c")]);
    expect(instancesOf(pool)).toEqual(["b:9100", "c:9100"]);
    await ports.clock.advance(3 * intervalMs);
    expect(await samplesOf("a")).toEqual([1, 2, "stale"]);
    expect(await samplesOf("a", "up")).toEqual([1, 1, "stale"]);
    // Not once more, nor once less: its loop is the same as before.
    expect(await samplesOf("b")).toEqual([1, 2, 3, 4, 5]);
    expect(await samplesOf("c")).toEqual([1, 2, 3]);
    await pool.stop();
  });

  it("a target that comes back before its markers goes on without one", async () => {
    const { ports, pool, samplesOf } = await openScene("a");
    await ports.clock.advance(intervalMs);
    pool.setTargets([]);
    expect(pool.status()).toEqual([]);
    await ports.clock.advance(intervalMs / 2);
    pool.setTargets([targetOf("a")]);
    await ports.clock.advance(4 * intervalMs);
    const samples = await samplesOf("a");
    expect(samples).not.toContain("stale");
    expect(samples.length).toBeGreaterThanOrEqual(5);
    await pool.stop();
  });

  it("scrapes a target that is listed twice once", async () => {
    const { ports, pool, samplesOf } = await openScene("a");
    pool.setTargets([targetOf("a"), { ...targetOf("a"), labels: {} }]);
    await ports.clock.advance(3 * intervalMs);
    expect(await samplesOf("a")).toEqual([1, 2, 3]);
    expect(instancesOf(pool)).toEqual(["a:9100"]);
    await pool.stop();
  });

  it("keeps what pages say of their metrics: of the first, of one with new series, and of one now and then", async () => {
    const { ports, pool, say } = await openScene("a");
    const helps = () =>
      pool.metadata().map(({ metric, metas }) => `${metric}: ${metas.map(({ help }) => help).join(" | ")}`);
    say("a", "# HELP x First.\nx 1\n");
    await ports.clock.advance(intervalMs);
    expect(helps()).toEqual(["x: First."]);
    say("a", "# HELP x Second.\nx 1\n");
    await ports.clock.advance(3 * intervalMs);
    expect(helps()).toEqual(["x: First."]);
    say("a", "# HELP x Second.\nx 1\ny 1\n");
    await ports.clock.advance(2 * intervalMs);
    expect(helps()).toEqual(["x: First. | Second."]);
    say("a", "# HELP z Third.\nx 1\ny 1\n");
    await ports.clock.advance(6 * 60_000);
    expect(helps()).toEqual(["x: First. | Second.", "z: Third."]);
    say("a", "# HELP x Broken.\nz\n");
    await ports.clock.advance(30 * 60_000);
    expect(helps()).toEqual([]);
    await pool.stop();
  });

  it("marks nothing when it is stopped, what was about to get a marker included", async () => {
    const { ports, pool, samplesOf } = await openScene("a", "b");
    await ports.clock.advance(2 * intervalMs);
    pool.setTargets([targetOf("b")]);
    const stopped = pool.stop();
    await ports.clock.advance(5 * intervalMs);
    await stopped;
    expect(await samplesOf("a")).toEqual([1, 2]);
    expect(await samplesOf("b")).toEqual([1, 2]);
    expect(() => pool.setTargets([])).toThrow("stopped");
  });
});
