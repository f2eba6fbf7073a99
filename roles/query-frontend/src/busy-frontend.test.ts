/** Many who ask at once, queriers that fail, and the bounds on both. */
import { HttpError, type HttpRequest, type HttpResponse } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { frontendWorld, otherQuerierAddress, querierAddress, type FrontendWorld } from "./frontend.testing.ts";
import { defaultQueryFrontend, startQueryFrontend } from "./query-frontend.ts";

const nowMs = 1_700_000_000_000;
const hourMs = 3_600_000;

const empty = '{"status":"success","data":{"resultType":"matrix","result":[]}}';
const success = (body: HttpResponse["body"] = empty): HttpResponse => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body,
});
const both = { downstreamUrls: [`http://${querierAddress}`, `http://${otherQuerierAddress}`] };

/** A querier that answers when it is told to, and notes whose questions come in which order. */
function heldQuerier() {
  const held: { readonly request: HttpRequest; readonly answer: (response: HttpResponse) => void }[] = [];
  return {
    held,
    handle: (request: HttpRequest) => new Promise<HttpResponse>((answer) => held.push({ request, answer })),
  };
}

const settle = async (world: FrontendWorld) => await world.clock.advance(0);

describe("equal requests at once", () => {
  it("are asked once, of whatever spelling of the form", async () => {
    const world = frontendWorld(nowMs);
    const { held, handle } = heldQuerier();
    await world.serve(handle);
    await world.start();
    const answers = ["query=up&time=1", "time=1&query=up", "query=up&time=1"].map((form) =>
      world.ask(`/api/v1/query?${form}`),
    );
    await settle(world);
    expect(held).toHaveLength(1);
    held[0]?.answer(success("{}"));
    expect((await Promise.all(answers)).map(({ text }) => text)).toEqual(["{}", "{}", "{}"]);
    expect(world.registry.render()).toContain('pleiad_query_frontend_shared_total{of="request"} 2');
  });

  it("share the parts that they have in common", async () => {
    const world = frontendWorld(nowMs);
    const { held, handle } = heldQuerier();
    await world.serve(handle);
    await world.start({ splitIntervalMs: hourMs });
    const endMs = Math.floor(nowMs / hourMs) * hourMs - 1;
    const range = (hours: number) =>
      world.range({ query: "up", startMs: endMs + 1 - hours * hourMs, endMs, stepMs: 60_000 });
    const answers = [range(2), range(3)];
    await settle(world);
    expect(held).toHaveLength(3);
    for (const { answer } of held) answer(success());
    expect((await Promise.all(answers)).map(({ text }) => text)).toEqual([empty, empty]);
  });

  it("end downstream when all who want them have gone, not before", async () => {
    const world = frontendWorld(nowMs);
    const { held, handle } = heldQuerier();
    await world.serve(handle);
    await world.start();
    const clients = [new AbortController(), new AbortController()];
    const answers = clients.map(({ signal }) => world.ask("/api/v1/query?query=up", { signal }).catch(() => "gone"));
    await settle(world);
    clients[0]?.abort();
    await settle(world);
    expect(held[0]?.request.signal.aborted).toBe(false);
    clients[1]?.abort();
    await settle(world);
    expect(held[0]?.request.signal.aborted).toBe(true);
    expect(await Promise.all(answers)).toEqual(["gone", "gone"]);
    // Whoever asks now does not get what was given up.
    void world.ask("/api/v1/query?query=up").catch(() => {});
    await settle(world);
    expect(held).toHaveLength(2);
  });

  it("of different tenants stay apart", async () => {
    const world = frontendWorld(nowMs);
    const { held, handle } = heldQuerier();
    await world.serve(handle);
    await world.start();
    for (const tenant of ["a", "b"]) void world.ask("/api/v1/query?query=up", { headers: { "X-Scope-OrgID": tenant } });
    await settle(world);
    expect(held.map(({ request }) => request.headers.get("x-scope-orgid"))).toEqual(["a", "b"]);
  });
});

describe("tenants", () => {
  it("take turns, whatever one of them has waiting", async () => {
    const world = frontendWorld(nowMs);
    const { held, handle } = heldQuerier();
    await world.serve(handle);
    await world.start({ queue: { concurrentMax: 1, requestsPerTenantMax: 10, requestsMax: 100 } });
    for (const [tenant, count] of [
      ["loud", 6],
      ["quiet", 2],
      ["third", 1],
    ] as const) {
      for (let i = 0; i < count; i++) {
        void world.ask(`/api/v1/query?query=up&time=${i}`, { headers: { "THANOS-TENANT": tenant } });
        await settle(world);
      }
    }
    const order: (string | undefined)[] = [];
    for (let i = 0; i < 9; i++) {
      const { request, answer } = held[i] ?? {};
      order.push(request?.headers.get("thanos-tenant"));
      answer?.(success("{}"));
      await settle(world);
    }
    expect(order).toEqual(["loud", "loud", "quiet", "third", "loud", "quiet", "loud", "loud", "loud"]);
  });

  it("with too many requests are told so, others are not; with too many of all, everyone is", async () => {
    const world = frontendWorld(nowMs);
    const { held, handle } = heldQuerier();
    await world.serve(handle);
    await world.start({ queue: { concurrentMax: 1, requestsPerTenantMax: 2, requestsMax: 3 } });
    const ask = (tenant: string, i: number) =>
      world.ask(`/api/v1/query?query=up&time=${i}`, { headers: { "THANOS-TENANT": tenant } });
    const running = [ask("a", 1), ask("a", 2)];
    await settle(world);
    const refused = await ask("a", 3);
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("5");
    expect(refused.text).toContain('too many outstanding requests: 2 of tenant \\"a\\" run or wait');
    running.push(ask("b", 1));
    await settle(world);
    const refusedToAll = await ask("c", 1);
    expect(refusedToAll.status).toBe(503);
    expect(refusedToAll.text).toContain("too many outstanding requests: 3 run or wait");
    for (let i = 0; i < 3; i++) {
      held[i]?.answer(success("{}"));
      await settle(world);
    }
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual([200, 200, 200]);
    const after = ask("a", 4);
    await settle(world);
    held[3]?.answer(success("{}"));
    expect((await after).status).toBe(200);
  });

  it("that go while they wait leave no trace", async () => {
    const world = frontendWorld(nowMs);
    const { held, handle } = heldQuerier();
    await world.serve(handle);
    await world.start({ queue: { concurrentMax: 1, requestsPerTenantMax: 5, requestsMax: 5 } });
    const client = new AbortController();
    void world.ask("/api/v1/query?query=a");
    await settle(world);
    const gone = world.ask("/api/v1/query?query=b", { signal: client.signal }).catch(() => "gone");
    const stays = world.ask("/api/v1/query?query=c");
    await settle(world);
    client.abort();
    expect(await gone).toBe("gone");
    held[0]?.answer(success("{}"));
    await settle(world);
    expect(held.map(({ request }) => request.query)).toEqual(["query=a", "query=c"]);
    held[1]?.answer(success("{}"));
    expect((await stays).status).toBe(200);
  });
});

describe("a querier that", () => {
  const half = async function* () {
    yield new TextEncoder().encode(empty.slice(0, 20));
    throw new HttpError("canceled", "it died");
  };
  for (const [rule, first] of [
    ["closes the connection", async () => Promise.reject(new HttpError("canceled", "it died"))],
    ["dies in the middle of its answer", async () => success(half())],
    ["fails with 500", async () => ({ status: 500, headers: {}, body: "" })],
    ["is overloaded with 503", async () => ({ status: 503, headers: {}, body: "" })],
  ] as readonly (readonly [string, () => Promise<HttpResponse>])[]) {
    it(`${rule} is replaced by the other`, async () => {
      const world = frontendWorld(nowMs);
      await world.serve(first);
      await world.serve(async () => success(), otherQuerierAddress);
      await world.start(both);
      for (let i = 0; i < 4; i++) {
        const answer = await world.ask(`/api/v1/query?query=up&time=${i}`);
        expect([answer.status, answer.text]).toEqual([200, empty]);
      }
    });
  }

  it("refuses (4xx) is believed: no other is asked", async () => {
    const world = frontendWorld(nowMs);
    const refuse = async () => ({
      status: 422,
      headers: { "content-type": "application/json" },
      body: '{"error":"no"}',
    });
    await world.serve(refuse);
    await world.serve(refuse, otherQuerierAddress);
    await world.start(both);
    const endMs = nowMs - hourMs;
    const answer = await world.range({ query: "up", startMs: endMs - hourMs, endMs, stepMs: 60_000 });
    expect([answer.status, answer.text]).toEqual([422, '{"error":"no"}']);
    expect(world.asked).toHaveLength(1);
  });

  it("fails like the other: the client gets its words", async () => {
    const world = frontendWorld(nowMs);
    const failing = async () => ({
      status: 503,
      headers: { "content-type": "application/json" },
      body: '{"error":"busy"}',
    });
    await world.serve(failing);
    await world.serve(failing, otherQuerierAddress);
    await world.start(both);
    const answer = await world.ask("/api/v1/query?query=up");
    expect([answer.status, answer.text]).toEqual([503, '{"error":"busy"}']);
    expect(world.asked).toHaveLength(2);
  });

  it("is away: the frontend tries, says so, and is not ready", async () => {
    const world = frontendWorld(nowMs);
    const frontend = await world.start({ triesMax: 3 });
    const asked = world.ask("/api/v1/query?query=up");
    await world.clock.advance(1_000);
    const answer = await asked;
    expect(answer.status).toBe(503);
    expect(answer.text).toContain(`no querier answers: connect to ${querierAddress}: refused`);
    expect(frontend.ready().ready).toBe(false);
    expect((await world.ask("/-/ready")).status).toBe(503);
    await world.serve(async () => success());
    await world.clock.advance(defaultQueryFrontend.probeIntervalMs);
    expect(frontend.ready()).toEqual({ ready: true });
    expect((await world.ask("/api/v1/query?query=up")).status).toBe(200);
  });

  it("hangs is left when the request's time is over", async () => {
    const world = frontendWorld(nowMs);
    await world.serve(() => new Promise(() => {}));
    await world.start({ requestTimeoutMs: 10_000 });
    const asked = world.ask("/api/v1/query?query=up");
    await world.clock.advance(10_000);
    const answer = await asked;
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.text)).toMatchObject({ errorType: "timeout", error: "no querier answered in time" });
  });

  it("refuses one part ends the others, and its words are the answer", async () => {
    const world = frontendWorld(nowMs);
    const { held, handle } = heldQuerier();
    await world.serve(handle);
    await world.start({ splitIntervalMs: hourMs, parallelismMax: 3 });
    const endMs = nowMs - hourMs;
    const asked = world.range({ query: "up", startMs: endMs - 9 * hourMs, endMs, stepMs: 60_000 });
    await settle(world);
    expect(held).toHaveLength(3);
    held[1]?.answer({ status: 422, headers: {}, body: "no" });
    const answer = await asked;
    expect([answer.status, answer.text]).toEqual([422, "no"]);
    await settle(world);
    expect(held.map(({ request }) => request.signal.aborted)).toEqual([true, true, true]);
  });

  it("hangs over a part makes the whole late", async () => {
    const world = frontendWorld(nowMs);
    await world.serve(() => new Promise(() => {}));
    await world.start({ requestTimeoutMs: 10_000, splitIntervalMs: hourMs });
    const endMs = nowMs - hourMs;
    const asked = world.range({ query: "up", startMs: endMs - 2 * hourMs, endMs, stepMs: 60_000 });
    await world.clock.advance(10_000);
    const answer = await asked;
    expect([answer.status, JSON.parse(answer.text)]).toMatchObject([503, { errorType: "timeout" }]);
  });

  it("answers more than fits is an error that names the bound", async () => {
    const world = frontendWorld(nowMs);
    const series = (start: number) => `{"metric":{"a":"${"b".repeat(400)}"},"values":[[${start},"1"]]}`;
    await world.serve(async ({ body }) => {
      const start = Number(new URLSearchParams(new TextDecoder().decode(body)).get("start"));
      return success(`{"status":"success","data":{"resultType":"matrix","result":[${series(start)}]}}`);
    });
    await world.start({ answerBytesMax: 1_000, splitIntervalMs: hourMs });
    const endMs = nowMs - hourMs;
    const one = await world.range({ query: "up", startMs: endMs, endMs, stepMs: 60_000 });
    expect(one.status).toBe(200);
    const many = await world.range({ query: "up", startMs: endMs - 5 * hourMs, endMs, stepMs: 60_000 });
    expect(many.status).toBe(422);
    expect(many.text).toContain("the answer is over 1000 bytes");
  });
});

describe("what passes, and what does not", () => {
  it("a request that is slow is one line in the log, with what was asked", async () => {
    const world = frontendWorld(nowMs);
    await world.serve(async () => {
      await world.clock.sleep(6_000);
      return success();
    });
    await world.start({ slowQueryMs: 5_000 });
    const endMs = nowMs - hourMs;
    const asked = world.range({ query: "up", startMs: endMs - hourMs, endMs, stepMs: 60_000 });
    await world.clock.advance(6_000);
    await asked;
    const line = world.lines.find(({ message }) => message === "slow query detected");
    expect(line?.fields).toMatchObject({
      path: "/api/v1/query_range",
      query: "up",
      seconds: 6,
      status: 200,
      keptStepCount: 0,
    });
  });

  it("labels, series and the rest pass as they came; what would change something does not", async () => {
    const world = frontendWorld(nowMs);
    await world.serve(async ({ method, path, query }) => success(`${method} ${path}?${query}`));
    await world.start();
    for (const target of [
      "/api/v1/label/a%20b/values?start=1",
      "/api/v1/series?match[]=up",
      "/api/v1/status/buildinfo?",
    ]) {
      expect((await world.ask(target)).text).toBe(`GET ${target}`);
    }
    const { network } = world;
    const post = async (path: string) =>
      await network.fetchHttp(`http://127.0.0.1:33500${path}`, {
        method: "POST",
        signal: new AbortController().signal,
        bodyBytesMax: 1_000,
      });
    expect((await post("/api/v1/admin/tsdb/delete_series")).status).toBe(405);
    expect((await post("/api/v1/query")).status).toBe(200);
  });

  it("more than 11,000 steps are the querier's to refuse", async () => {
    const world = frontendWorld(nowMs);
    world.series = [];
    await world.serve();
    await world.start();
    const answer = await world.range({ query: "up", startMs: nowMs - 20_000_000, endMs: nowMs, stepMs: 1_000 });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain("exceeded maximum resolution of 11,000 points per timeseries");
  });

  for (const [rule, urls, message] of [
    ["none", [], "there is no downstream URL"],
    ["a host without a scheme", ["localhost:9090"], '"localhost:9090" is no http or https URL'],
    ["one with a query", ["http://a/?b=c"], '"http://a/?b=c" has more than a path'],
  ] as const) {
    it(`does not start with ${rule} of downstreams`, async () => {
      const world = frontendWorld(nowMs);
      const options = { ...defaultQueryFrontend, name: "f", httpAddress: "127.0.0.1:0", renderMetrics: () => "" };
      const started = await startQueryFrontend({ ...options, downstreamUrls: urls }, world.ports);
      expect(started).toMatchObject({ ok: false, failure: { message: `f: ${message}` } });
    });
  }
});
