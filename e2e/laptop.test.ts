/** A small fleet with real peers: a real exporter as target, promtool as client, Chromium on the console. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { createServer, type Server } from "node:http";
import { chromium, type Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  eventually,
  fleetFileAt,
  peerMissing,
  pleiad,
  startTwin,
  temporaryFolder,
  valuesBy,
  type RunningTwin,
} from "./twin-under-test.ts";

const exporterPort = 27_900;
const brokenPort = 27_901;
const brokenPage = "# TYPE good counter\ngood 1\nbad{x=} 2\n";

describe("the laptop fleet", () => {
  const folder = temporaryFolder();
  let twin: RunningTwin;
  let exporter: ChildProcess | undefined;
  let broken: Server;

  beforeAll(async () => {
    if (!peerMissing("prometheus-node-exporter")) {
      exporter = spawn("prometheus-node-exporter", [`--web.listen-address=127.0.0.1:${exporterPort}`], {
        stdio: "ignore",
      });
    }
    broken = createServer((_, response) => {
      response.setHeader("content-type", "text/plain; version=0.0.4");
      response.end(brokenPage);
    });
    await new Promise<void>((resolve) => broken.listen(brokenPort, "127.0.0.1", resolve));
    const targets = [
      `{ job: node, url: "http://127.0.0.1:${exporterPort}/metrics" }`,
      `{ job: broken, url: "http://127.0.0.1:${brokenPort}/metrics" }`,
    ];
    const fleet = fleetFileAt(folder.path, "laptop.yaml", 26_000, (text) =>
      // The first group's clusters get real targets beside their made-up page.
      text.replace(/^( +)(series: .*)$/m, `$1$2\n$1targets: [${targets.join(", ")}]\n$1scrapeInterval: 5s`),
    );
    twin = await startTwin(fleet, `${folder.path}/state`);
  });
  afterAll(async () => {
    await twin.end("SIGINT");
    exporter?.kill();
    broken.close();
    folder.remove();
  });

  it("answers with every cluster", async () => {
    const answer = await twin.query('count(up{job="cluster"} == 1)');
    expect(answer.data.result[0]?.value?.[1]).toBe("12");
    expect(answer.warnings).toBeUndefined();
  });

  it(
    "scrapes what a fleet file names: a real node exporter",
    { skip: peerMissing("prometheus-node-exporter") },
    async () => {
      const answer = await eventually("the real exporter", 30_000, async () => {
        const found = await twin.query('node_uname_info{job="node"}');
        return found.data.result.length > 0 ? found : undefined;
      });
      expect(answer.data.result[0]?.metric).toMatchObject({ job: "node", instance: `127.0.0.1:${exporterPort}` });
      expect(answer.data.result[0]?.metric["cluster"]).toMatch(/^shop-/);
    },
  );

  it("takes nothing of a malformed page, and shows its target as down", async () => {
    const up = await eventually("a scrape of the broken page", 30_000, async () => {
      const found = await twin.query('up{job="broken"}');
      return found.data.result.length > 0 ? found : undefined;
    });
    expect(up.data.result[0]?.value?.[1]).toBe("0");
    expect((await twin.query('good{job="broken"}')).data.result).toEqual([]);
  });

  for (const [rule, endpoint, message] of [
    ["bad PromQL", "query?query=sum(up", /^invalid parameter "query": 1:\d+: parse error: .*unclosed left parenthesis/],
    ["an unknown function", "query?query=nope(up)", /unknown function with name "nope"/],
    [
      "too many steps",
      "query_range?query=up&start=0&end=11001&step=1",
      /^exceeded maximum resolution of 11,000 points per timeseries\. Try decreasing the query resolution \(\?step=XX\)$/,
    ],
    [
      "no step",
      "query_range?query=up&start=0&end=10&step=0",
      /zero or negative query resolution step widths are not accepted/,
    ],
  ] as const) {
    it(`refuses ${rule} with status 400 and Prometheus's words`, async () => {
      const response = await fetch(`${twin.apiUrls[0]}/api/v1/${endpoint}`);
      expect(response.status).toBe(400);
      const body = (await response.json()) as { status: string; errorType: string; error: string };
      expect(body).toMatchObject({ status: "error", errorType: "bad_data" });
      expect(body.error).toMatch(message);
    });
  }

  it("says that a valid query is not evaluated yet, by name", async () => {
    const answer = await twin.query("info(up)");
    expect(answer.status).toBe("error");
    expect(answer.error).toMatch(/info/);
  });

  it("lists its stores in Thanos's shape", async () => {
    const response = await fetch(`${twin.apiUrls[0]}/api/v1/stores`);
    const { data } = (await response.json()) as { data: Record<string, { name: string; lastError: string | null }[]> };
    expect(Object.keys(data)).toContain("query");
    expect(data["query"]?.every((store) => store.lastError === null)).toBe(true);
  });

  it("prints a table", async () => {
    const { stdout, code } = await pleiad([
      "query",
      'count by (region) (up{job="cluster"})',
      "--url",
      twin.apiUrls[0] ?? "",
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^region +VALUE\n\S+ +\d+\n/);
  });

  it("refuses a second twin on the same state folder", async () => {
    const { code, stderr } = await pleiad(["up", "fleets/laptop.yaml", "--state", twin.stateDirectory]);
    expect(stderr).toMatch(/a twin of fleet \S+ already runs on state folder/);
    expect(code).toBe(1);
  });

  it("answers promtool, a client that is not ours", { skip: peerMissing("promtool") }, () => {
    const url = twin.apiUrls[0] ?? "";
    const run = (...args: readonly string[]) => spawnSync("promtool", args, { encoding: "utf8" });
    const instant = run("query", "instant", url, 'count(up{job="cluster"})');
    expect(instant.stderr).toBe("");
    expect(instant.stdout).toMatch(/^\{\} => 12 @\[/);
    const series = run("query", "series", url, '--match=up{job="cluster"}');
    expect(series.stdout.trim().split("\n")).toHaveLength(12);
    const labels = run("query", "labels", url, "region");
    expect(labels.stdout.trim().split("\n").length).toBeGreaterThanOrEqual(2);
    const end = Math.floor(Date.now() / 1000);
    const range = run("query", "range", url, "sum(up)", `--start=${end - 600}`, `--end=${end}`, "--step=60s");
    expect(range.stdout).toMatch(/@\[/);
  });

  describe("the console in Chromium", { skip: peerMissing("chromium") }, () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await chromium.launch({
        executablePath: "/usr/bin/chromium",
        args: [
          "--no-sandbox",
          "--disable-gpu",
          "--disable-quic",
          "--no-first-run",
          "--disable-background-networking",
          "--disable-component-update",
          "--disable-sync",
        ],
      });
    });
    afterAll(async () => {
      await browser.close();
    });

    it("shows tiers, roles and clusters, and draws the answer to a question", async () => {
      const page = await browser.newPage({ viewport: { width: 1400, height: 1100 } });
      const errors: string[] = [];
      page.on("console", (message) => {
        if (message.type() === "error") errors.push(message.text());
      });
      page.on("pageerror", (error) => errors.push(error.message));
      await page.goto(twin.consoleUrl);
      await page.waitForSelector('[data-freshness="fresh"]');
      expect(await page.locator(".node").count()).toBe(3);
      expect(await page.locator("[data-cluster]").count()).toBe(12);
      expect(await page.locator('[data-role^="global-querier"][data-state="ready"]').count()).toBeGreaterThan(0);
      await page.fill("#query-text", "sum by (region) (rate(node_cpu_seconds_total[5m]))");
      await page.press("#query-text", "Enter");
      await page.waitForSelector("#query-chart canvas");
      expect(await page.locator("#query-table tbody tr").count()).toBe(2);
      await page.fill("#query-text", "sum(up");
      await page.press("#query-text", "Enter");
      await page.waitForSelector("#query-problem");
      expect(await page.textContent("#query-problem")).toContain("unclosed left parenthesis");
      // The refused query is the one answer of 400 that the browser itself remarks on.
      expect(errors.filter((text) => !text.includes("400"))).toEqual([]);
      await page.close();
    });
  });

  it("counts clusters by region as the plan has them", async () => {
    const answer = await twin.query('count by (region) (up{job="cluster"})');
    expect(Object.values(valuesBy(answer, "region")).reduce((sum, count) => sum + count, 0)).toBe(12);
  });
});
