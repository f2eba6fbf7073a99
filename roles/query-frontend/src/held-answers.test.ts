/** One bound on the answers that the frontend holds, over all queries in flight. */
import { samplesOf } from "@pleiad/http-api/testing";
import type { HttpResponse } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { frontendWorld, otherQuerierAddress, querierAddress, type FrontendWorld } from "./frontend.testing.ts";
import { createMemoryCache, defaultMemoryCache } from "./results-cache.ts";

const hourMs = 3_600_000;
const nowMs = 1_700_000_000_000 - (1_700_000_000_000 % (24 * hourMs)) + 12 * hourMs;

/** The value of a metric of the frontend. */
const metric = async (world: FrontendWorld, name: string) => {
  const { text } = await world.ask("/metrics");
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1] ?? NaN);
};
const held = async (world: FrontendWorld) => await metric(world, "pleiad_query_frontend_held_bytes");

const answerOf = (bytes: number): HttpResponse => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: `{"status":"success","data":${" ".repeat(bytes - 29)}1}`,
});

describe("answers that are held", () => {
  it("are counted until they are sent, and no longer", async () => {
    const world = frontendWorld(nowMs);
    await world.serve(async () => answerOf(500_000));
    await world.start();
    for (let i = 0; i < 3; i++) {
      expect((await world.ask("/api/v1/query?query=1")).text).toHaveLength(500_000);
      await world.clock.yield();
      expect(await held(world)).toBe(0);
    }
  });

  it("of more than there is room for are refused, with 503 and when to ask again; the others go on", async () => {
    const world = frontendWorld(nowMs);
    await world.serve(async ({ query }) => answerOf(query.includes("large") ? 900_000 : 100_000));
    await world.start({ heldBytesMax: 800_000 });
    const large = await world.ask("/api/v1/query?query=large");
    expect([large.status, large.headers.get("retry-after"), JSON.parse(large.text)]).toEqual([
      503,
      "5",
      {
        status: "error",
        errorType: "unavailable",
        error: "answers of 800000 bytes are held, and there is no room for more: ask again, or for less",
      },
    ]);
    expect((await world.ask("/api/v1/query?query=small")).status).toBe(200);
    await world.clock.yield();
    expect(await held(world)).toBe(0);
    expect((await world.ask("/metrics")).text).toContain('discarded_requests_total{reason="no-room"} 1');
  });

  it("wait to be asked for while half of the room is taken, and all get theirs in the end", async () => {
    const world = frontendWorld(nowMs);
    let [asked, askedMost] = [0, 0];
    const gates: (() => void)[] = [];
    await world.serve(async () => {
      askedMost = Math.max(askedMost, ++asked);
      await new Promise<void>((resolve) => gates.push(resolve));
      asked--;
      return answerOf(300_000);
    });
    await world.start({ heldBytesMax: 1_000_000 });
    // The first one shows how large they are.
    const first = world.ask("/api/v1/query?query=first");
    await world.clock.advance(1);
    gates.shift()?.();
    expect((await first).status).toBe(200);
    await world.clock.yield();
    const answers = Array.from({ length: 8 }, async (_, i) => await world.ask(`/api/v1/query?query=${i}`));
    const statuses = Promise.all(answers).then((all) => all.map(({ status }) => status));
    let isDone = false;
    void statuses.then(() => (isDone = true));
    for (let i = 0; i < 100 && !isDone; i++) {
      gates.shift()?.();
      await world.clock.advance(1);
    }
    expect(await statuses).toEqual(Array(8).fill(200));
    expect(askedMost).toBe(3);
    await world.clock.yield();
    expect(await held(world)).toBe(0);
  });

  it("are counted once for clients that ask the same at the same time", async () => {
    const world = frontendWorld(nowMs);
    let answer = () => {};
    await world.serve(async () => {
      await new Promise<void>((resolve) => (answer = resolve));
      return answerOf(600_000);
    });
    await world.start({ heldBytesMax: 1_000_000 });
    const both = Promise.all([1, 2, 3].map(async () => await world.ask("/api/v1/query?query=1")));
    await world.clock.advance(1);
    answer();
    expect((await both).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(world.asked).toHaveLength(1);
    await world.clock.yield();
    expect(await held(world)).toBe(0);
  });

  it("in parts, from the cache and of a querier that breaks off leave nothing behind", async () => {
    const world = frontendWorld(nowMs);
    world.series = Array.from({ length: 20 }, (_, i) => ({
      labels: { __name__: "m", i: String(i) },
      samples: samplesOf(nowMs - 72 * hourMs, nowMs, 60_000, (n) => n + i),
    }));
    let calls = 0;
    const good = world.querier();
    await world.serve(async (request) =>
      ++calls % 3 === 0 ? { ...answerOf(50_000), status: 500 } : await good(request),
    );
    await world.serve(good, otherQuerierAddress);
    const urls = [querierAddress, otherQuerierAddress].map((address) => `http://${address}`);
    await world.start({ downstreamUrls: urls, cache: createMemoryCache(defaultMemoryCache) });
    const question = { query: "m", startMs: nowMs - 70 * hourMs, endMs: nowMs - hourMs, stepMs: 60_000 };
    for (const round of ["cold", "warm", "warm"]) {
      const answer = await world.range(question);
      expect([round, answer.status, JSON.parse(answer.text).data.result.length]).toEqual([round, 200, 20]);
      await world.clock.yield();
      expect([round, await held(world)]).toEqual([round, 0]);
    }
  });

  it("from the cache are refused where there is no room for them", async () => {
    const world = frontendWorld(nowMs);
    world.series = [
      {
        labels: { __name__: "m" },
        samples: samplesOf(nowMs - 72 * hourMs, nowMs, 60_000, (n) => n),
      },
    ];
    await world.serve();
    const cache = createMemoryCache(defaultMemoryCache);
    const question = { query: "m", startMs: nowMs - 70 * hourMs, endMs: nowMs - hourMs, stepMs: 60_000 };
    const first = await world.start({ cache: { ...cache, close: async () => {} } });
    expect((await world.range(question)).status).toBe(200);
    await first.stop(0);
    await world.start({ cache, heldBytesMax: 20_000 });
    const refused = await world.range(question);
    expect([refused.status, JSON.parse(refused.text).error]).toEqual([
      503,
      expect.stringContaining("no room for more"),
    ]);
    await world.clock.yield();
    expect(await held(world)).toBe(0);
  });

  it("of a client that goes away are let go", async () => {
    const world = frontendWorld(nowMs);
    await world.serve(async () => {
      await world.clock.sleep(1_000, new AbortController().signal);
      return answerOf(500_000);
    });
    await world.start();
    const leaving = new AbortController();
    const asking = world.ask("/api/v1/query?query=1", { signal: leaving.signal }).catch(() => "gone");
    await world.clock.advance(500);
    leaving.abort();
    expect(await asking).toBe("gone");
    await world.clock.advance(2_000);
    expect(await held(world)).toBe(0);
  });
});
