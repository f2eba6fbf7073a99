/** The main job: the seven-node hierarchy with its 220 clusters, booted by the command, asked, broken, and mended. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  eventually,
  fleetFileAt,
  processesOf,
  processLives,
  startTwin,
  temporaryFolder,
  valuesBy,
  type RunningTwin,
} from "./twin-under-test.ts";

const complete = { a1: 60, a2: 60, a3: 60, bcd: 40 };
// Whether an answer is whole, not how its scrapes went: a process that was stopped, or starts on a busy machine, has
// scrapes that time out, and says so by an `up` of 0.
const countByRegion = 'count by (region) (up{cluster_group!=""})';

describe("the seven-node fleet", () => {
  const folder = temporaryFolder();
  let fleetFile: string;
  let twin: RunningTwin;
  // Enough for store gateways and compactor to have something, little enough to be there soon.
  const start = async () => await startTwin(fleetFile, `${folder.path}/state`, ["--history", "4h"]);

  beforeAll(async () => {
    fleetFile = fleetFileAt(folder.path, "seven-nodes.yaml", 23_000);
    twin = await start();
  });
  afterAll(async () => {
    if (processLives(twin.pid)) await twin.end("SIGINT");
    folder.remove();
  });

  /** Starts it again where the test before has ended it, whether that passed or not. */
  const running = async () => {
    if (!processLives(twin.pid)) twin = await start();
  };

  const answerIsComplete = async () => {
    const answer = await twin.query(countByRegion);
    return answer.warnings === undefined && JSON.stringify(valuesBy(answer, "region")) === JSON.stringify(complete)
      ? answer
      : undefined;
  };

  it("counts every cluster of every region, through both global queriers and both query frontends", async () => {
    await eventually("every cluster up", 60_000, async () => {
      const answer = await twin.query('count(up{cluster_group!=""} == 1)');
      return answer.data.result[0]?.value?.[1] === "220" ? true : undefined;
    });
    for (const api of twin.apiUrls.keys()) {
      const answer = await twin.query(countByRegion, api);
      expect(valuesBy(answer, "region")).toEqual(complete);
      expect(answer.warnings).toBeUndefined();
    }
  });

  it("has one process a monitoring node, one a region's app clusters, and keeps to 4 GiB with them all", () => {
    const processes = twin.processes();
    // Those that make up history end when it is whole.
    const names = processes
      .map(({ name }) => name)
      .filter((name) => !name.includes("history-"))
      .sort();
    expect(names).toEqual([
      ...["a1", "a2", "a3", "bcd"].map((region) => `clusters-${region}`),
      ...[1, 2, 3, 4, 5, 6, 7].map((n) => `node-${n}`),
      "supervisor",
    ]);
    const residentBytes = processes.reduce((sum, one) => sum + one.residentBytes, 0);
    expect(residentBytes).toBeLessThan(4 * 2 ** 30);
  });

  it("has two hours of the past at once", async () => {
    const answer = await twin.query('count by (region) (up{cluster_group!=""} offset 110m)');
    expect(valuesBy(answer, "region")).toEqual(complete);
  });

  it("has the hours before that in the bucket, when its history is whole", { timeout: 600_000 }, async () => {
    await eventually("the history", 400_000, async () =>
      /History +4h is whole/.test(twin.output()) ? true : undefined,
    );
    const answer = await eventually("the history in an answer", 200_000, async () => {
      const past = await twin.query('count by (region) (up{cluster_group!=""} offset 3h)');
      return JSON.stringify(valuesBy(past, "region")) === JSON.stringify(complete) ? past : undefined;
    });
    expect(answer.warnings).toBeUndefined();
  });

  it("scrapes itself as the monitoring job", async () => {
    const answer = await eventually("the monitoring job", 60_000, async () => {
      const up = await twin.query('count(up{job="monitoring"} == 1)');
      // 2 query frontends, 2 global, 8 regional and 2 leaf queriers, 10 store gateways, compactor and object store, the agent
      // itself, 4 cluster processes, the console.
      return up.data.result[0]?.value?.[1] === "32" ? up : undefined;
    });
    expect(answer.warnings).toBeUndefined();
  });

  it("keeps answering without one region's app clusters, names what is missing, and has them back by itself", async () => {
    await eventually("a complete count", 60_000, answerIsComplete);
    const victim = twin.processes().find(({ name }) => name === "clusters-a2");
    process.kill(victim?.pid ?? 0, "SIGKILL");
    const partial = await eventually("a partial answer", 15_000, async () => {
      const answer = await twin.query(countByRegion);
      return answer.warnings === undefined ? undefined : answer;
    });
    expect(partial.status).toBe("success");
    expect(valuesBy(partial, "region")).toMatchObject({ a1: 60, a3: 60, bcd: 40 });
    expect(partial.warnings?.join("\n")).toMatch(/cluster-061, cluster-062, cluster-063 and 57 more/);
    await eventually("everything back", 90_000, answerIsComplete);
  });

  it("answers within its time when one region's app clusters hang, names them, and is whole when they go on", async () => {
    await eventually("a complete count", 60_000, answerIsComplete);
    const victim = twin.processes().find(({ name }) => name === "clusters-a3")?.pid as number;
    process.kill(victim, "SIGSTOP");
    try {
      const startedMs = performance.now();
      const partial = await twin.query(countByRegion);
      // A region waits 10 s for a cluster, the global tier 30 s for a region.
      expect(performance.now() - startedMs).toBeLessThan(30_000);
      expect(valuesBy(partial, "region")).toMatchObject({ a1: 60, a2: 60, bcd: 40 });
      expect(partial.warnings?.join("\n")).toMatch(/cluster-121, cluster-122, cluster-123 and 57 more/);
    } finally {
      process.kill(victim, "SIGCONT");
    }
    await eventually("everything back", 60_000, answerIsComplete);
  });

  it("keeps answering whole without one replica of each regional querier's pair", async () => {
    await eventually("a complete count", 60_000, answerIsComplete);
    const victim = twin.processes().find(({ name }) => name === "node-4");
    process.kill(victim?.pid ?? 0, "SIGKILL");
    const answer = await twin.query(countByRegion);
    expect(valuesBy(answer, "region")).toEqual(complete);
    await eventually("node-4 back", 60_000, async () =>
      twin.processes().some(({ name, pid }) => name === "node-4" && pid !== victim?.pid) ? true : undefined,
    );
  });

  it("leaves no process behind when the supervisor is killed", async () => {
    await eventually("every process there", 60_000, async () => (twin.processes().length >= 12 ? true : undefined));
    const family = processesOf(twin.pid);
    await twin.end("SIGKILL");
    const left = () => family.filter(({ pid }) => processLives(pid));
    await eventually("every process gone", 60_000, async () => (left().length > 0 ? undefined : true));
    expect(left()).toEqual([]);
  });

  it("loses no sample that could be read when every process is killed at once", async () => {
    await running();
    await eventually("a complete count", 60_000, answerIsComplete);
    const question = '{__name__=~"up|scrape_samples_scraped|node_load1",cluster=~"cluster-(007|077|177|217)"}[5m]';
    const before = samplesOf(await twin.query(question));
    expect(before.size).toBeGreaterThan(100);
    const family = processesOf(twin.pid);
    // The supervisor last, so that none of the others is told to end in order.
    for (const { pid } of family) if (pid !== twin.pid) process.kill(pid, "SIGKILL");
    await twin.end("SIGKILL");
    await eventually("every process gone", 60_000, async () =>
      family.some(({ pid }) => processLives(pid)) ? undefined : true,
    );
    twin = await start();
    const whole = await eventually("an answer that lacks nothing", 60_000, async () => {
      const answer = await twin.query(question.replace("[5m]", "[10m]"));
      return answer.warnings === undefined ? answer : undefined;
    });
    const after = samplesOf(whole);
    const lost = [...before].filter(([key, value]) => after.get(key) !== value).map(([key]) => key);
    expect(lost).toEqual([]);
  });

  it("stops on Ctrl-C with nothing left behind", async () => {
    await running();
    const family = processesOf(twin.pid);
    const ended = await twin.end("SIGINT");
    expect(ended.code).toBe(0);
    expect(ended.stdout).toContain("Stopped.");
    expect(family.filter(({ pid }) => processLives(pid))).toEqual([]);
    twin = await start();
    await eventually("a complete count", 60_000, answerIsComplete);
  });
});

type Answer = Awaited<ReturnType<RunningTwin["query"]>>;

function samplesOf(answer: Answer): Map<string, string> {
  const samples = new Map<string, string>();
  for (const { metric, values = [] } of answer.data.result) {
    for (const [seconds, value] of values) samples.set(`${JSON.stringify(metric)} ${seconds}`, value);
  }
  return samples;
}
