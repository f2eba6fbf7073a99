import { createSampleColumns, decodeChunk } from "@pleiad/chunks";
import { defaultExpositionLimits } from "@pleiad/exposition";
import { defaultHead, openHead, type Head, type HeadOptions } from "@pleiad/head";
import { collectSeries, formatFloat, formatLabels, isStale, labelsFromRecord, plainSelect } from "@pleiad/model";
import { HttpError, type HttpRequest, type HttpResponse } from "@pleiad/ports";
import { testPorts, type TestPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { gridOffsetMs, nextGridMs } from "./scrape-grid.ts";
import { createScrapeLoop, defaultScrapeOptions, type ScrapeLoop, type ScrapeOptions } from "./scrape-loop.ts";
import type { ScrapeTarget } from "./scrape-target.ts";

const intervalMs = 30_000;
const target: ScrapeTarget = { job: "node", url: "http://host:9100/metrics" };
const textType = "text/plain; version=0.0.4";
const reportNames = new Set([
  "up",
  "scrape_duration_seconds",
  "scrape_samples_scraped",
  "scrape_samples_post_metric_relabeling",
  "scrape_series_added",
]);

interface Scene {
  readonly ports: TestPorts;
  readonly head: Head;
  readonly loop: ScrapeLoop;
  readonly requests: HttpRequest[];
  /** What the target answers from now on: a page, or a whole response. */
  answer(next: string | HttpResponse | ((request: HttpRequest) => Promise<HttpResponse>)): void;
  /** Runs the next scrape; gives the samples that it stored, one a line: `value series`, without the report. */
  scrape(): Promise<readonly string[]>;
  /** The report series of the last scrape, by name. */
  report(): Promise<Readonly<Record<string, number>>>;
  counters(): ReadonlyMap<string, number>;
}

async function openScene(
  changes: {
    readonly target?: Partial<ScrapeTarget>;
    readonly options?: Partial<ScrapeOptions>;
    readonly head?: Partial<HeadOptions>;
  } = {},
): Promise<Scene> {
  const counted = new Map<string, number>();
  const plain = testPorts();
  const ports: TestPorts = {
    ...plain,
    observations: {
      ...plain.observations,
      counter: (name) => ({
        add: (amount, ...labelValues) => {
          const key = [name, ...labelValues].join(" ");
          counted.set(key, (counted.get(key) ?? 0) + amount);
        },
      }),
    },
  };
  let respond: (request: HttpRequest) => Promise<HttpResponse> = async () => ({ status: 500, headers: {}, body: "" });
  const requests: HttpRequest[] = [];
  await ports.network.serveHttp("host:9100", async (request) => {
    requests.push(request);
    return await respond(request);
  });
  const opened = await openHead({ ...headOptions, ...changes.head }, ports);
  if (!opened.ok) throw new Error(JSON.stringify(opened.failure));
  const head = opened.value;
  const offsetMs = gridOffsetMs(`${target.job} ${target.url}`, intervalMs);
  const loop = createScrapeLoop({ ...target, ...changes.target }, head, ports, {
    ...defaultScrapeOptions,
    ...changes.options,
  });
  let lastMs = 0;
  const samplesAt = async (timestampMs: number) => {
    const { series } = await collectSeries(head.select(plainSelect, new AbortController().signal));
    return series.flatMap(({ labels, chunks }) => {
      const columns = createSampleColumns(1024);
      for (const { content } of chunks) {
        if (content.kind === "raw") expect(decodeChunk(content.encoding, content.data, columns)).toBeUndefined();
      }
      return Array.from({ length: columns.count }, (_, i) => i)
        .filter((i) => columns.timestampsMs[i] === timestampMs)
        .map((i) => ({
          labels,
          value: isStale(columns.valueWords, i) ? "stale" : formatFloat(columns.values[i] ?? NaN),
        }));
    });
  };
  const isReport = (labels: readonly string[]) => reportNames.has(labels[labels.indexOf("__name__") + 1] ?? "");
  return {
    ports,
    head,
    loop,
    requests,
    answer: (next) => {
      respond =
        typeof next === "function"
          ? next
          : async () =>
              typeof next === "string" ? { status: 200, headers: { "content-type": textType }, body: next } : next;
    },
    scrape: async () => {
      lastMs = nextGridMs(ports.clock.wallMs(), intervalMs, offsetMs);
      await ports.clock.advance(lastMs - ports.clock.wallMs());
      const samples = await samplesAt(lastMs);
      return samples
        .filter(({ labels }) => !isReport(labels))
        .map(({ labels, value }) => `${value} ${formatLabels(labels)}`);
    },
    report: async () =>
      Object.fromEntries(
        (await samplesAt(lastMs))
          .filter(({ labels }) => isReport(labels))
          .map(({ labels, value }) => [labels[labels.indexOf("__name__") + 1] ?? "", Number(value)]),
      ),
    counters: () => counted,
  };
}

const headOptions = {
  ...defaultHead,
  directory: "/head",
  externalLabels: labelsFromRecord({}),
  intern: (text: string) => text,
};
const own = 'instance="host:9100", job="node"';

/** The bits of all values of a series, by metric name. */
async function bitsOf(head: Head, metricName: string): Promise<string[]> {
  const matchers = [{ type: "=", name: "__name__", value: metricName }] as const;
  const { series } = await collectSeries(head.select({ ...plainSelect, matchers }, new AbortController().signal));
  const columns = createSampleColumns(16);
  for (const { content } of series.flatMap(({ chunks }) => chunks)) {
    if (content.kind === "raw") expect(decodeChunk(content.encoding, content.data, columns)).toBeUndefined();
  }
  const words = columns.valueWords;
  const hex = (word = 0) => word.toString(16).padStart(8, "0");
  return Array.from({ length: columns.count }, (_, i) => hex(words[2 * i + 1]) + hex(words[2 * i]));
}

describe("a scrape", () => {
  it("stores the bits that Prometheus stores, from the page over the log to who asks", async () => {
    const scene = await openScene();
    for (const page of ["a NaN\n", "a nan\n", "a 1\n", "b 1\n", "a nAN\n"]) {
      scene.answer(page);
      await scene.scrape();
    }
    const bits = [
      "7ff8000000000001",
      "7ff8000000000001",
      "3ff0000000000000",
      "7ff0000000000002", // not on the page: stale
      "7ff8000000000001",
    ];
    expect(await bitsOf(scene.head, "a")).toEqual(bits);
    expect(await bitsOf(scene.head, "up")).toEqual(bits.map(() => "3ff0000000000000"));
    const again = await openHead(headOptions, scene.ports);
    if (!again.ok) throw new Error(again.failure.kind);
    expect(await bitsOf(again.value, "a")).toEqual(bits);
  });

  it("stores the samples of the page under the target's labels, and reports", async () => {
    const scene = await openScene();
    scene.answer('# TYPE a counter\na{l="1"} 5\na{l="2"} NaN\nb -0.5\n');
    expect(await scene.scrape()).toEqual([
      `5 a{${own.replace('"node"', '"node", l="1"')}}`,
      `NaN a{${own.replace('"node"', '"node", l="2"')}}`,
      `-0.5 b{${own}}`,
    ]);
    expect(await scene.report()).toEqual({
      up: 1,
      scrape_duration_seconds: 0,
      scrape_samples_scraped: 3,
      scrape_samples_post_metric_relabeling: 3,
      scrape_series_added: 3,
    });
    expect(scene.loop.status()).toMatchObject({ health: "up", lastError: undefined, lastSamples: 3 });
    await scene.scrape();
    expect(await scene.report()).toMatchObject({ up: 1, scrape_samples_scraped: 3, scrape_series_added: 0 });
    await scene.loop.stop();
  });

  it("asks as Prometheus does", async () => {
    const scene = await openScene();
    await scene.scrape();
    const { method, path, headers } = scene.requests[0] as HttpRequest;
    expect([method, path]).toEqual(["GET", "/metrics"]);
    expect(headers.get("x-prometheus-scrape-timeout-seconds")).toBe("10");
    expect(headers.get("user-agent")).toBe("Pleiad");
    expect(headers.get("accept")).toMatch(
      /^application\/openmetrics-text;version=1\.0\.0;.*text\/plain;version=0\.0\.4;q=0\.2,\*\/\*;q=0\.1$/,
    );
    await scene.loop.stop();
  });

  it("comes once an interval, at the target's place, with timestamps of the grid", async () => {
    const scene = await openScene();
    scene.answer("a 1\n");
    await scene.ports.clock.advance(10 * intervalMs);
    expect(scene.requests).toHaveLength(10);
    expect(await scene.scrape()).toEqual([`1 a{${own}}`]);
    await scene.loop.stop();
  });

  it("never overlaps the one before it, and leaves out the places it missed", async () => {
    const scene = await openScene({ options: { timeoutMs: intervalMs * 3 } });
    scene.answer(async () => {
      await scene.ports.clock.sleep(intervalMs * 2.5);
      return { status: 200, headers: { "content-type": textType }, body: "a 1\n" };
    });
    await scene.ports.clock.advance(12 * intervalMs);
    expect(scene.requests).toHaveLength(4);
    await scene.loop.stop();
  });

  for (const [rule, jumpMs] of [
    ["ahead", 7 * intervalMs + 500],
    ["back", -7 * intervalMs - 500],
  ] as const) {
    it(`goes on when the clock jumps ${rule}, and stores no time twice`, async () => {
      let offsetMs = 0;
      let scrapes = 0;
      const plain = testPorts();
      const clock = { ...plain.clock, wallMs: () => plain.clock.wallMs() + offsetMs };
      await plain.network.serveHttp("host:9100", async () => {
        scrapes++;
        return { status: 200, headers: { "content-type": textType }, body: `a ${scrapes}\n` };
      });
      const opened = await openHead(headOptions, { ...plain, clock });
      if (!opened.ok) throw new Error(opened.failure.kind);
      const loop = createScrapeLoop(target, opened.value, { ...plain, clock }, defaultScrapeOptions);
      await plain.clock.advance(3 * intervalMs);
      offsetMs = jumpMs;
      await plain.clock.advance(12 * intervalMs);
      expect(scrapes).toBeGreaterThanOrEqual(14);
      expect(loop.status()).toMatchObject({ health: "up" });
      const matchers = [{ type: "=", name: "__name__", value: "a" }] as const;
      const { series } = await collectSeries(
        opened.value.select({ ...plainSelect, matchers }, new AbortController().signal),
      );
      const columns = createSampleColumns(64);
      for (const { content } of series.flatMap(({ chunks }) => chunks)) {
        if (content.kind === "raw") expect(decodeChunk(content.encoding, content.data, columns)).toBeUndefined();
      }
      const times = [...columns.timestampsMs.subarray(0, columns.count)];
      expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
      // What falls into time that is told already is refused, until that is over.
      expect(times.length).toBe(jumpMs > 0 ? scrapes : scrapes - 8);
      await loop.stop();
    });
  }

  it("ends with the loop", async () => {
    const scene = await openScene();
    await scene.loop.stop();
    await scene.ports.clock.advance(10 * intervalMs);
    expect(scene.requests).toHaveLength(0);
  });
});

describe("staleness", () => {
  it("a series that vanished is marked once", async () => {
    const scene = await openScene();
    scene.answer("a 1\nb 2\n");
    await scene.scrape();
    scene.answer("a 1\n");
    expect(await scene.scrape()).toEqual([`1 a{${own}}`, `stale b{${own}}`]);
    expect(await scene.scrape()).toEqual([`1 a{${own}}`]);
    await scene.loop.stop();
  });

  it("a series that comes back goes on", async () => {
    const scene = await openScene();
    scene.answer("a 1\nb 2\n");
    await scene.scrape();
    scene.answer("a 1\n");
    await scene.scrape();
    scene.answer("a 1\nb 3\n");
    expect(await scene.scrape()).toEqual([`1 a{${own}}`, `3 b{${own}}`]);
    await scene.loop.stop();
  });

  it("a series whose labels change order on the page is the same series", async () => {
    const scene = await openScene();
    scene.answer('a{x="1",y="2"} 1\n');
    await scene.scrape();
    scene.answer('a{y="2",x="1"} 2\n');
    expect(await scene.scrape()).toEqual(['2 a{instance="host:9100", job="node", x="1", y="2"}']);
    await scene.loop.stop();
  });

  it("a series comes back that the head has forgotten since", async () => {
    const scene = await openScene({ head: { retentionMs: intervalMs * 3, chunkRangeMs: intervalMs * 2 } });
    scene.answer("a 1\nb 2\n");
    await scene.scrape();
    scene.answer("a 1\n");
    for (let i = 0; i < 10; i++) await scene.scrape();
    const maintained = await scene.head.maintain(scene.ports.clock.wallMs());
    expect(maintained.ok && maintained.value.forgottenSeries).toBe(1);
    scene.answer("a 1\nb 3\n");
    expect(await scene.scrape()).toEqual([`1 a{${own}}`, `3 b{${own}}`]);
    await scene.loop.stop();
  });

  it("a series with timestamps of its own is left alone", async () => {
    const scene = await openScene();
    scene.answer(`a 1 ${scene.ports.clock.wallMs()}\nb 2\n`);
    expect(await scene.scrape()).toEqual([`2 b{${own}}`]);
    scene.answer("b 2\n");
    expect(await scene.scrape()).toEqual([`2 b{${own}}`]);
    await scene.loop.stop();
  });

  it("timestamps of the page can be ignored", async () => {
    const scene = await openScene({ target: { honorTimestamps: false } });
    scene.answer("a 1 5000\n");
    expect(await scene.scrape()).toEqual([`1 a{${own}}`]);
    scene.answer("\n");
    expect(await scene.scrape()).toEqual([`stale a{${own}}`]);
    await scene.loop.stop();
  });
});

describe("a target that is gone", () => {
  const markers = async (scene: Scene, atMs: number) => {
    const { series } = await collectSeries(scene.head.select(plainSelect, new AbortController().signal));
    return series.flatMap(({ labels, chunks }) => {
      const columns = createSampleColumns(64);
      for (const { content } of chunks) if (content.kind === "raw") decodeChunk(1, content.data, columns);
      const last = columns.count - 1;
      return isStale(columns.valueWords, last) && columns.timestampsMs[last] === atMs ? [formatLabels(labels)] : [];
    });
  };

  it("has its series marked stale, reports included, two intervals after", async () => {
    const scene = await openScene();
    scene.answer("a 1\nb 2\nown 3 1700000000000\n");
    await scene.scrape();
    const goneMs = scene.ports.clock.wallMs();
    const retired = scene.loop.retire(new AbortController().signal);
    await scene.ports.clock.advance(2 * intervalMs);
    expect(await markers(scene, goneMs + intervalMs)).toEqual([]);
    await scene.ports.clock.advance(intervalMs);
    await retired;
    const names = (await markers(scene, goneMs + intervalMs)).map((series) => series.replace(/\{.*/, ""));
    expect(names).toEqual(["a", "b", ...[...reportNames].filter((name) => name !== "up").sort(), "up"]);
  });

  it("that another loop took over keeps its series, and so does one whose process ends", async () => {
    const scene = await openScene();
    scene.answer("a 1\n");
    await scene.scrape();
    const goneMs = scene.ports.clock.wallMs();
    const retired = scene.loop.retire(new AbortController().signal);
    const successor = createScrapeLoop(target, scene.head, scene.ports, defaultScrapeOptions);
    await scene.ports.clock.advance(3 * intervalMs);
    await retired;
    expect(await markers(scene, goneMs + intervalMs)).toEqual([]);
    const ending = new AbortController();
    const second = successor.retire(ending.signal);
    ending.abort();
    await second;
    expect((await collectSeries(scene.head.select(plainSelect, new AbortController().signal))).series).toHaveLength(6);
  });
});

describe("exemplars", () => {
  it("go with their samples, at their own time or at the sample's", async () => {
    const scene = await openScene();
    const page = (sum: number, seconds: string) =>
      `# TYPE a counter\na_total ${sum} # {trace_id="t${sum}"} 0.5${seconds}\nb_total 1\n# EOF\n`;
    const headers = { "content-type": "application/openmetrics-text; version=1.0.0" };
    const nowSeconds = scene.ports.clock.wallMs() / 1000;
    scene.answer({ status: 200, headers, body: page(1, ` ${nowSeconds - 5}`) });
    await scene.scrape();
    scene.answer({ status: 200, headers, body: page(2, "") });
    await scene.scrape();
    // Older than the one before.
    scene.answer({ status: 200, headers, body: page(3, ` ${nowSeconds - 9}`) });
    expect(await scene.scrape()).toHaveLength(2);
    const found = scene.head.exemplars([], 0, Infinity);
    if (!found.ok) throw new Error(found.failure.kind);
    const secondScrapeMs = (scene.loop.status().lastScrapeMs ?? 0) - intervalMs;
    expect(found.value).toEqual([
      {
        labels: labelsFromRecord({ __name__: "a_total", job: "node", instance: "host:9100" }),
        exemplars: [
          { timestampMs: nowSeconds * 1000 - 5000, value: 0.5, labels: labelsFromRecord({ trace_id: "t1" }) },
          { timestampMs: secondScrapeMs, value: 0.5, labels: labelsFromRecord({ trace_id: "t2" }) },
        ],
      },
    ]);
    expect(scene.counters().get("prometheus_target_scrapes_exemplar_out_of_order_total")).toBe(1);
    await scene.loop.stop();
  });
});

describe("a scrape that fails", () => {
  const slow = async (request: HttpRequest): Promise<HttpResponse> =>
    await new Promise((_, reject) => {
      request.signal.addEventListener("abort", () => reject(new HttpError("timeout", "no answer in time")));
    });
  for (const [rule, answer, error] of [
    [
      "a refusing status",
      { status: 503, headers: {}, body: "" },
      "http://host:9100/metrics: expected HTTP status 200, found 503",
    ],
    [
      "no content type",
      { status: 200, headers: {}, body: "a 1\n" },
      "http://host:9100/metrics: expected Content-Type text/plain or application/openmetrics-text, found none",
    ],
    [
      "a malformed page",
      "a 9\nb 9\n1c 9\n",
      'http://host:9100/metrics: line 3, column 1: expected a metric name, found "1c"',
    ],
    [
      "too many samples",
      "a 9\nb 9\nc 9\nd 9\ne 9\n",
      "http://host:9100/metrics: sample limit exceeded: more than 4 samples",
    ],
    ["too many bytes", `# ${"x".repeat(1000)}\n`, "http://host:9100/metrics: body of more than 1000 bytes"],
    ["no answer in time", slow, "http://host:9100/metrics: no answer within 10 s"],
  ] as const) {
    it(`is stored as nothing but staleness and up 0: ${rule}`, async () => {
      const limits = { ...defaultExpositionLimits, bodyBytesMax: 1000, samplesMax: 4 };
      const scene = await openScene({ options: { limits } });
      scene.answer("a 1\nb 2\n");
      await scene.scrape();
      scene.answer(answer);
      const atFailure = await scene.scrape();
      if (answer === slow) await scene.ports.clock.advance(10_000);
      else expect(atFailure).toEqual([`stale a{${own}}`, `stale b{${own}}`]);
      expect(await scene.report()).toMatchObject({ up: 0 });
      expect(scene.loop.status()).toMatchObject({ health: "down", lastError: error });
      scene.answer("a 3\n");
      expect(await scene.scrape()).toEqual([`3 a{${own}}`]);
      expect(scene.loop.status()).toMatchObject({ health: "up", lastError: undefined });
      await scene.loop.stop();
    });
  }

  it("is told of an unreachable target", async () => {
    const scene = await openScene();
    scene.ports.network.unplug("host:9100");
    expect(await scene.scrape()).toEqual([]);
    expect(await scene.report()).toMatchObject({ up: 0, scrape_samples_scraped: 0 });
    expect(scene.loop.status().lastError).toBe("connect to host:9100: refused");
    expect(scene.counters().get("pleiad_scrape_failures_total unreachable")).toBe(1);
    await scene.loop.stop();
  });

  it("a page without content type is read if that is allowed", async () => {
    const scene = await openScene({ options: { fallbackToText: true } });
    scene.answer({ status: 200, headers: {}, body: "a 1\n" });
    expect(await scene.scrape()).toEqual([`1 a{${own}}`]);
    await scene.loop.stop();
  });

  it("is one whose series the head refuses: nothing of the page is stored", async () => {
    const scene = await openScene({ head: { limits: { ...defaultHead.limits, seriesMax: 8 } } });
    scene.answer("a 1\nb 2\n");
    await scene.scrape();
    scene.answer("a 9\nb 9\nc 9\nd 9\n");
    expect(await scene.scrape()).toEqual([`stale a{${own}}`, `stale b{${own}}`]);
    expect(await scene.report()).toMatchObject({ up: 0 });
    expect(scene.loop.status().lastError).toBe(`http://host:9100/metrics: more than 8 series, at d{${own}}`);
    scene.answer("a 3\nb 4\n");
    expect(await scene.scrape()).toEqual([`3 a{${own}}`, `4 b{${own}}`]);
    await scene.loop.stop();
  });

  it("stores nothing and says so when the log cannot be written", async () => {
    const scene = await openScene();
    scene.answer("a 1\n");
    await scene.scrape();
    scene.ports.files.failFrom(1, "ENOSPC");
    expect(await scene.scrape()).toEqual([]);
    expect(scene.loop.status()).toMatchObject({ health: "down" });
    expect(scene.loop.status().lastError).toMatch(/^not stored: .*ENOSPC/);
    await scene.loop.stop();
  });
});

describe("lines in conflict", () => {
  it("of the same series twice the first stays, and the other is counted", async () => {
    const scene = await openScene();
    scene.answer("a 1\na 2\na 3\n");
    expect(await scene.scrape()).toEqual([`1 a{${own}}`]);
    expect(scene.counters().get("prometheus_target_scrapes_sample_duplicate_timestamp_total")).toBe(2);
    expect(await scene.report()).toMatchObject({ up: 1, scrape_samples_scraped: 3 });
    await scene.loop.stop();
  });

  it("a label of the target's on the page is renamed", async () => {
    const scene = await openScene();
    scene.answer('a{job="x"} 1\n');
    expect(await scene.scrape()).toEqual(['1 a{exported_job="x", instance="host:9100", job="node"}']);
    await scene.loop.stop();
  });

  it("or kept, where the target says so", async () => {
    const scene = await openScene({ target: { honorLabels: true } });
    scene.answer('a{job="x"} 1\n');
    expect(await scene.scrape()).toEqual(['1 a{instance="host:9100", job="x"}']);
    await scene.loop.stop();
  });

  it("samples from too far in the future are counted and left out", async () => {
    const scene = await openScene();
    scene.answer(`a 1 ${scene.ports.clock.wallMs() + 3_600_000}\nb 2\n`);
    expect(await scene.scrape()).toEqual([`2 b{${own}}`]);
    expect(scene.counters().get("prometheus_target_scrapes_sample_out_of_bounds_total")).toBe(1);
    await scene.loop.stop();
  });
});
