/** Client and server of the Query API on a network without sockets, and peers that misbehave. */
import {
  fail,
  labelsFromRecord,
  ok,
  type EvaluatedSeries,
  type EvaluationRequest,
  type QueryEvaluator,
} from "@pleiad/model";
import { RpcError, type RpcHandler } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import {
  decodeQueryRequest,
  encodeInfoResponse,
  encodeQueryWarning,
  noCapabilities,
  type Capabilities,
} from "@pleiad/wire";
import { describe, expect, it } from "vitest";
import { defaultQueryHandlers, queryHandlers } from "./query-handlers.ts";
import { createStoreClient, defaultStoreClient } from "./store-client.ts";

const address = "127.0.0.1:1";
const { signal } = new AbortController();
const none = new Float64Array(0);

const request: EvaluationRequest = {
  query: "sum(x)",
  startMs: 1_700_000_000_000,
  endMs: 1_700_000_060_000,
  stepMs: 30_000,
  lookbackMs: 300_000,
  evaluationIntervalMs: 60_000,
  features: [],
  withoutLabels: ["replica"],
  maxResolutionMs: 0,
  onFailure: "warn",
  timeoutMs: 120_000,
  samplesMax: 1_000,
};

function seriesOf(count: number, samples = 2): readonly EvaluatedSeries[] {
  return Array.from({ length: count }, (_, i) => ({
    labels: labelsFromRecord({ i: String(i) }),
    timestampsMs: Float64Array.from({ length: samples }, (_, step) => request.startMs + step * request.stepMs),
    values: Float64Array.from({ length: samples }, (_, step) => i + step / 3),
    histogramTimestampsMs: none,
    histograms: [],
  }));
}

const infoOf = (query: Capabilities["query"]): RpcHandler => ({
  kind: "unary",
  handle: async () =>
    encodeInfoResponse({
      componentType: "query",
      labelSets: [],
      store: {
        minTimeMs: 0,
        maxTimeMs: 1,
        supportsSharding: false,
        supportsWithoutReplicaLabels: true,
        tsdbInfos: [],
      },
      capabilities: { ...noCapabilities, query },
    }),
});

async function connect(handlers: ReadonlyMap<string, RpcHandler>, query: Capabilities["query"] = "exact") {
  const ports = testPorts();
  await ports.network.serveRpc(address, new Map([...handlers, ["/thanos.info.Info/Info", infoOf(query)]]));
  const client = createStoreClient(address, ports, {
    ...defaultStoreClient,
    name: "peer",
    timeoutMs: 10_000,
    seriesMax: 50,
  });
  await client.info(signal);
  return { ports, client };
}

/** A peer of our own kind that evaluates as told, and the requests that it got. */
async function connectTo(evaluate: QueryEvaluator["evaluate"], query: Capabilities["query"] = "exact") {
  const asked: EvaluationRequest[] = [];
  const evaluator: QueryEvaluator = {
    name: "evaluator",
    async evaluate(one, by) {
      asked.push(one);
      return await evaluate(one, by);
    },
  };
  const ports = testPorts();
  const handlers = queryHandlers(
    evaluator,
    () => true,
    { ...defaultQueryHandlers, replicaLabels: ["own"] },
    ports.clock,
  );
  return { ...(await connect(handlers, query)), asked };
}

const answer = (series: readonly EvaluatedSeries[], warnings: readonly string[] = []) =>
  ok({ series, warnings, samplesRead: 12, samplesPeak: 7, answeredBy: "", receivedBytes: 0 });

/** A stream that gives what it is told, and then hangs or ends. */
const stream = (messages: readonly Uint8Array[], then: () => Promise<void> = async () => {}): RpcHandler => ({
  kind: "stream",
  async *handle() {
    yield messages;
    await then();
  },
});
const ranges = (handler: RpcHandler) => new Map([["/thanos.Query/QueryRange", handler]]);
const forever = async () => await new Promise<void>(() => {});

describe("an evaluation by a peer", () => {
  it("comes as it was given, with what goes beside it", async () => {
    const { client } = await connectTo(async () => answer(seriesOf(30), ["w"]));
    expect(await client.evaluate(request, signal)).toMatchObject({
      ok: true,
      value: {
        series: seriesOf(30),
        warnings: ["w"],
        samplesRead: 12,
        samplesPeak: 7,
        answeredBy: `peer (${address})`,
      },
    });
  });

  for (const [rule, change] of [
    ["a range", {}],
    ["one step", { endMs: request.startMs, stepMs: 0 }],
    [
      "times and options of fractions of a second",
      { startMs: 1_700_000_000_123, endMs: 1_700_000_000_456, stepMs: 61.5, lookbackMs: 1 },
    ],
    ["all replicas apart, all or nothing", { withoutLabels: [], onFailure: "abort" as const }],
    [
      "another resolution, another interval, another engine",
      { maxResolutionMs: 5, evaluationIntervalMs: 7, features: ["f"] },
    ],
  ] as const) {
    it(`is asked for ${rule}`, async () => {
      const { client, asked } = await connectTo(async () => answer([]));
      const wanted = { ...request, ...change };
      await client.evaluate(wanted, signal);
      expect(asked).toEqual([{ ...wanted, samplesMax: Infinity }]);
    });
  }

  it("goes to a peer as Thanos is in whole seconds, all or nothing", async () => {
    const { client, asked } = await connectTo(async () => answer([]), "whole-seconds");
    await client.evaluate(request, signal);
    const own = { features: undefined, evaluationIntervalMs: 0, samplesMax: Infinity };
    expect(asked).toEqual([{ ...request, ...own, onFailure: "abort" }]);
  });

  for (const [what, change] of [
    ["a step of half a second", { stepMs: 500 }],
    ["a feature", { features: ["promql-experimental-functions"] }],
    ["a resolution", { maxResolutionMs: 300_000 }],
    ["the default step of subqueries", { query: "max_over_time(sum(x)[5m:])" }],
    ["the epoch, which stands for now", { startMs: 0, endMs: 0, stepMs: 0 }],
  ] as const) {
    it(`does not ask such a peer for ${what}`, async () => {
      const { client, asked } = await connectTo(async () => answer([]), "whole-seconds");
      expect(await client.evaluate({ ...request, ...change }, signal)).toMatchObject({ failure: { kind: "refused" } });
      expect(asked).toEqual([]);
    });
  }

  it("asks a peer that announced nothing not at all", async () => {
    const { client, asked } = await connectTo(async () => answer([]), "none");
    expect(await client.evaluate(request, signal)).toMatchObject({ failure: { kind: "refused" } });
    expect(asked).toEqual([]);
  });

  it("may take long, as long as the peer gives signs of life", async () => {
    const ports = testPorts();
    const evaluator: QueryEvaluator = {
      name: "slow",
      evaluate: async () => {
        await ports.clock.sleep(60_000);
        return answer(seriesOf(1));
      },
    };
    await ports.network.serveRpc(
      address,
      new Map([
        ...queryHandlers(evaluator, () => true, defaultQueryHandlers, ports.clock),
        ["/thanos.info.Info/Info", infoOf("exact")],
      ]),
    );
    const client = createStoreClient(address, ports, { ...defaultStoreClient, name: "peer", timeoutMs: 5_000 });
    await client.info(signal);
    const evaluating = client.evaluate(request, signal);
    await ports.clock.advance(61_000);
    expect(await evaluating).toMatchObject({ ok: true, value: { series: [{}] } });
  });
});

describe("a peer that fails", () => {
  it("refuses what it cannot evaluate, with its reason", async () => {
    const { client } = await connectTo(async () => fail({ kind: "refused", reason: "many-to-many" }));
    expect(await client.evaluate(request, signal)).toEqual(fail({ kind: "refused", reason: "many-to-many" }));
  });

  it("is out of reach where nobody listens", async () => {
    const { client, ports } = await connectTo(async () => answer([]));
    ports.network.unplug(address);
    expect(await client.evaluate(request, signal)).toMatchObject({ failure: { kind: "unreachable" } });
  });

  it("is out of reach when it is silent for too long, also in the middle", async () => {
    for (const handler of [stream([], forever), stream([encodeQueryWarning("w")], forever)]) {
      const { client, ports } = await connect(ranges(handler));
      const evaluating = client.evaluate(request, signal);
      await ports.clock.advance(10_001);
      expect(await evaluating).toMatchObject({
        failure: { kind: "unreachable", failure: { kind: "timeout", afterMs: 10_000 } },
      });
    }
  });

  it("gives no answer where it sends garbage", async () => {
    const { client } = await connect(ranges(stream([new Uint8Array([0x12, 0xff])])));
    const failure = { kind: "refused", reason: expect.stringContaining("corrupt data") };
    expect(await client.evaluate(request, signal)).toMatchObject({ failure });
  });

  it("gives no answer where it sends too many samples or series", async () => {
    for (const [series, reason] of [
      [seriesOf(51, 1), "more than 50 series"],
      [seriesOf(40, 30), "more than 1000 samples"],
    ] as const) {
      const { client } = await connectTo(async () => answer(series));
      const failure = { kind: "refused", reason: expect.stringContaining(reason) };
      expect(await client.evaluate(request, signal)).toMatchObject({ failure });
    }
  });

  it("is not waited for by one who cancels, and hears of it", async () => {
    let heard: AbortSignal | undefined;
    const { client, ports } = await connectTo(async (_request, by) => {
      heard = by;
      await new Promise<void>((resolve) => by.addEventListener("abort", () => resolve(), { once: true }));
      return fail({ kind: "canceled" });
    });
    const caller = new AbortController();
    const evaluating = client.evaluate(request, caller.signal);
    await ports.clock.advance(10);
    expect(heard?.aborted).toBe(false);
    caller.abort();
    expect(await evaluating).toEqual(fail({ kind: "canceled" }));
    await ports.clock.advance(10);
    expect(heard?.aborted).toBe(true);
  });
});

describe("the server", () => {
  it("fills in what Thanos leaves out: its own replica labels, its own lookback, now", async () => {
    const asked: EvaluationRequest[] = [];
    const ports = testPorts({ startMs: 1_234_567 });
    const evaluator: QueryEvaluator = {
      name: "e",
      evaluate: async (one) => {
        asked.push(one);
        return answer([]);
      },
    };
    const options = { ...defaultQueryHandlers, replicaLabels: ["own"] };
    const handler = queryHandlers(evaluator, () => true, options, ports.clock).get("/thanos.Query/Query");
    if (handler?.kind !== "stream") throw new Error("no stream");
    const plain = new Uint8Array([0x0a, 0x02, 0x75, 0x70, 0x38, 0x01]); // query "up", enableDedup
    expect(decodeQueryRequest(plain)).toMatchObject({ ok: true, value: { query: "up", enableDedup: true } });
    for await (const _ of handler.handle(plain, { signal, peer: "", metadata: new Map() }));
    expect(asked).toMatchObject([
      {
        query: "up",
        startMs: 1_234_567,
        stepMs: 0,
        lookbackMs: 0,
        withoutLabels: ["own"],
        timeoutMs: Infinity,
        onFailure: "abort",
      },
    ]);
  });

  for (const [rule, isReady, requestsMax, code] of [
    ["while it is not ready", false, 1, "UNAVAILABLE"],
    ["over its limit", true, 0, "RESOURCE_EXHAUSTED"],
  ] as const) {
    it(`evaluates nothing ${rule}`, async () => {
      const ports = testPorts();
      const evaluator: QueryEvaluator = { name: "e", evaluate: async () => answer([]) };
      const handlers = queryHandlers(evaluator, () => isReady, { ...defaultQueryHandlers, requestsMax }, ports.clock);
      const handler = handlers.get("/thanos.Query/Query");
      if (handler?.kind !== "stream") throw new Error("no stream");
      const reading = async () => {
        for await (const _ of handler.handle(new Uint8Array(0), { signal, peer: "", metadata: new Map() }));
      };
      const error: unknown = await reading().catch((thrown: unknown) => thrown);
      expect(error instanceof RpcError && error.code).toBe(code);
    });
  }
});
