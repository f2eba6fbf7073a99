import { cursorOf, labelsFromRecord, ok, type SelectRequest, type SeriesSource } from "@pleiad/model";
import { RpcError, type RpcCode } from "@pleiad/ports";
import { memoryNetwork } from "@pleiad/ports/testing";
import {
  createSeriesFrameReader,
  decodeHealthCheckResponse,
  decodeInfoResponse,
  decodeLabelTexts,
  emptySeriesRequest,
  encodeHealthCheckRequest,
  encodeLabelNamesRequest,
  encodeLabelValuesRequest,
  encodeSeriesRequest,
  type SeriesFrames,
  type SeriesRequestMessage,
} from "@pleiad/wire";
import { describe, expect, it } from "vitest";
import { defaultStoreHandlers, storeHandlers, type StoreHandlerOptions } from "./store-handlers.ts";
import type { StoreIdentity } from "./store-identity.ts";
import { healthMethod, infoMethod, labelNamesMethod, labelValuesMethod, seriesMethod } from "./store-methods.ts";
import { memorySource, seriesOf } from "./testing.ts";

const identity: StoreIdentity = {
  componentType: "sidecar",
  labelSets: [labelsFromRecord({ cluster: "cluster-001", replica: "0" })],
  minTimeMs: 1000,
  maxTimeMs: Number.MAX_SAFE_INTEGER,
  tsdbInfos: [],
};
const series = Array.from({ length: 10 }, (_, i) =>
  seriesOf(
    labelsFromRecord({ __name__: "up", cluster: "cluster-001", instance: `i${i}`, replica: "0" }),
    Array.from({ length: 600 }, (_, k) => [k * 30_000, k % 3] as const),
  ),
);
const up = { type: "=", name: "__name__", value: "up" } as const;
const request = { ...emptySeriesRequest, maxTimeMs: 1e12, matchers: [up] };
const labelsRequest = {
  partialResponseDisabled: false,
  partialResponse: "warn",
  minTimeMs: 0,
  maxTimeMs: 1e12,
  hints: undefined,
  matchers: [],
  withoutReplicaLabels: [],
  limit: 0,
} as const;

async function serve(
  source: SeriesSource = memorySource(series),
  options: Partial<StoreHandlerOptions> = {},
  info: () => StoreIdentity = () => identity,
) {
  const network = memoryNetwork();
  await network.serveRpc("store:1", storeHandlers(source, info, { ...defaultStoreHandlers, ...options }));
  const client = network.rpcClient("store:1");
  const { signal } = new AbortController();
  const callOptions = { signal, timeoutMs: 1000, messageBytesMax: 1 << 30 };
  return {
    call: (method: string, message: Uint8Array) => client.call(method, message, callOptions),
    async ask(message: SeriesRequestMessage) {
      const groups: (readonly Uint8Array[])[] = [];
      const frames: SeriesFrames = { series: [], warnings: [], hints: [] };
      const reader = createSeriesFrameReader();
      for await (const group of client.stream(seriesMethod, encodeSeriesRequest(message), callOptions)) {
        groups.push(group);
        for (const one of group) expect(reader.read(one, frames)).toBeUndefined();
      }
      return { groups, ...frames };
    },
  };
}

async function errorOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return error instanceof RpcError ? `${error.code} ${error.message}` : String(error);
  }
}

describe("Series", () => {
  it("gives labels and chunks, one series a message, messages packed in groups", async () => {
    const server = await serve(undefined, { groupBytes: 4000 });
    const answer = await server.ask(request);
    expect(answer.series).toEqual(series);
    const messages = answer.groups.flat();
    expect(messages).toHaveLength(10);
    expect(answer.groups.length).toBeLessThan(messages.length);
    for (const group of answer.groups.slice(0, -1)) {
      expect(group.reduce((bytes, one) => bytes + one.length, 0)).toBeGreaterThanOrEqual(4000);
    }
  });

  for (const [rule, change, messages, seriesCount] of [
    ["never a batch unasked", { responseBatchSize: 0 }, 10, 10],
    ["… nor for a size of one", { responseBatchSize: 1 }, 10, 10],
    ["batches of the size asked for", { responseBatchSize: 4 }, 3, 10],
    ["a size beyond reason is cut down to what is allowed", { responseBatchSize: 2 ** 52 }, 1, 10],
    ["a negative size is none", { responseBatchSize: -5 }, 10, 10],
    ["no more series than the limit", { limit: 3 }, 3, 3],
    ["… batched too", { limit: 3, responseBatchSize: 64 }, 1, 3],
    ["a negative limit is none", { limit: -1 }, 10, 10],
    ["an empty range gives nothing", { minTimeMs: -10, maxTimeMs: -5 }, 0, 0],
  ] satisfies readonly (readonly [string, Partial<SeriesRequestMessage>, number, number])[]) {
    it(rule, async () => {
      const answer = await (await serve()).ask({ ...request, ...change });
      expect([answer.groups.flat().length, answer.series.length]).toEqual([messages, seriesCount]);
    });
  }

  it("is the same whatever the size of batches and frames", async () => {
    for (const responseBatchSize of [0, 2, 3, 64]) {
      for (const frameBytesMax of [200, 1000, 1 << 20]) {
        const server = await serve(undefined, { frameBytesMax });
        const answer = await server.ask({ ...request, responseBatchSize });
        const chunks = new Map<string, number>();
        for (const one of answer.series) {
          const key = one.labels.join();
          chunks.set(key, (chunks.get(key) ?? 0) + one.chunks.length);
        }
        expect([...chunks.values()]).toEqual(series.map((one) => one.chunks.length));
      }
    }
  });

  it("leaves chunks and replica labels out when asked", async () => {
    const server = await serve();
    const answer = await server.ask({ ...request, skipChunks: true, withoutReplicaLabels: ["replica"] });
    expect(answer.series[0]).toEqual({
      labels: labelsFromRecord({ __name__: "up", cluster: "cluster-001", instance: "i0" }),
      chunks: [],
    });
  });

  it("passes hints, resolution and strategy on to the source, and its warnings back", async () => {
    const asked: SelectRequest[] = [];
    const source: SeriesSource = {
      ...memorySource([]),
      select: (select) => {
        asked.push(select);
        return cursorOf([], { warnings: ["cluster-007 is away"] });
      },
    };
    const queryHints = {
      stepMs: 15_000,
      function: "rate",
      grouping: { by: true, labels: ["region"] },
      rangeMs: 300_000,
      projectionLabels: [],
      projectionInclude: false,
    };
    const server = await serve(source);
    const answer = await server.ask({
      ...request,
      queryHints,
      maxResolutionMs: 300_000,
      partialResponseDisabled: true,
    });
    expect(answer.warnings).toEqual(["cluster-007 is away"]);
    expect(asked).toEqual([
      {
        minTimeMs: 0,
        maxTimeMs: 1e12,
        matchers: [up],
        skipChunks: false,
        withoutLabels: [],
        maxResolutionMs: 300_000,
        onFailure: "abort",
        seriesMax: 0,
        hints: { stepMs: 15_000, rangeMs: 300_000, function: "rate", grouping: { by: true, labels: ["region"] } },
      },
    ]);
  });

  it("closes the cursor when the transport leaves the iteration, and counts the request out", async () => {
    let closed = 0;
    const inner = memorySource(series);
    const source: SeriesSource = {
      ...inner,
      select: (select, signal) => ({ ...inner.select(select, signal), close: () => closed++ }),
    };
    const options = { ...defaultStoreHandlers, groupBytes: 1, requestsMax: 1 };
    const handler = storeHandlers(source, () => identity, options).get(seriesMethod);
    if (handler?.kind !== "stream") throw new Error("Series is no stream");
    const context = { signal: new AbortController().signal, peer: "test", metadata: new Map<string, string>() };
    for (let round = 1; round <= 3; round++) {
      for await (const group of handler.handle(encodeSeriesRequest(request), context)) {
        expect(group).toHaveLength(1);
        break;
      }
      expect(closed).toBe(round);
    }
  });
});

describe("refusals", () => {
  for (const [rule, code, failure, message] of [
    ["unavailable", "UNAVAILABLE", { kind: "unavailable", source: "head", reason: "replaying" }, "head: replaying"],
    ["timeout", "DEADLINE_EXCEEDED", { kind: "timeout", source: "head", afterMs: 2000 }, "head: no answer within 2 s"],
    ["canceled", "CANCELLED", { kind: "canceled", source: "head" }, "head: the request was canceled"],
    [
      "limit",
      "RESOURCE_EXHAUSTED",
      { kind: "limit", source: "head", of: "series", max: 5 },
      "head: more than 5 series",
    ],
    ["corrupt", "DATA_LOSS", { kind: "corrupt", source: "head", reason: "chunk 7" }, "head: corrupt data: chunk 7"],
    ["invalid", "INVALID_ARGUMENT", { kind: "invalid", source: "head", reason: 'a=~"("' }, 'head: a=~"("'],
  ] as const satisfies readonly (readonly [string, RpcCode, object, string])[]) {
    it(`a source that is ${rule} is ${code}`, async () => {
      const source = { ...memorySource([]), select: () => cursorOf([], { failure }) };
      expect(await errorOf((await serve(source)).ask(request))).toBe(`${code} ${message}`);
    });
  }

  it("no matcher at all, as Thanos has it", async () => {
    expect(await errorOf((await serve()).ask({ ...request, matchers: [] }))).toBe(
      "INVALID_ARGUMENT no matchers specified",
    );
  });

  it("more matchers than allowed", async () => {
    const matchers = Array.from({ length: 1001 }, () => up);
    const refusal = "INVALID_ARGUMENT 1001 matchers, at most 1000 are allowed";
    const server = await serve();
    expect(await errorOf(server.ask({ ...request, matchers }))).toBe(refusal);
    const labels = encodeLabelNamesRequest({ ...labelsRequest, matchers });
    expect(await errorOf(server.call(labelNamesMethod, labels))).toBe(refusal);
  });

  it("what is no request", async () => {
    const garbage = Uint8Array.of(0x1a, 0x50);
    expect(await errorOf((await serve()).call(labelNamesMethod, garbage))).toBe(
      "INVALID_ARGUMENT malformed request: field 3 has wire type 2 instead of 0 at byte 1",
    );
  });

  it("values of no label", async () => {
    const message = encodeLabelValuesRequest({ ...labelsRequest, label: "" });
    expect(await errorOf((await serve()).call(labelValuesMethod, message))).toBe(
      "INVALID_ARGUMENT label name is empty",
    );
  });

  it("more requests at once than allowed; one that ends makes room", async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const source: SeriesSource = {
      ...memorySource([]),
      labelNames: async () => {
        await gate;
        return ok({ values: [], warnings: [] });
      },
    };
    const server = await serve(source, { requestsMax: 1 });
    const message = encodeLabelNamesRequest(labelsRequest);
    const first = server.call(labelNamesMethod, message);
    expect(await errorOf(server.call(labelNamesMethod, message))).toBe(
      "RESOURCE_EXHAUSTED more than 1 requests at once",
    );
    release();
    await first;
    expect(await errorOf(server.call(labelNamesMethod, message))).toBe("none");
  });

  it("anything while it is not ready", async () => {
    const server = await serve(undefined, {}, () => ({ ...identity, ready: false }));
    expect(await errorOf(server.ask(request))).toBe("UNAVAILABLE not ready");
    const info = decodeInfoResponse(await server.call(infoMethod, new Uint8Array(0)));
    expect(info.ok && info.value.store).toBeUndefined();
    const health = decodeHealthCheckResponse(await server.call(healthMethod, encodeHealthCheckRequest("")));
    expect(health).toEqual(ok("not-serving"));
  });
});

describe("the other methods", () => {
  it("Info tells who it is, and that it removes replica labels but does not shard", async () => {
    const info = decodeInfoResponse(await (await serve()).call(infoMethod, new Uint8Array(0)));
    expect(info).toMatchObject({
      ok: true,
      value: {
        componentType: "sidecar",
        labelSets: identity.labelSets,
        store: {
          minTimeMs: 1000,
          maxTimeMs: Number.MAX_SAFE_INTEGER,
          supportsSharding: false,
          supportsWithoutReplicaLabels: true,
        },
      },
    });
  });

  it("LabelNames and LabelValues are sorted and limited", async () => {
    const server = await serve();
    const texts = async (method: string, message: Uint8Array) => {
      const decoded = decodeLabelTexts(await server.call(method, message));
      return decoded.ok ? decoded.value.texts : [];
    };
    expect(await texts(labelNamesMethod, encodeLabelNamesRequest(labelsRequest))).toEqual([
      "__name__",
      "cluster",
      "instance",
      "replica",
    ]);
    const values = { ...labelsRequest, label: "instance", limit: 2 };
    expect(await texts(labelValuesMethod, encodeLabelValuesRequest(values))).toEqual(["i0", "i1"]);
    const without = { ...labelsRequest, withoutReplicaLabels: ["replica"] };
    expect(await texts(labelNamesMethod, encodeLabelNamesRequest(without))).not.toContain("replica");
  });

  it("health knows its own services only", async () => {
    const server = await serve();
    const check = async (service: string) => await server.call(healthMethod, encodeHealthCheckRequest(service));
    expect(decodeHealthCheckResponse(await check("thanos.Store"))).toEqual(ok("serving"));
    expect(await errorOf(check("other"))).toBe("NOT_FOUND unknown service other");
  });
});
