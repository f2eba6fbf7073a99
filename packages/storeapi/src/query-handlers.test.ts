/** Servers of one process that answer one request together: by which evaluator, and when each is asked by itself. */
import { fail, labelsFromRecord, ok, type EvaluationRequest, type QueryEvaluator } from "@pleiad/model";
import type { RpcHandler, RpcTogether } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import { decodeQueryResponse } from "@pleiad/wire";
import { describe, expect, it } from "vitest";
import { defaultQueryHandlers, queryHandlers } from "./query-handlers.ts";
import { exactQuery } from "./query-requests.ts";

const context = { signal: new AbortController().signal, peer: "", metadata: new Map<string, string>() };
const request: EvaluationRequest = {
  query: "sum(x)",
  ...{ startMs: 1_700_000_000_000, endMs: 1_700_000_000_000, stepMs: 0 },
  ...{ lookbackMs: 300_000, evaluationIntervalMs: 60_000, features: [] },
  ...{ withoutLabels: ["replica"], maxResolutionMs: 0, onFailure: "warn", timeoutMs: 120_000, samplesMax: 1_000 },
};
const { method, bytes } = exactQuery(request);
const none = new Float64Array(0);

/** Answers with one series, named by its name. */
const evaluatorOf = (name: string, outcome: "ok" | "refuses" | "warns" | "remarks" = "ok"): QueryEvaluator => ({
  name,
  async evaluate({ startMs }) {
    if (outcome === "refuses") return fail({ kind: "refused", reason: "too much at once" });
    const warnings = { ok: [], warns: ["chunk 7 is damaged"], remarks: ["PromQL info: not a counter"] }[outcome];
    const labels = labelsFromRecord({ name });
    const series = [
      {
        labels,
        timestampsMs: Float64Array.of(startMs),
        values: none.slice(0, 0),
        histogramTimestampsMs: none,
        histograms: [],
      },
    ];
    return ok({ series, warnings, samplesRead: 1, samplesPeak: 1, answeredBy: name, receivedBytes: 0 });
  },
});

interface World {
  readonly together: QueryEvaluator | undefined;
  readonly requestsMax?: number;
  readonly notReady?: string;
}

/** Members a and b; what they were asked as, and what they answer together: names of series and warnings. */
async function askBoth({ together, notReady, requestsMax = 1 }: World) {
  const asked: string[] = [];
  const group = {
    together: (members: readonly QueryEvaluator[], of: EvaluationRequest) => {
      asked.push(`${members.map(({ name }) => name).join("+")} ${of.query} without ${of.withoutLabels.join()}`);
      return together;
    },
  };
  const { clock } = testPorts();
  const sharing = ["a", "b"].map((name): RpcTogether => {
    const ready = () => name !== notReady;
    const handlers = queryHandlers(evaluatorOf(name), ready, { ...defaultQueryHandlers, requestsMax }, clock, group);
    return togetherOf(handlers.get(method));
  });
  const answer = sharing[0]?.handle(bytes, sharing, context);
  if (answer === undefined) return { asked, told: undefined };
  const told: string[] = [];
  for await (const messages of answer) {
    for (const message of messages) {
      const decoded = decodeQueryResponse(message);
      if (!decoded.ok) throw new Error("malformed");
      if (decoded.value.kind === "warning") told.push(decoded.value.text);
      if (decoded.value.kind === "series") told.push(...decoded.value.series.map(({ labels }) => labels.join("=")));
    }
  }
  return { asked, told };
}

function togetherOf(handler: RpcHandler | undefined): RpcTogether {
  if (handler?.kind !== "stream" || handler.together === undefined) throw new Error("it answers alone only");
  return handler.together;
}

describe("evaluators of one process", () => {
  it("answer one request by one evaluation", async () => {
    const { asked, told } = await askBoth({ together: evaluatorOf("both") });
    expect([asked, told]).toEqual([["a+b sum(x) without replica"], ["name=both"]]);
  });

  it("say what the query itself gave to remark", async () => {
    const { told } = await askBoth({ together: evaluatorOf("both", "remarks") });
    expect(told).toEqual(["PromQL info: not a counter", "name=both"]);
  });

  it.each([
    ["the group cannot answer for all", { together: undefined }],
    ["one is not ready", { together: evaluatorOf("both"), notReady: "b" }],
  ] as const)("are asked by themselves where %s", async (_rule, world) => {
    expect((await askBoth(world)).told).toBeUndefined();
  });

  it.each([
    ["it is refused", "refuses"],
    ["a source lacks something, which is to be told of that source", "warns"],
  ] as const)("tell nothing together where %s", async (_rule, outcome) => {
    await expect(askBoth({ together: evaluatorOf("both", outcome) })).rejects.toMatchObject({ name: "RpcError" });
  });

  it("answer together no more requests at once than by themselves", async () => {
    const asked = askBoth({ together: evaluatorOf("both"), requestsMax: 0 });
    await expect(asked).rejects.toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      message: "more than 0 evaluations at once",
    });
  });

  it("have nothing together with one of another kind", async () => {
    const stranger: RpcTogether = { group: {}, handle: () => undefined };
    const { clock } = testPorts();
    const group = { together: () => evaluatorOf("both") };
    const own = togetherOf(queryHandlers(evaluatorOf("a"), () => true, defaultQueryHandlers, clock, group).get(method));
    expect(own.handle(bytes, [own, stranger], context)).toBeUndefined();
  });
});
