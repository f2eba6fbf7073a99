import {
  collectSeries,
  compareLabels,
  formatSourceFailure,
  labelsFromRecord,
  labelsKey,
  ok,
  plainSelect,
  withLabels,
  withoutLabels,
  type Labels,
  type SelectRequest,
  type SourceSeries,
} from "@pleiad/model";
import { runSeriesSourceAcceptance } from "@pleiad/model/acceptance";
import { RpcError, seededRandom, type RpcHandler } from "@pleiad/ports";
import { memoryNetwork, manualClock, silentObservations } from "@pleiad/ports/testing";
import { encodeInfoResponse, encodeLabelTexts, noCapabilities } from "@pleiad/wire";
import { describe, expect, it } from "vitest";
import { createStoreClient, defaultStoreClient, type StoreClientOptions } from "./store-client.ts";
import { defaultStoreHandlers, storeHandlers } from "./store-handlers.ts";
import { memorySource, samplesOf, seriesOf } from "./testing.ts";

runSeriesSourceAcceptance("store client", async (series) => {
  const network = memoryNetwork();
  const source = memorySource(series.map(({ labels, samples }) => seriesOf(labels, samples)));
  const identity = { componentType: "sidecar", labelSets: [], minTimeMs: 0, maxTimeMs: 1, tsdbInfos: [] };
  const listener = await network.serveRpc(
    "127.0.0.1:1",
    storeHandlers(source, () => identity),
  );
  const ports = { network, clock: manualClock(), observations: silentObservations() };
  const client = createStoreClient("127.0.0.1:1", ports, { ...defaultStoreClient, name: "peer" });
  return {
    source: client,
    decode: samplesOf,
    close: () => listener.close(0),
  };
});

const peer = "127.0.0.1:1";
const identity = {
  componentType: "sidecar",
  labelSets: [labelsFromRecord({ cluster: "a" })],
  minTimeMs: 0,
  maxTimeMs: 1,
  tsdbInfos: [],
};
const { signal } = new AbortController();
const series = ["a", "b", "c"].map((name) =>
  seriesOf(
    labelsFromRecord({ __name__: name, cluster: "x", replica: "0" }),
    Array.from({ length: 500 }, (_, i) => [i * 1000, i] as const),
  ),
);

async function clientOf(handlers: ReadonlyMap<string, RpcHandler>, options: Partial<StoreClientOptions> = {}) {
  const network = memoryNetwork();
  await network.serveRpc(peer, handlers);
  const ports = { network, clock: manualClock(), observations: silentObservations() };
  return createStoreClient(peer, ports, { ...defaultStoreClient, name: "peer", ...options });
}

describe("store client", () => {
  it("asks for batches, takes single frames too, and joins frames of one series", async () => {
    for (const batchSeriesMax of [1, 64]) {
      for (const frameBytesMax of [100, 1 << 20]) {
        const handlers = storeHandlers(memorySource(series), () => identity, {
          ...defaultStoreHandlers,
          batchSeriesMax,
          frameBytesMax,
          groupBytes: 1,
        });
        const client = await clientOf(handlers);
        const answer = await collectSeries(client.select(plainSelect, signal));
        expect(answer).toEqual({ series, failure: undefined, warnings: [] });
      }
    }
  });

  /** A peer of old: it sends the series as they are, and does not announce that it could do better. */
  async function clientOfOldPeer(stored: readonly SourceSeries[]) {
    const inner = memorySource(stored);
    const source = {
      ...inner,
      select: (request: SelectRequest, to: AbortSignal) => inner.select({ ...request, withoutLabels: [] }, to),
    };
    const handlers = new Map(storeHandlers(source, () => identity));
    const store = { minTimeMs: 0, maxTimeMs: 1, supportsSharding: false, supportsWithoutReplicaLabels: false };
    handlers.set("/thanos.info.Info/Info", {
      kind: "unary",
      handle: async () =>
        encodeInfoResponse({
          componentType: "sidecar",
          labelSets: [],
          store: { ...store, tsdbInfos: [] },
          capabilities: noCapabilities,
        }),
    });
    const client = await clientOf(handlers);
    await client.info(signal);
    return client;
  }

  it("strips replica labels and sorts anew for a peer that does not", async () => {
    const client = await clientOfOldPeer([
      ...series,
      ...series.map((one) => ({ ...one, labels: replica(one.labels, "1") })),
    ]);
    const answer = await collectSeries(client.select({ ...plainSelect, withoutLabels: ["replica"] }, signal));
    const wanted = series.map(({ labels, chunks }) => ({
      labels: withoutLabels(labels, new Set(["replica"])),
      chunks,
    }));
    expect(answer.series).toEqual(wanted);
  });

  it("keeps labels in strict order whatever the replica label stands before, between or behind", async () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = seededRandom(seed);
      const names = ["__name__", "a", "ab", "b", "replica", "z", "~"];
      const removed = names[1 + random.int(names.length - 1)] ?? "replica";
      const stored = new Map<string, SourceSeries>();
      for (let i = 0; i < 40; i++) {
        const pairs = names.flatMap((name) =>
          random.int(3) > 0 ? [[name, "xyz~"[random.int(4)] ?? ""] as const] : [],
        );
        const labels = labelsFromRecord(Object.fromEntries([["id", String(random.int(4))], ...pairs]));
        stored.set(labelsKey(labels), seriesOf(labels, [[i, 1]]));
      }
      const client = await clientOfOldPeer([...stored.values()]);
      const answer = await collectSeries(client.select({ ...plainSelect, withoutLabels: [removed] }, signal));
      expect(answer.failure).toBeUndefined();
      for (const [i, { labels }] of answer.series.entries()) {
        const before = answer.series[i - 1]?.labels;
        if (before !== undefined) expect(compareLabels(before, labels), `seed ${seed}`).toBeLessThan(0);
      }
      const bare = [...stored.values()].map(({ labels }) => labelsKey(withoutLabels(labels, new Set([removed]))));
      expect(answer.series.map(({ labels }) => labelsKey(labels)).sort(), `seed ${seed}`).toEqual(
        [...new Set(bare)].sort(),
      );
    }
  });

  it("sorts label values that came out of order, and drops repeats", async () => {
    const handlers = new Map<string, RpcHandler>([
      [
        "/thanos.Store/LabelNames",
        {
          kind: "unary",
          handle: async () => encodeLabelTexts({ texts: ["b", "a", "b"], warnings: ["w", "w"], hints: undefined }),
        },
      ],
    ]);
    const client = await clientOf(handlers);
    expect(await client.labelNames({ ...plainSelect, limit: 0 }, signal)).toEqual(
      ok({ values: ["a", "b"], warnings: ["w"] }),
    );
  });

  for (const [rule, code, failure] of [
    ["a peer that is away", "UNAVAILABLE", "peer: because"],
    ["a peer that gave up", "DEADLINE_EXCEEDED", "peer: no answer within 30 s"],
    ["Thanos under abort", "ABORTED", "peer: because"],
    ["damaged data", "DATA_LOSS", "peer: corrupt data: because"],
    ["a bad request", "INVALID_ARGUMENT", "peer: because"],
  ] as const) {
    it(`a status is a failure that names the peer: ${rule}`, async () => {
      const handlers = new Map<string, RpcHandler>([
        [
          "/thanos.Store/LabelNames",
          {
            kind: "unary",
            handle: async () => {
              throw new RpcError(code, "because");
            },
          },
        ],
      ]);
      const client = await clientOf(handlers);
      const answer = await client.labelNames({ ...plainSelect, limit: 0 }, signal);
      expect(answer.ok ? "" : formatSourceFailure(answer.failure)).toBe(failure);
    });
  }

  it("a closed cursor gives nothing more, and is no failure", async () => {
    const client = await clientOf(storeHandlers(memorySource(series), () => identity));
    const cursor = client.select(plainSelect, signal);
    cursor.close();
    cursor.close();
    expect([await cursor.next(), cursor.failure]).toEqual([undefined, undefined]);
  });

  it("extremes of time are those of int64 and come back as they were sent", async () => {
    const times = { minTimeMs: -Number.MAX_SAFE_INTEGER, maxTimeMs: Number.MAX_SAFE_INTEGER };
    const client = await clientOf(storeHandlers(memorySource(series), () => ({ ...identity, ...times })));
    expect(await client.info(signal)).toEqual(ok({ query: "none", serves: [], ...identity, ...times, ready: true }));
  });
});

function replica(labels: Labels, value: string): Labels {
  return withLabels(labels, labelsFromRecord({ replica: value }));
}
