/**
 * One head, asked of Pleiad and of the real Prometheus. A twin scrapes; the files of one of its clusters, which are
 * Prometheus's own formats, then serve both.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askApi, differenceOf, type ApiQuestion, type ApiReply } from "./answer-difference.ts";
import { deliberateAnswers, knownDifferences } from "./known-differences.ts";
import { importOddSeries } from "./odd-series.ts";
import { changeHead, startPleiad, startPrometheus, type RunningServer } from "./prometheus-peer.ts";
import { badRequests, orderedQueries, spelledQueries, tableQueries } from "./query-table.ts";
import { clusterVocabulary, randomQuery } from "@pleiad/promql-syntax/testing";
import { eventually, fleetFileAt, peerMissing, startTwin, temporaryFolder } from "./twin-under-test.ts";

// Other questions than those of every day: PLEIAD_QUERY_SEED=1000 PLEIAD_QUERY_COUNT=20000.
const firstSeed = Number(process.env["PLEIAD_QUERY_SEED"] ?? 1);
const seedCount = Number(process.env["PLEIAD_QUERY_COUNT"] ?? 300);

const twinPort = 28_500;
const prometheusPort = 28_590;
const cluster = "shop-01";
const missing = peerMissing("prometheus") || peerMissing("promtool");

describe("one head, asked of Pleiad and of Prometheus 2.42", { skip: missing }, () => {
  const folder = temporaryFolder();
  let ours: RunningServer | undefined;
  let theirs: RunningServer | undefined;
  /** A time between samples, and windows of whole seconds reach back to such times: since 3.0 their left end is open. */
  let nowMs = 0;

  beforeAll(async () => {
    const headDirectory = await scrapeForAWhile(folder.path);
    const endMs = await changeHead(headDirectory, async (head) => {
      const { maxTimeMs } = head.statistics();
      await importOddSeries(head, maxTimeMs);
      return maxTimeMs;
    });
    theirs = await startPrometheus(headDirectory, join(folder.path, "prometheus"), prometheusPort);
    ours = await startPleiad(headDirectory);
    nowMs = Math.floor(endMs / 1000) * 1000 - 60_000 + (await freeMillisecond(theirs.url, endMs));
  });
  afterAll(async () => {
    await ours?.end();
    await theirs?.end();
    folder.remove();
  });

  const ask = async (question: ApiQuestion): Promise<readonly [ours: ApiReply, theirs: ApiReply]> =>
    await Promise.all([askApi(ours?.url ?? "", question), askApi(theirs?.url ?? "", question)]);

  const queryOf = (query: string) => query.replaceAll("AT", seconds(nowMs - 600_000));

  const askQuery = async (query: string, kind: "instant" | "range") => {
    const range = [
      ["start", seconds(nowMs - 1_800_000)],
      ["end", seconds(nowMs)],
      ["step", "97"],
    ] as const;
    return await ask({
      method: "POST",
      path: kind === "instant" ? "query" : "query_range",
      parameters: [["query", query], ...(kind === "instant" ? ([["time", seconds(nowMs)]] as const) : range)],
    });
  };

  const differenceIn = async (query: string, kind: "instant" | "range", order: "any" | "given") => {
    const [mine, yours] = await askQuery(query, kind);
    if (knownDifferences.some((known) => known.applies(query, kind, mine, yours))) return undefined;
    return differenceOf(mine, yours, kind === "range" ? "given" : order);
  };

  describe("queries of every kind give the same", () => {
    for (const [queries, order] of [
      [tableQueries, "any"],
      [orderedQueries, "given"],
    ] as const) {
      for (const query of queries) {
        it(query, async () => {
          for (const kind of ["instant", "range"] as const) {
            expect(await differenceIn(queryOf(query), kind, order), `${kind} query`).toBeUndefined();
          }
        });
      }
    }
  });

  it("random queries give the same", async () => {
    const found: string[] = [];
    for (let seed = firstSeed; seed < firstSeed + seedCount && found.length < 10; seed++) {
      const query = randomQuery(seed, seconds(nowMs - 600_000), clusterVocabulary);
      for (const kind of ["instant", "range"] as const) {
        const difference = await differenceIn(query, kind, "any");
        if (difference !== undefined) found.push(`seed ${seed}, ${kind}: ${query}\n  ${difference}`);
      }
    }
    expect(found.join("\n")).toBe("");
  }, 600_000);

  describe("answers are spelled alike", () => {
    for (const query of spelledQueries) {
      it(query, async () => {
        const [mine, yours] = await askQuery(query, "instant");
        expect(mine.text).toBe(yours.text);
      });
    }
  });

  describe("what is answered differently, is so still", () => {
    for (const known of knownDifferences) {
      it(known.reason, async () => {
        const { kind, query } = known.example;
        const [mine, yours] = await askQuery(queryOf(query), kind);
        expect(known.applies(queryOf(query), kind, mine, yours)).toBe(true);
        expect(differenceOf(mine, yours, "any")).toBeDefined();
      });
    }
  });

  describe("a bad request is refused with the same status and type of error", () => {
    for (const request of badRequests) {
      it(request, async () => {
        const [mine, yours] = await ask({ path: request.replace("TIME", seconds(nowMs)), parameters: [] });
        expect(yours.status, yours.text).toBeGreaterThanOrEqual(400);
        expect(differenceOf(mine, yours, "any")).toBeUndefined();
      });
    }
  });

  describe("deliberately not as Prometheus", () => {
    for (const { reason, request, ...statuses } of deliberateAnswers) {
      it(reason, async () => {
        const [mine, yours] = await ask({ path: request, parameters: [] });
        expect({ ours: mine.status, theirs: yours.status }).toEqual(statuses);
      });
    }
  });

  describe("series and labels are the same", () => {
    const all = () =>
      [
        ["start", seconds(nowMs - 7_200_000)],
        ["end", seconds(nowMs + 3_600_000)],
      ] as const;
    const longAgo = [
      ["start", "0"],
      ["end", "1000"],
    ] as const;
    for (const [path, selectors] of [
      ["labels", []],
      ["labels", ["up"]],
      ["labels", ["up", '{__name__=~"odd_.*"}']],
      ["label/__name__/values", []],
      ["label/job/values", []],
      ["label/le/values", ['{handler="/"}']],
      ["label/shape/values", ["odd_gauge", "odd_total"]],
      ["label/text/values", []],
      ["label/nosuch/values", []],
      ["series", ["up"]],
      ["series", ['{__name__=~"odd_.*"}', "odd_gauge", "node_load1"]],
      ["series", ['{job="node-exporter",mode!="idle"}']],
      ["series", ["odd_text"]],
      ["series", ["nosuch"]],
    ] as const) {
      it(`${path} ${selectors.join(" ")}`, async () => {
        const match = selectors.map((selector) => ["match[]", selector] as const);
        for (const range of [[], all(), longAgo]) {
          const [mine, yours] = await ask({ path, parameters: [...match, ...range] });
          expect(yours.status, yours.text).toBe(200);
          expect(sortedData(mine)).toEqual(sortedData(yours));
        }
      });
    }
  });

  describe("promtool prints the same", () => {
    for (const [rule, ...args] of [
      ["of a vector", "instant", "URL", "sort(node_load1)", "--time=TIME"],
      ["of a scalar", "instant", "URL", "scalar(up) + 1e-7", "--time=TIME"],
      ["of samples", "instant", "URL", "odd_gauge{shape='infinite'}[2m]", "--time=TIME"],
      ["of nothing", "instant", "URL", "nosuch", "--time=TIME"],
      ["of a bad query", "instant", "URL", "sum(up"],
      ["of a failed query", "instant", "URL", "odd_many * on (id) odd_left", "--time=TIME"],
      ["of a range", "range", "URL", "max by (mode) (node_cpu_seconds_total)", "--start=START", "--end=TIME", "--step=60s"], // prettier-ignore
      ["of series", "series", "URL", "--match=odd_left", "--match=up"],
      ["of label values", "labels", "URL", "shape"],
    ] as const) {
      it(rule, async () => {
        const outputs = [ours, theirs].map(async (server) => {
          const given = args.map((arg) =>
            arg
              .replace("URL", server?.url ?? "")
              .replace("START", seconds(nowMs - 600_000))
              .replace("TIME", seconds(nowMs)),
          );
          return await promtoolQuery(given);
        });
        expect(await outputs[0]).toEqual(await outputs[1]);
      });
    }
  });
});

/** What `promtool query` ends with; its lines sorted, since a vector has no order. Not synchronous: the server is here. */
async function promtoolQuery(args: readonly string[]) {
  return await new Promise((resolve) => {
    execFile("promtool", ["query", ...args], { timeout: 20_000 }, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout: stdout.split("\n").sort(), stderr });
    });
  });
}

/** Runs a small twin for some scrapes. Gives the directory of one cluster's head, which nobody uses any more. */
async function scrapeForAWhile(folder: string): Promise<string> {
  const fleet = fleetFileAt(folder, "laptop.yaml", twinPort, (text) =>
    text
      .replace(/scrapeInterval: \S+/, "scrapeInterval: 3s")
      .replace("shop-{01..08}", "shop-{01..02}")
      .replace("shop-{01..06}", cluster)
      .replace("shop-{07..08}", "shop-02")
      .replace("seriesScale: 0.05", "seriesScale: 0.03"),
  );
  const state = join(folder, "state");
  const twin = await startTwin(fleet, state);
  try {
    const upSeconds = Date.now() / 1000;
    await eventually("two scrapes", 30_000, async () => {
      const { data } = await twin.query(`timestamp(up{cluster="${cluster}", job="cluster"}) > ${upSeconds + 3}`);
      return data.result.length > 0 ? true : undefined;
    });
  } finally {
    await twin.end("SIGINT");
  }
  return join(state, "fleets", "laptop", "clusters", cluster);
}

/** A part of a second at which no series has a sample. */
async function freeMillisecond(url: string, endMs: number): Promise<number> {
  const { body } = await askApi(url, {
    path: "query",
    parameters: [
      ["query", '{__name__=~"up|odd_gauge"}[3h]'],
      ["time", seconds(endMs)],
    ],
  });
  const { data } = body as { data: { result: readonly { values: readonly (readonly [number, string])[] }[] } };
  const taken = new Set(data.result.flatMap(({ values }) => values.map(([time]) => Math.round(time * 1000) % 1000)));
  const free = Array.from({ length: 999 }, (_, i) => i + 1).find((one) => !taken.has(one));
  if (free === undefined) throw new Error("samples at every millisecond of the second");
  return free;
}

function seconds(timeMs: number): string {
  return (timeMs / 1000).toFixed(3);
}

/** The listed things in one order: Prometheus lists series of its head as they were made. */
function sortedData({ body }: ApiReply): readonly string[] {
  const { data } = body as { data: readonly unknown[] };
  const texts = data.map((one) =>
    typeof one === "string" ? one : JSON.stringify(Object.entries(one as object).sort()),
  );
  return texts.sort();
}
