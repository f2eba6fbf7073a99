/** Servers of one process are asked together, and each answers, fails or is asked alone as if it had been by itself. */
import { labelsFromRecord, ok, type EvaluationRequest } from "@pleiad/model";
import { RpcError, type RpcShare } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import { encodeQuerySeries, encodeQueryStats, encodeQueryWarning } from "@pleiad/wire";
import { describe, expect, it } from "vitest";
import type { SharedCall } from "./query-client.ts";
import { gatherQueries, type EvaluatingClient } from "./query-gathering.ts";

const { signal } = new AbortController();
const silenceMs = 10_000;
const request: EvaluationRequest = {
  query: "sum(x)",
  startMs: 1_700_000_000_000,
  endMs: 1_700_000_000_000,
  stepMs: 0,
  lookbackMs: 300_000,
  evaluationIntervalMs: 60_000,
  features: [],
  withoutLabels: [],
  maxResolutionMs: 0,
  onFailure: "warn",
  timeoutMs: 120_000,
  samplesMax: 3,
};

const none = new Float64Array(0);
const seriesOf = (name: string, samples = 1) =>
  encodeQuerySeries({
    labels: labelsFromRecord({ name }),
    timestampsMs: new Float64Array(samples).fill(request.startMs),
    values: new Float64Array(samples),
    histogramTimestampsMs: none,
    histograms: [],
  });
const says = (index: number, message: Uint8Array): RpcShare => ({ kind: "message", index, message });
const within = (index: number, leader: number): RpcShare => ({ kind: "within", index, leader });
const ends = (index: number, failure?: RpcError): RpcShare => ({ kind: "end", index, failure });

type Shares = () => AsyncGenerator<readonly RpcShare[]>;

/** Clients of servers; what a call for several of them gives, and what was asked, are as told. */
function openClients(shares: Shares) {
  const { clock } = testPorts();
  const log: string[] = [];
  const clientOf = (name: string, process: string | undefined): EvaluatingClient => ({
    sharedCall: () =>
      process === undefined
        ? undefined
        : {
            process,
            listener: name,
            stream: (_method, _request, listeners) => {
              log.push(`together: ${listeners.join(" ")}`);
              return shares();
            },
            options: { name, address: "here", messageBytesMax: 1000, responseBytesMax: 1000, seriesMax: 2 },
            received: () => {},
            ended: (result: Parameters<SharedCall["ended"]>[0]) =>
              log.push(`${name}: ${result.ok ? "ok" : result.failure.kind}`),
          },
    evaluate: async () => {
      log.push(`alone: ${name}`);
      return ok({
        series: [],
        warnings: [`${name} alone`],
        samplesRead: 0,
        samplesPeak: 0,
        answeredBy: name,
        receivedBytes: 0,
      });
    },
  });
  const gathering = gatherQueries(clock);
  const ask = async (places: readonly (readonly [name: string, process: string | undefined])[], of = request) =>
    await Promise.all(
      places.map(async ([name, process]) => {
        const result = await gathering.evaluate(clientOf(name, process), of, signal, silenceMs);
        if (!result.ok) {
          const { failure } = result;
          return failure.kind === "unreachable" ? `unreachable: ${failure.failure.kind}` : failure.kind;
        }
        const { series, warnings, answeredBy } = result.value;
        return [...series.map((one) => one.labels.join("=")), ...warnings, `from ${answeredBy}`].join(", ");
      }),
    );
  return { ask, log, clock };
}

const both = [
  ["a", "p"],
  ["b", "p"],
] as const;

describe("servers of one process", () => {
  it("are asked by one call, and answer each for itself", async () => {
    const { ask, log } = openClients(async function* () {
      yield [says(1, seriesOf("second")), says(0, encodeQueryWarning("careful")), says(0, seriesOf("first"))];
      yield [says(1, encodeQueryStats(1, 1)), ends(1), ends(0)];
    });
    expect(await ask(both)).toEqual(["name=first, careful, from a (here)", "name=second, from b (here)"]);
    expect(log).toEqual(["together: a b", "b: ok", "a: ok"]);
  });

  it("are asked apart from those of another process, and of none", async () => {
    const { ask, log } = openClients(async function* () {
      yield [ends(0), ends(1)];
    });
    await ask([...both, ["c", "q"], ["d", undefined]]);
    expect(log.toSorted()).toEqual(["a: ok", "alone: c", "alone: d", "b: ok", "together: a b"]);
  });

  it("are asked together for each of several requests that come at once", async () => {
    const { ask, log } = openClients(async function* () {
      yield [ends(0), ends(1)];
    });
    await Promise.all([ask(both), ask(both, { ...request, query: "sum(y)" })]);
    expect(log.filter((line) => !line.endsWith("ok"))).toEqual(["together: a b", "together: a b"]);
  });

  for (const [rule, shares, answers] of [
    [
      "one that is absent is asked alone",
      [ends(0), { kind: "absent", index: 1 }],
      ["from a (here)", "b alone, from b"],
    ],
    ["one of whom nothing is told is asked alone", [ends(1)], ["a alone, from a", "from b (here)"]],
    [
      "one that breaks off is asked alone, and not heard",
      [says(0, seriesOf("half")), ends(1)],
      ["a alone, from a", "from b (here)"],
    ],
    [
      "one that is out of reach is so by itself",
      [ends(0, new RpcError("UNAVAILABLE", "not ready")), ends(1)],
      ["unreachable: unavailable", "from b (here)"],
    ],
    [
      "one that refuses does",
      [ends(0), ends(1, new RpcError("FAILED_PRECONDITION", "no"))],
      ["from a (here)", "refused"],
    ],
    [
      "one that sends damage is refused",
      [says(0, Uint8Array.of(0x12, 9)), ends(0), ends(1)],
      ["refused", "from b (here)"],
    ],
    [
      "one that sends too many samples is refused",
      [says(0, seriesOf("a", 4)), ends(0), ends(1)],
      ["refused", "from b (here)"],
    ],
    [
      "one that sends too many series is refused",
      [says(0, seriesOf("a")), says(0, seriesOf("b")), says(0, seriesOf("c")), ends(0), ends(1)],
      ["refused", "from b (here)"],
    ],
    [
      "one has its answer in another's",
      [says(1, seriesOf("both")), ends(1), within(0, 1)],
      ["from b (here), with its own", "name=both, from b (here)"],
    ],
    [
      "all are asked alone whose one answer is too large",
      [says(0, seriesOf("a", 4)), ends(0), within(1, 0)],
      ["a alone, from a", "b alone, from b"],
    ],
    [
      "one is asked alone whose answer is in one that failed",
      [ends(0, new RpcError("FAILED_PRECONDITION", "no")), within(1, 0)],
      ["refused", "b alone, from b"],
    ],
    [
      "one is asked alone whose answer is in one that has not come",
      [within(1, 0), says(0, seriesOf("a")), ends(0)],
      ["name=a, from a (here)", "b alone, from b"],
    ],
  ] as const satisfies readonly (readonly [string, readonly RpcShare[], readonly string[]])[]) {
    it(rule, async () => {
      const { ask } = openClients(async function* () {
        yield shares;
      });
      expect(await ask(both)).toEqual(answers);
    });
  }

  it("are each asked alone where the call for all fails; who has answered has", async () => {
    const { ask } = openClients(async function* () {
      yield [ends(1)];
      throw new RpcError("UNAVAILABLE", "connection lost");
    });
    expect(await ask(both)).toEqual(["a alone, from a", "from b (here)"]);
  });

  it("are out of reach where all are silent", async () => {
    const { ask, log, clock } = openClients(async function* () {
      yield [ends(1)];
      await clock.sleep(60_000);
      throw new RpcError("CANCELLED", "given up");
    });
    const asked = ask(both);
    await clock.advance(silenceMs + 60_000);
    expect(await asked).toEqual(["unreachable: timeout", "from b (here)"]);
    expect(log).not.toContain("alone: a");
  });
});
