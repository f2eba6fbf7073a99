/** Stores that do what they should not: the answer, what it says, how long it takes, and how much is read. */
import { cursorOf, labelsFromRecord, type SeriesCursor, type SeriesSource, type SourceSeries } from "@pleiad/model";
import { monitoringDataOf } from "@pleiad/model/monitoring-acceptance";
import type { RpcHandler } from "@pleiad/ports";
import type { TestPorts } from "@pleiad/ports/testing";
import { monitoringHandlers } from "@pleiad/storeapi";
import { memoryMonitoring, memorySource, plainSelectors, seriesOf } from "@pleiad/storeapi/testing";
import { describe, expect, it } from "vitest";
import {
  breakingOff,
  good,
  handlersOf,
  hostile,
  lost,
  misbehaving,
  nowMs,
  samples,
  seriesOfCluster,
  silence,
  startAt,
  startHostileWorld,
  type ApiAnswer,
  type Handlers,
  type HostileWorld,
} from "./hostile-store.testing.ts";

const at = `time=${nowMs / 1000}`;
const sums = `query?query=${encodeURIComponent("sum by (cluster) (sum_over_time(up[15m]))")}&${at}`;
const whole = samples.reduce((sum, [, value]) => sum + value, 0);
const goodSum = { metric: { cluster: good.name }, value: [nowMs / 1000, String(whole)] };
const hostileSum = { metric: { cluster: hostile.name }, value: [nowMs / 1000, String(whole)] };
const monitoringTargets = {
  Rules: "rules?",
  Targets: "targets?",
  Metadata: "metadata?",
  Exemplars: `query_exemplars?query=calls_total&start=${nowMs / 1000 - 3600}&end=${nowMs / 1000 + 3600}`,
} as const;
const asItIs = (handlers: Handlers) => handlers;
const result = ({ body }: ApiAnswer) => (body.data as { result?: unknown } | undefined)?.result;

describe("every way to fail, of every question", () => {
  const faults: readonly {
    readonly rule: string;
    readonly serve?: (handlers: Handlers) => Handlers;
    readonly before?: (world: HostileWorld) => Promise<void>;
    readonly isSilent?: boolean;
    readonly words: RegExp;
  }[] = [
    {
      rule: "it refuses connections",
      before: async ({ ports }) => ports.network.unplug(hostile.address),
      words: /connection refused by 127\.0\.0\.1:11002|connect to 127\.0\.0\.1:11002: refused/,
    },
    {
      rule: "it fails when it is asked",
      serve: (handlers) => misbehaving(handlers, breakingOff(0, lost)),
      words: /the disk is on fire/,
    },
    {
      rule: "it fails in the middle of its answer",
      serve: (handlers) => misbehaving(handlers, breakingOff(1, lost)),
      words: /the disk is on fire/,
    },
    {
      rule: "it is silent between two frames",
      serve: (handlers) => misbehaving(handlers, breakingOff(1, silence)),
      isSilent: true,
      words: /no answer within 10 s/,
    },
    {
      rule: "its check failed before",
      before: async ({ ports }) => {
        ports.network.unplug(hostile.address);
        await ports.clock.advance(6_000);
      },
      words: /connection refused by 127\.0\.0\.1:11002|connect to 127\.0\.0\.1:11002: refused/,
    },
  ];
  const questions = [
    ["Series", "fan-out", sums],
    ["Query", "distributed", sums],
    ["LabelNames", "fan-out", "labels?"],
    ["LabelValues", "fan-out", "label/cluster/values?"],
    ...Object.entries(monitoringTargets).map(([service, target]) => [service, "fan-out", target] as const),
  ] as const;

  for (const { rule, serve = asItIs, before, isSilent = false, words } of faults) {
    for (const [question, mode, target] of questions) {
      for (const strategy of ["warn", "abort"] as const) {
        it(`${rule}: ${question}, ${strategy}`, async () => {
          const world = await startHostileWorld({ mode, serve });
          await before?.(world);
          const ofTheGood = await world.askOfTheGood(target);
          expect(JSON.stringify(ofTheGood)).toMatch(question === "Metadata" ? /"calls"/ : /cluster/);
          const asked = `${target}&partial_response=${String(strategy === "warn")}`;
          const answer = isSilent ? await world.askUntilTimeout(asked) : await world.ask(asked);
          const { status, warnings = [], error = "" } = answer.body;
          const said = strategy === "warn" ? warnings.join("\n") : error;
          expect(said).toMatch(
            /(clusters (missing from|incomplete in) the answer: cluster-hostile \(|^cluster-hostile: )/,
          );
          expect(said).toMatch(words);
          expect(status).toBe(strategy === "warn" ? "success" : "error");
          if (strategy === "warn") {
            // Of series, what came before the failure may be there, marked as incomplete.
            if (question === "Series" && serve !== asItIs) expect(result(answer)).toContainEqual(goodSum);
            else expect(answer.body.data).toEqual(ofTheGood);
          } else expect(answer.body.data).toBeUndefined();
        });
      }
    }
  }
});

/** A source of series made one after the other, and how many of them were taken. */
function sourceThatCounts(seriesAt: (i: number) => SourceSeries, countMax: number) {
  const taken = { series: 0 };
  const source: SeriesSource = {
    ...memorySource([]),
    select: (): SeriesCursor => ({
      failure: undefined,
      warnings: [],
      async next() {
        if (taken.series >= countMax) return undefined;
        return Array.from({ length: 100 }, () => seriesAt(taken.series++));
      },
      close() {},
    }),
  };
  return { source, taken };
}

const numbered = (i: number) => seriesOfCluster(hostile.name, { id: String(i).padStart(9, "0") });

/** The Series method of another source in place of the store's own. */
const withSeriesOf = (source: SeriesSource) => (handlers: Handlers, ports: TestPorts) =>
  new Map(
    Array.from(handlers, ([method, own]) => {
      const other = handlersOf(source, { cluster: hostile.name }, ports).get(method);
      return [method, method.endsWith("/Series") ? (other ?? own) : own] as const;
    }),
  );

const sourceOf = (...series: readonly SourceSeries[]): SeriesSource => {
  let given = false;
  return {
    ...memorySource([]),
    select: () => ({
      failure: undefined,
      warnings: [],
      next: async () => (given ? undefined : ((given = true), series)),
      close() {},
    }),
  };
};

const streaming = (handle: Extract<RpcHandler, { kind: "stream" }>["handle"]) => (handlers: Handlers) =>
  new Map(
    Array.from(
      handlers,
      ([method, own]) => [method, method.endsWith("/Series") ? ({ kind: "stream", handle } as const) : own] as const,
    ),
  );

describe("a store that", () => {
  const own = seriesOfCluster(hostile.name);
  const [firstChunk] = own.chunks;
  if (firstChunk === undefined) throw new Error("a series without a chunk");
  const halves = [samples.slice(0, 10), samples.slice(10)].map((part) => seriesOf(own.labels, part));

  it("hangs before its first frame is waited for until its time is up", async () => {
    const world = await startHostileWorld({
      mode: "fan-out",
      serve: streaming(async function* (_, { signal }) {
        yield [];
        await silence(signal);
      }),
    });
    const answer = await world.askUntilTimeout(sums);
    expect(result(answer)).toEqual([goodSum]);
    expect(answer.body.warnings).toEqual([
      "clusters missing from the answer: cluster-hostile (no answer within 10 s from 127.0.0.1:11002)",
    ]);
  });

  it("answers after its time is not listened to", async () => {
    let answeredLate = false;
    const world = await startHostileWorld({
      mode: "fan-out",
      serve: (handlers, ports) => {
        const series = [...handlers].find(([method]) => method.endsWith("/Series"))?.[1];
        if (series?.kind !== "stream") throw new Error("no Series");
        return streaming(async function* (request, context) {
          yield [];
          await ports.clock.sleep(10_001);
          answeredLate = true;
          yield* series.handle(request, context);
        })(handlers);
      },
    });
    const answer = await world.askUntilTimeout(sums);
    expect(result(answer)).toEqual([goodSum]);
    expect(answer.body.warnings?.[0]).toContain("no answer within 10 s");
    await world.ports.clock.advance(5_000);
    expect(answeredLate).toBe(true);
    expect((await world.ask("labels?")).body.status).toBe("success");
  });

  for (const [rule, messages, words] of [
    ["sends garbage", [Uint8Array.of(0xff, 0xff, 0xff, 0x07)], "corrupt data"],
    ["sends half a message", [Uint8Array.of(0x0a, 0x7f, 0x0a)], "corrupt data"],
    ["sends what is no series at all", [new TextEncoder().encode("<html>bad gateway</html>")], "corrupt data"],
  ] as const) {
    it(`${rule} is named, and nothing of it is believed`, async () => {
      const world = await startHostileWorld({
        mode: "fan-out",
        serve: streaming(async function* () {
          yield messages;
        }),
      });
      const answer = await world.ask(sums);
      expect(result(answer)).toEqual([goodSum]);
      expect(answer.body.warnings?.join()).toMatch(new RegExp(`cluster-hostile \\(.*${words}`));
      expect((await world.ask(`${sums}&partial_response=false`)).body).toMatchObject({ status: "error" });
    });
  }

  it("sends series out of order is named: a merge would show some of them twice", async () => {
    const world = await startHostileWorld({
      mode: "fan-out",
      serve: withSeriesOf(sourceOf(numbered(2), numbered(1), numbered(3))),
    });
    const answer = await world.ask(sums);
    expect(result(answer)).toEqual([goodSum]);
    expect(answer.body.warnings?.join()).toMatch(/cluster-hostile \(corrupt data, series out of order/);
  });

  for (const [rule, source] of [
    ["sends a series twice", () => sourceOf(own, own)],
    [
      "sends chunks in the wrong order",
      () => sourceOf({ ...own, chunks: halves.flatMap((one) => one.chunks).reverse() }),
    ],
    ["sends a chunk twice", () => sourceOf({ ...own, chunks: [firstChunk, firstChunk] })],
    ["sends a series in two parts, the later one first", () => sourceOf(...halves.toReversed())],
  ] as const) {
    it(`${rule} is understood all the same`, async () => {
      const world = await startHostileWorld({ mode: "fan-out", serve: withSeriesOf(source()) });
      const answer = await world.ask(sums);
      expect(answer.body.warnings).toBeUndefined();
      expect(result(answer)).toEqual([goodSum, hostileSum]);
    });
  }

  for (const [rule, data] of [
    ["that ends too soon", Uint8Array.of(0, 20, 1, 2, 3)],
    ["of one byte", Uint8Array.of(9)],
    ["that claims 65,535 samples", Uint8Array.of(255, 255, 0, 0, 0, 0, 0)],
  ] as const) {
    it(`sends a chunk ${rule} is named, and the others answer`, async () => {
      const damaged = { ...firstChunk, content: { kind: "raw", encoding: 1, data } } as const;
      for (const mode of ["fan-out", "distributed"] as const) {
        const world = await startHostileWorld({
          mode,
          serve: (_, ports) =>
            handlersOf(
              { ...memorySource([]), select: () => cursorOf([{ ...own, chunks: [damaged] }]) },
              { cluster: hostile.name },
              ports,
            ),
        });
        const answer = await world.ask(sums);
        expect(result(answer)).toEqual([goodSum]);
        expect(answer.body.warnings?.join()).toMatch(
          /cluster-hostile \(corrupt data, a damaged chunk of up\{cluster="cluster-hostile"\}, from 127/,
        );
        expect((await world.ask(`${sums}&partial_response=false`)).body).toMatchObject({ status: "error" });
      }
    });
  }

  it("sends a million series ends the question at the limit, and is not read further", async () => {
    const { source, taken } = sourceThatCounts(numbered, 1_000_000);
    const world = await startHostileWorld({
      mode: "fan-out",
      limits: { seriesMax: 2_000 },
      serve: withSeriesOf(source),
    });
    const answer = await world.ask(sums);
    expect(answer).toMatchObject({ status: 422, body: { status: "error", errorType: "execution" } });
    expect(answer.body.error).toMatch(/more than 2000 series/);
    expect(taken.series).toBeLessThan(10_000);
    expect((await world.ask("labels?")).body.status).toBe("success");
  });

  it("never ends its stream ends the question at the limit of bytes, whatever it repeats", async () => {
    let sentBytes = 0;
    let frame: readonly Uint8Array[] = [];
    const world = await startHostileWorld({
      mode: "fan-out",
      serve: (handlers, ports) => {
        // A warning, again and again: no series, so that no count of them ends it.
        const warned = {
          ...memorySource([]),
          select: (): SeriesCursor => ({
            failure: undefined,
            warnings: ["w".repeat(1 << 20)],
            next: async () => undefined,
            close() {},
          }),
        };
        const series = handlersOf(warned, { cluster: hostile.name }, ports).get(
          [...handlers.keys()].find((one) => one.endsWith("/Series")) ?? "",
        );
        if (series?.kind !== "stream") throw new Error("no Series");
        return streaming(async function* (request, context) {
          for await (const messages of series.handle(request, context)) frame = messages;
          while (!context.signal.aborted) {
            for (const { length } of frame) sentBytes += length;
            yield frame;
          }
        })(handlers);
      },
    });
    const answer = await world.ask(sums);
    expect(answer.body.status).toBe("error");
    expect(answer.body.error).toMatch(/more than 536870912 bytes/);
    expect(sentBytes).toBeLessThan(600 << 20);
  });

  it("sends a label longer than a message may be is refused by name", async () => {
    const huge = seriesOfCluster(hostile.name, { note: "x".repeat(65 << 20) });
    const world = await startHostileWorld({ mode: "fan-out", serve: withSeriesOf(sourceOf(huge)) });
    const answer = await world.ask(sums);
    expect(result(answer)).toEqual([goodSum]);
    expect(answer.body.warnings?.join()).toMatch(/cluster-hostile \(message of \d+ bytes, limit 67108864/);
  });

  it("sends a label of a megabyte is understood", async () => {
    const long = seriesOfCluster(hostile.name, { note: "x".repeat(1 << 20) });
    const world = await startHostileWorld({ mode: "fan-out", serve: withSeriesOf(sourceOf(long)) });
    const answer = await world.ask(sums);
    expect(answer.body.warnings).toBeUndefined();
    expect(result(answer)).toEqual([goodSum, hostileSum]);
  });

  it("closes its connection in the middle gives what came whole, marked as incomplete", async () => {
    const series = Array.from({ length: 4_000 }, (_, i) => numbered(i));
    const world = await startHostileWorld({
      mode: "fan-out",
      serve: (handlers, ports) =>
        misbehaving(withSeriesOf(memorySource(series))(handlers, ports), breakingOff(1, lost)),
    });
    const { body } = await world.ask(
      `query?query=${encodeURIComponent("count by (cluster) (count_over_time(up[15m]) == 20)")}&${at}`,
    );
    const counts = new Map(
      (body.data as { result: { metric: { cluster: string }; value: [number, string] }[] }).result.map(
        ({ metric, value }) => [metric.cluster, Number(value[1])],
      ),
    );
    expect(counts.get(good.name)).toBe(1);
    // No series is half there: all that are counted have all their samples.
    expect(counts.get(hostile.name)).toBeGreaterThan(1);
    expect(counts.get(hostile.name)).toBeLessThan(4_000);
    expect(body.warnings?.join()).toMatch(/clusters incomplete in the answer: cluster-hostile/);
  });
});

describe("a store whose rules, targets, metadata or exemplars", () => {
  const telling =
    (service: string, handle: Extract<RpcHandler, { kind: "stream" }>["handle"]) => (handlers: Handlers) =>
      new Map(
        Array.from(handlers, ([method, own]) => {
          const isAsked = method.startsWith(`/thanos.${service}/`);
          return [method, isAsked ? ({ kind: "stream", handle } as const) : own] as const;
        }),
      );
  const missing = (words: string) => new RegExp(`^clusters missing from the answer: cluster-hostile \\(.*${words}`);

  for (const [service, target] of Object.entries(monitoringTargets)) {
    const outcomeOf = async (serve: (handlers: Handlers) => Handlers) => {
      const world = await startHostileWorld({ mode: "fan-out", serve });
      const ofTheGood = await world.askOfTheGood(target);
      const warned = await world.ask(target);
      expect(warned.body.data).toEqual(ofTheGood);
      const aborted = await world.ask(`${target}&partial_response=false`);
      // What it sends of one matter says nothing of its series.
      const ofSeries = await world.ask(sums);
      return {
        warnings: warned.body.warnings,
        ...{ status: aborted.body.status, error: aborted.body.error },
        warningsOfSeries: ofSeries.body.warnings,
      };
    };
    const named = (words: string) => ({
      warnings: [expect.stringMatching(missing(words))],
      ...{ status: "error", error: expect.stringMatching(words) },
      warningsOfSeries: undefined,
    });

    for (const [rule, messages] of [
      ["are garbage", [Uint8Array.of(0xff, 0xff, 0xff, 0x07)]],
      ["end in the middle of a message", [Uint8Array.of(0x0a, 0x7f, 0x0a)]],
      ["are a page of somebody else", [new TextEncoder().encode("<html>bad gateway</html>")]],
    ] as const) {
      it(`${rule}, ${service}, is named, and nothing of it is believed`, async () => {
        const handle = async function* () {
          yield messages;
        };
        expect(await outcomeOf(telling(service, handle))).toEqual(named("corrupt data"));
      });
    }

    it(`are a message larger than may be, ${service}, is refused by name`, async () => {
      const message = new Uint8Array(65 << 20);
      const handle = async function* () {
        yield [message];
      };
      expect(await outcomeOf(telling(service, handle))).toEqual(named("message of \\d+ bytes, limit 67108864"));
    });

    it(`never end, ${service}, is read up to the limit of bytes`, async () => {
      let sentBytes = 0;
      // Frames with a field that nobody knows: no part of an answer, and no warning.
      const message = new Uint8Array(1 << 20);
      message.set([0x7a, 0xfc, 0xff, 0x3f]);
      const handle = async function* (_: Uint8Array, { signal }: { readonly signal: AbortSignal }) {
        while (!signal.aborted) {
          sentBytes += message.length;
          yield [message];
        }
      };
      expect(await outcomeOf(telling(service, handle))).toEqual(named("more than 536870912 bytes"));
      expect(sentBytes).toBeLessThan(2 * (600 << 20)); // of two questions
    });
  }

  it("come with ten thousand warnings tells of a few, and counts the others", async () => {
    const warnings = Array.from({ length: 10_000 }, (_, i) => `warning ${i}`);
    const source = memoryMonitoring(monitoringDataOf(labelsFromRecord({ cluster: hostile.name })), { warnings });
    const serve = (handlers: Handlers) =>
      new Map([...handlers, ...monitoringHandlers(source, () => true, plainSelectors)]);
    const world = await startHostileWorld({ mode: "fan-out", serve });
    const told = (await world.ask("rules?")).body.warnings ?? [];
    expect(told.length).toBeLessThan(20);
    expect(told.join()).toMatch(/\d+ more warning annotations omitted/);
  });
});

describe("a client that hangs up at the top", () => {
  for (const mode of ["fan-out", "distributed"] as const) {
    it(`ends the work at the leaf, ${mode}`, async () => {
      let working = 0;
      let told = 0;
      const world = await startHostileWorld({
        mode,
        serve: (handlers) =>
          misbehaving(
            handlers,
            breakingOff(0, async (signal) => {
              working++;
              try {
                return await silence(signal);
              } finally {
                told++;
              }
            }),
          ),
      });
      // The querier of the world is a region to the one that is asked.
      const expects = [good, hostile].map(({ name }) => ({ name, labels: labelsFromRecord({ cluster: name }) }));
      const endpoints = [{ address: "127.0.0.1:12100", name: "region", expects }];
      await startAt("127.0.0.1:13000", endpoints, world.ports, mode);
      const client = new AbortController();
      const url = `http://127.0.0.1:13000/api/v1/${sums}`;
      const asking = world.ports.network.fetchHttp(url, { signal: client.signal, bodyBytesMax: 1 << 20 });
      const outcome = expect(asking).rejects.toMatchObject({ kind: "canceled" });
      await world.ports.clock.advance(100);
      expect({ working, told }).toEqual({ working: 1, told: 0 });
      client.abort();
      await outcome;
      await world.ports.clock.advance(1);
      expect({ working, told }).toEqual({ working: 1, told: 1 });
    });
  }
});
