/** What is kept and what is not: every way in which a cache of answers could tell less, or other, than the queriers would. */
import type { TestSeries } from "@pleiad/http-api/testing";
import { samplesOf } from "@pleiad/http-api/testing";
import type { HttpResponse } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { frontendWorld, querierAddress, type FrontendWorld, type RangeQuestion } from "./frontend.testing.ts";
import { createMemoryCache, defaultMemoryCache, type ResultsCache } from "./results-cache.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
// Noon.
const nowMs = Math.floor(1_700_000_000_000 / dayMs) * dayMs + dayMs / 2;

const up = (value: number, untilMs = nowMs + 5 * hourMs): TestSeries => ({
  labels: { __name__: "up", job: "a" },
  samples: samplesOf(nowMs - 2 * dayMs, untilMs, 5 * minuteMs, () => value),
});

const yesterday: RangeQuestion = {
  query: "up",
  startMs: nowMs - dayMs,
  endMs: nowMs - dayMs + hourMs,
  stepMs: 5 * minuteMs,
};
const lastHour: RangeQuestion = { ...yesterday, startMs: nowMs - hourMs, endMs: nowMs };

interface Options {
  readonly cache?: ResultsCache;
  readonly alignWithStep?: boolean;
}

async function worldWithCache(options: Options = {}): Promise<FrontendWorld> {
  const world = frontendWorld(nowMs);
  world.series = [up(1)];
  await world.serve();
  await world.start({
    cache: createMemoryCache(defaultMemoryCache),
    freshnessMsMin: 10 * minuteMs,
    probeIntervalMs: dayMs,
    ...options,
  });
  return world;
}

/** The questions that reach the querier for one question, which is also checked against the querier's own answer. */
async function askedFor(world: FrontendWorld, question: RangeQuestion, headers: Readonly<Record<string, string>> = {}) {
  const before = world.asked.length;
  const answer = await world.range(question, { headers });
  const asked = world.asked.slice(before).map((line) => {
    const form = new URLSearchParams(line.slice(line.indexOf("?") + 1));
    const minutes = (name: string) => (Number(form.get(name)) * 1000 - nowMs) / minuteMs;
    return [minutes("start"), minutes("end")];
  });
  const direct = await world.range(question, { address: querierAddress });
  return { asked, text: answer.text, isDirect: answer.text === direct.text, headers: answer.headers };
}

describe("what is kept", () => {
  it("an answer of the past is asked for once", async () => {
    const world = await worldWithCache();
    expect((await askedFor(world, yesterday)).asked).toEqual([[-1440, -1380]]);
    expect(await askedFor(world, yesterday)).toMatchObject({ asked: [], isDirect: true });
  });

  it("of the last hour, all but the newest minutes; they are asked for again", async () => {
    const world = await worldWithCache();
    await askedFor(world, lastHour);
    expect(await askedFor(world, lastHour)).toMatchObject({ asked: [[-5, 0]], isDirect: true });
  });

  it("a wider question asks for what lies around and between", async () => {
    const world = await worldWithCache();
    const part = (from: number, to: number) => ({
      ...yesterday,
      startMs: yesterday.startMs + from * minuteMs,
      endMs: yesterday.startMs + to * minuteMs,
    });
    await askedFor(world, part(0, 30));
    await askedFor(world, part(60, 90));
    expect(await askedFor(world, part(-60, 120))).toMatchObject({
      asked: [
        [-1500, -1445],
        [-1405, -1385],
        [-1345, -1320],
      ],
      isDirect: true,
    });
    expect(await askedFor(world, part(-60, 120))).toMatchObject({ asked: [], isDirect: true });
  });

  it("other spellings of a query share it", async () => {
    const world = await worldWithCache();
    await askedFor(world, { ...yesterday, query: "sum(up)by(job)" });
    expect(await askedFor(world, { ...yesterday, query: "sum by (job) (up)" })).toMatchObject({
      asked: [],
      isDirect: true,
    });
  });

  it("remarks that name places in the text are those of the text that was sent", async () => {
    const world = await worldWithCache();
    await askedFor(world, { ...yesterday, query: "rate(up[10m])" });
    expect(await askedFor(world, { ...yesterday, query: "rate(up[10m])" })).toMatchObject({
      asked: [],
      isDirect: true,
    });
    const spaced = await askedFor(world, { ...yesterday, query: "rate(  up[10m])" });
    expect(spaced).toMatchObject({ asked: [[-1440, -1380]], isDirect: true });
    expect(spaced.text).toContain('"infos"');
  });
});

describe("what is not kept", () => {
  const cases: readonly (readonly [
    rule: string,
    first: (world: FrontendWorld) => Promise<void> | void,
    second: (world: FrontendWorld) => Promise<void> | void,
    question?: Partial<RangeQuestion>,
  ])[] = [
    [
      "a partial answer",
      (world) => {
        world.series = [];
        world.source = { warnings: ["cluster-001 is missing"] };
      },
      (world) => {
        world.series = [up(1)];
        world.source = {};
      },
    ],
    [
      "an error",
      (world) => {
        world.source = { failure: { kind: "unavailable", source: "store", reason: "it is away" } };
      },
      (world) => {
        world.source = {};
      },
      { query: "up" },
    ],
    [
      "steps in the future, which then come",
      (world) => {
        world.series = [up(1, nowMs)];
      },
      async (world) => {
        world.series = [up(1)];
        await world.clock.advance(4 * hourMs);
      },
      { startMs: nowMs, endMs: nowMs + 3 * hourMs },
    ],
    [
      "steps that a late sample can still change",
      () => {},
      (world) => {
        world.series = [up(2)];
      },
      { startMs: nowMs - 5 * minuteMs, endMs: nowMs },
    ],
    [
      "what a negative offset reads of the newest time",
      () => {},
      (world) => {
        world.series = [up(2)];
      },
      { query: "up offset -1d" },
    ],
    [
      "what @ reads of the newest time",
      () => {},
      (world) => {
        world.series = [up(2)];
      },
      { query: `up @ ${nowMs / 1000 - 60}` },
    ],
    [
      "what a subquery with @ and a negative offset inside reads of the newest time",
      () => {},
      (world) => {
        world.series = [up(2)];
      },
      { query: `max_over_time((up offset -1h)[5m:1m] @ ${nowMs / 1000 - 3_600})` },
    ],
    [
      "a query that names the end of its range",
      () => {},
      (world) => {
        world.series = [up(2)];
      },
      { query: "up @ end()" },
    ],
    [
      "an answer that was kept for longer than it is good",
      () => {},
      async (world) => {
        world.series = [up(2)];
        await world.clock.advance(dayMs);
      },
    ],
    [
      "an answer with statistics, which are of work that was done",
      () => {},
      (world) => {
        world.series = [up(2)];
      },
      { stats: "all" },
    ],
  ];
  for (const [rule, first, second, changes = {}] of cases) {
    it(rule, async () => {
      const world = await worldWithCache();
      const question = { ...yesterday, ...changes };
      await first(world);
      await askedFor(world, question);
      await second(world);
      const again = await askedFor(world, question);
      // Statistics have times in them.
      if (changes.stats === undefined) expect(again.isDirect).toBe(true);
      expect(again.asked).toHaveLength(1);
    });
  }

  it("a change of the settled past is not seen until the answer is no longer good", async () => {
    const world = await worldWithCache();
    await askedFor(world, yesterday);
    world.series = [up(2)];
    expect(await askedFor(world, yesterday)).toMatchObject({ asked: [], isDirect: false });
    await world.clock.advance(dayMs);
    expect(await askedFor(world, yesterday)).toMatchObject({ isDirect: true });
  });

  it("of a question over two days of which one is partial, the other day is kept, and the whole is not to be stored", async () => {
    const world = frontendWorld(nowMs);
    world.series = [up(1)];
    const whole = world.querier();
    await world.serve(async (request) => {
      const answer = await whole(request);
      const isEarlier =
        Number(new URLSearchParams(new TextDecoder().decode(request.body)).get("start")) * 1000 < nowMs - 1.5 * dayMs;
      return isEarlier ? { ...answer, headers: { ...answer.headers, "cache-control": "no-store" } } : answer;
    });
    await world.start({ cache: createMemoryCache(defaultMemoryCache) });
    const twoDays = { ...yesterday, startMs: nowMs - 2 * dayMs, endMs: nowMs - dayMs, stepMs: hourMs };
    const first = await askedFor(world, twoDays);
    expect(first.asked).toHaveLength(2);
    expect(first.headers.get("cache-control")).toBe("no-store");
    const second = await askedFor(world, twoDays);
    expect(second.asked).toEqual([[-2880, -2220]]);
    expect(second.headers.get("cache-control")).toBe("no-store");
  });
});

describe("what is kept for one question is not given for another", () => {
  for (const [rule, other, headers = {}] of [
    ["a wider step", { stepMs: 10 * minuteMs }],
    ["steps between the steps", { startMs: yesterday.startMs + minuteMs, endMs: yesterday.endMs + minuteMs }],
    ["another query", { query: "-up" }],
    ["replicas apart", { dedup: "false" }],
    ["another tenant", {}, { "THANOS-TENANT": "blue" }],
    ["a client that wants it anew", {}, { "Cache-Control": "no-store" }],
  ] as readonly (readonly [string, Partial<RangeQuestion>, Readonly<Record<string, string>>?])[]) {
    it(rule, async () => {
      const world = await worldWithCache({ alignWithStep: false });
      await askedFor(world, yesterday);
      const again = await askedFor(world, { ...yesterday, ...other }, headers);
      expect(again.asked).toHaveLength(1);
      expect(again.isDirect).toBe(true);
    });
  }
});

describe("a cache that is not as it should be costs only time", () => {
  const broken = (changes: Partial<ResultsCache>): ResultsCache => ({
    read: async () => undefined,
    write: async () => {},
    close: async () => {},
    ...changes,
  });
  for (const [rule, cache] of [
    ["it refuses every question", broken({ read: async () => Promise.reject(new Error("connection refused")) })],
    ["it never answers", broken({ read: () => new Promise(() => {}) })],
    ["it never takes anything", broken({ write: () => new Promise(() => {}) })],
    ["it gives back garbage", broken({ read: async () => new TextEncoder().encode("garbage\n[]") })],
    ["it gives back no UTF-8", broken({ read: async () => new Uint8Array([255, 254, 0]) })],
    ["it holds nothing", createMemoryCache({ bytesMax: 0, itemsMax: 0, itemBytesMax: 1 << 20 })],
  ] as const) {
    it(rule, async () => {
      const world = await worldWithCache({ cache });
      const first = world.range(yesterday);
      await world.clock.advance(1_000);
      expect((await first).status).toBe(200);
      const second = world.range(yesterday);
      await world.clock.advance(0);
      const direct = await world.range(yesterday, { address: querierAddress });
      expect((await second).text).toBe(direct.text);
    });
  }

  it("what it gives back of another query is not used", async () => {
    let kept: Uint8Array | undefined;
    const cache = broken({
      read: async () => kept,
      write: async (_key, value) => {
        kept ??= value;
      },
    });
    const world = await worldWithCache({ cache });
    await askedFor(world, yesterday);
    expect(kept).toBeDefined();
    expect(await askedFor(world, { ...yesterday, query: "up + 1" })).toMatchObject({ isDirect: true });
  });

  it("one that fails is left alone for a while", async () => {
    let asked = 0;
    const cache = broken({
      read: async () => {
        asked++;
        throw new Error("connection refused");
      },
    });
    const world = await worldWithCache({ cache });
    for (let i = 0; i < 5; i++) await world.range(yesterday);
    expect(asked).toBe(1);
    await world.clock.advance(5_000);
    await world.range(yesterday);
    expect(asked).toBe(2);
  });
});

describe("answers that do not fit together", () => {
  for (const [rule, body] of [
    ["samples that are on no step", '{"metric":{},"values":[[1,"1"]]}'],
    ["a series without labels", '{"values":[]}'],
    ["half an answer", '{"metric":{"a":"b"},"values":[['],
  ] as const) {
    it(`${rule}: the query is asked whole, and what comes is passed as it is`, async () => {
      const world = frontendWorld(nowMs);
      const answers: HttpResponse = {
        status: 200,
        headers: { "content-type": "application/json" },
        body: `{"status":"success","data":{"resultType":"matrix","result":[${body}]}}`,
      };
      await world.serve(async () => answers);
      await world.start({ cache: createMemoryCache(defaultMemoryCache) });
      const twoDays = { ...yesterday, startMs: nowMs - 2 * dayMs };
      expect((await world.range(twoDays)).text).toBe(answers.body);
      const last = new URLSearchParams(world.asked.at(-1)?.split("?")[1]);
      expect(Number(last.get("start")) * 1000).toBe(twoDays.startMs);
      expect(world.registry.render()).toContain('passed_range_queries_total{reason="unreadable"} 1');
    });
  }
});
