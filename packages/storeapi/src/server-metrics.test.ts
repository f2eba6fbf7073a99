import { RpcError, type RpcContext, type RpcHandler } from "@pleiad/ports";
import { manualClock, silentObservations } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { withServerMetrics } from "./server-metrics.ts";

const nothing = new Uint8Array();

function scene(handler: RpcHandler) {
  const calls = new Map<string, number>();
  const add = (name: string) => ({
    add: (amount: number, ...labels: readonly string[]) => {
      const key = [name, ...labels].join(" ");
      calls.set(key, (calls.get(key) ?? 0) + amount);
    },
  });
  const observations = {
    ...silentObservations(),
    counter: add,
    histogram: (name: string) => ({
      observe: (_: number, ...labels: readonly string[]) => add(name).add(1, ...labels),
    }),
  };
  const observed = withServerMetrics(new Map([["/thanos.Store/Series", handler]]), {
    clock: manualClock(),
    observations,
  }).get("/thanos.Store/Series");
  if (observed === undefined) throw new Error("the handler is gone");
  const leaving = new AbortController();
  const context: RpcContext = { signal: leaving.signal, peer: "peer", metadata: new Map() };
  /** By status, those of which there was one at least; and how many were timed. */
  const handled = () => {
    const counts = [...calls].flatMap(([key, count]) => {
      const [, code] = /^grpc_server_handled_total (\w+) Series thanos\.Store \w+$/.exec(key) ?? [];
      return code === undefined || count === 0 ? [] : [[code, count]];
    });
    return Object.fromEntries(counts) as Readonly<Record<string, number>>;
  };
  const timed = (type: string) => calls.get(`grpc_server_handling_seconds Series thanos.Store ${type}`) ?? 0;
  return { observed, context, leave: () => leaving.abort(), calls, handled, timed };
}

const unary = (handle: () => Promise<Uint8Array>): RpcHandler => ({ kind: "unary", handle });

describe("the metrics of a gRPC server", () => {
  it("are there before the first call", () => {
    const { calls, timed } = scene(unary(async () => nothing));
    expect(calls.get("grpc_server_started_total Series thanos.Store unary")).toBe(0);
    expect(calls.get("grpc_server_handled_total OK Series thanos.Store unary")).toBe(0);
    expect(timed("unary")).toBe(0);
  });

  for (const [rule, error, code] of [
    ["a status of its own", new RpcError("RESOURCE_EXHAUSTED", "full"), "ResourceExhausted"],
    ["a call that the peer gave up", new RpcError("CANCELLED", "gone"), "Canceled"],
    ["a bug, as the transport answers it", new Error("bug"), "Internal"],
  ] as const) {
    it(`count ${rule}`, async () => {
      const { observed, context, handled, timed } = scene(unary(() => Promise.reject(error)));
      if (observed.kind !== "unary") throw new Error("the kind has changed");
      await expect(observed.handle(nothing, context)).rejects.toBe(error);
      expect([handled(), timed("unary")]).toEqual([{ [code]: 1 }, 1]);
    });
  }

  const stream: RpcHandler = {
    kind: "stream",
    async *handle(_, { signal }) {
      yield [nothing];
      if (signal.aborted) throw new Error("nobody listens");
      yield [nothing];
    },
  };
  for (const [rule, itemsTaken, leaves, code] of [
    ["a stream that is read to its end", 3, false, "OK"],
    ["a stream that nobody reads on", 1, false, "Canceled"],
    ["a stream that fails since its caller has gone", 3, true, "Canceled"],
  ] as const) {
    it(`count ${rule}`, async () => {
      const { observed, context, leave, handled, timed } = scene(stream);
      if (observed.kind !== "stream") throw new Error("the kind has changed");
      let left: number = itemsTaken;
      const read = async () => {
        for await (const _ of observed.handle(nothing, context)) {
          if (leaves) leave();
          if (--left === 0) break;
        }
      };
      await read().catch(() => {});
      expect([handled(), timed("server_stream")]).toEqual([{ [code]: 1 }, 1]);
    });
  }
});
