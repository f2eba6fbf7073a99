/**
 * One data folder, asked of Pleiad and of the real Prometheus: blocks that overlap, a head behind them, series in parts and
 * twice. And asked of Pleiad in three ways that may not matter: on one thread, on several, and series by series.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { nodeThreads } from "@pleiad/node-ports";
import type { Threads } from "@pleiad/ports";
import { defaultTsdbView, viewTsdb, type TsdbView } from "@pleiad/tsdb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askApi, differenceOf, type ApiQuestion, type ApiReply } from "./answer-difference.ts";
import { knownDifferences } from "./known-differences.ts";
import { folderStartMs, folderVocabulary, writeOddFolder } from "./odd-folder.ts";
import { portsOfTest, serveSource, startPrometheus, type RunningServer } from "./prometheus-peer.ts";
import { randomQuery } from "@pleiad/promql-syntax/testing";
import { peerMissing, temporaryFolder } from "./twin-under-test.ts";

// Other questions than those of every day: PLEIAD_QUERY_SEED=1000 PLEIAD_QUERY_COUNT=20000.
const firstSeed = Number(process.env["PLEIAD_QUERY_SEED"] ?? 1);
const seedCount = Number(process.env["PLEIAD_QUERY_COUNT"] ?? 500);
const prometheusPort = Number(process.env["PLEIAD_QUERY_PORT"] ?? 27_320);

/** Inside a block, at the borders of blocks, where many series are, in the head. */
const hours = [1.4, 2.1, 3.1, 3.9, 4.1, 4.6];

describe(
  "one folder of blocks and head, asked of Pleiad and of Prometheus 2.42",
  {
    skip: peerMissing("prometheus"),
  },
  () => {
    const folder = temporaryFolder();
    let view: TsdbView | undefined;
    let theirs: RunningServer | undefined;
    let oneThread: RunningServer | undefined;
    let threeThreads: RunningServer | undefined;
    let startedCount = 0;
    const startCounted: Threads["start"] = (moduleUrl, data) => {
      startedCount++;
      return nodeThreads().start(moduleUrl, data);
    };

    beforeAll(async () => {
      const directory = join(folder.path, "data");
      mkdirSync(directory);
      await writeOddFolder(directory);
      theirs = await startPrometheus(directory, join(folder.path, "prometheus"), prometheusPort);
      const viewed = await viewTsdb(directory, defaultTsdbView, portsOfTest());
      if (!viewed.ok) throw new Error(viewed.failure.kind);
      view = viewed.value;
      oneThread = await serveSource(view, async () => {}, { threads: { ...nodeThreads(), countUseful: 0 } });
      threeThreads = await serveSource(view, async () => {}, { threads: { countUseful: 2, start: startCounted } });
    });
    afterAll(async () => {
      for (const server of [oneThread, threeThreads, theirs]) await server?.end();
      await view?.close();
      folder.remove();
    });

    it("has every block in use", () => {
      expect(view?.blocks()).toHaveLength(3);
      expect(view?.unreadableBlocks).toBe(0);
    });

    it("random queries give the same", async () => {
      const found: string[] = [];
      let answered = 0;
      for (let seed = firstSeed; seed < firstSeed + seedCount && found.length < 10; seed++) {
        const endMs = folderStartMs + (hours[seed % hours.length] as number) * 3_600_000 + 1;
        const query = randomQuery(seed, seconds(endMs - 600_000), folderVocabulary);
        for (const kind of ["instant", "range"] as const) {
          const question = questionOf(query, kind, endMs);
          const counted = { ...question, parameters: [...question.parameters, ["stats", "all"] as const] };
          const [one, three, rows, peer] = await Promise.all([
            askApi(oneThread?.url ?? "", question),
            askApi(threeThreads?.url ?? "", question),
            // What is to be counted step by step is read series by series.
            askApi(oneThread?.url ?? "", counted),
            askApi(theirs?.url ?? "", question),
          ]);
          const tell = (what: string) => found.push(`seed ${seed}, ${kind}: ${query}\n  ${what}`);
          if (contentOf(one) !== contentOf(three)) tell(`on three threads: ${firstDifference(one, three)}`);
          if (contentOf(one) !== contentOf(rows)) tell(`series by series: ${firstDifference(one, rows)}`);
          if (knownDifferences.some((known) => known.applies(query, kind, one, peer))) continue;
          const difference = differenceOf(one, peer, kind === "range" ? "given" : "any");
          if (difference !== undefined) tell(difference);
          if (one.status === 200 && one.text.includes('"metric"')) answered++;
        }
      }
      expect(found.join("\n")).toBe("");
      // Most of them ask for something that is there.
      expect(answered).toBeGreaterThan(seedCount);
      expect(startedCount).toBe(2);
    }, 3_600_000);
  },
);

function questionOf(query: string, kind: "instant" | "range", endMs: number): ApiQuestion {
  const times =
    kind === "instant"
      ? ([["time", seconds(endMs)]] as const)
      : ([
          ["start", seconds(endMs - 1_800_000)],
          ["end", seconds(endMs)],
          ["step", "97"],
        ] as const);
  const path = kind === "instant" ? "query" : "query_range";
  return { method: "POST", path, parameters: [["query", query], ...times] };
}

/** All of an answer, but for its statistics. */
function contentOf({ status, body }: ApiReply): string {
  return JSON.stringify([status, body], (name, value: unknown) => (name === "stats" ? undefined : value));
}

function firstDifference(one: ApiReply, other: ApiReply): string {
  const [left, right] = [contentOf(one), contentOf(other)];
  let at = 0;
  while (left[at] === right[at]) at++;
  const from = Math.max(0, at - 100);
  return `…${left.slice(from, at + 100)}, …${right.slice(from, at + 100)}`;
}

function seconds(timeMs: number): string {
  return (timeMs / 1000).toFixed(3);
}
