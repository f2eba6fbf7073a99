import { fail, formatMatchers, labelsFromRecord, ok, type MonitoringSource, type SeriesExemplars } from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { exemplarRoutes } from "./exemplar-routes.ts";

const exemplarsOf = (name: string, ...timestampsMs: number[]): SeriesExemplars => ({
  labels: labelsFromRecord({ __name__: name }),
  exemplars: timestampsMs.map((timestampMs) => {
    return { timestampMs, value: timestampMs / 1000, labels: labelsFromRecord({ trace_id: `t${timestampMs}` }) };
  }),
});

/** Answers with all it has, and notes what it was asked. */
function sourceOf(all: readonly SeriesExemplars[], warnings: readonly string[] = []) {
  const asked: string[] = [];
  const source: MonitoringSource = {
    exemplars: async ({ selectors, minTimeMs, maxTimeMs, withoutLabels, onFailure }) => {
      const texts = selectors.map(formatMatchers).toSorted().join(" ");
      asked.push(`${texts} ${minTimeMs} ${maxTimeMs} -${withoutLabels.join(",")} ${onFailure}`);
      return ok({ series: all, warnings });
    },
  };
  return { asked, source };
}

async function ask(monitoring: MonitoringSource, parameters: Readonly<Record<string, string>>) {
  const defaults = { replicaLabels: ["replica"], partialResponse: true };
  const [route] = exemplarRoutes({ monitoring, defaults, timeoutMs: 1000 }, testPorts());
  if (route?.answer.kind !== "api") throw new Error("no route");
  const form = { first: (name: string) => parameters[name] ?? "", all: () => [], names: () => [] };
  const answer = await route.answer.answer({ form, segment: "", signal: new AbortController().signal });
  if (!answer.ok) return answer.failure;
  const text = [...answer.value.data].map((piece) => (typeof piece === "string" ? piece : "")).join("");
  const { warnings, partial } = answer.value;
  return { data: JSON.parse(text) as unknown, warnings, partial };
}

describe("query_exemplars", () => {
  it("asks for every selector of the query at once, and writes what it gets as Prometheus does", async () => {
    const { source, asked } = sourceOf([exemplarsOf("a", 1000, 2250), exemplarsOf("b", 1500)]);
    const query = 'sum(rate(b{x="1"}[5m])) / max_over_time(a[1h:1m]) + a';
    expect(await ask(source, { query, start: "1", end: "3" })).toEqual({
      data: [
        {
          seriesLabels: { __name__: "a" },
          exemplars: [
            { labels: { trace_id: "t1000" }, value: "1", timestamp: 1 },
            { labels: { trace_id: "t2250" }, value: "2.25", timestamp: 2.25 },
          ],
        },
        {
          seriesLabels: { __name__: "b" },
          exemplars: [{ labels: { trace_id: "t1500" }, value: "1.5", timestamp: 1.5 }],
        },
      ],
      warnings: [],
      partial: false,
    });
    expect(asked).toEqual(['{__name__="a"} {__name__="a"} {x="1",__name__="b"} 1000 3000 -replica warn']);
    await ask(source, { query: "a", start: "1", end: "3", dedup: "false", partial_response: "0" });
    expect(asked.at(-1)).toBe('{__name__="a"} 1000 3000 - abort');
  });

  it("is empty without a source, and without a selector", async () => {
    const empty = { data: [], warnings: [], partial: false };
    expect(await ask({}, { query: "up" })).toEqual(empty);
    expect(await ask(sourceOf([exemplarsOf("a", 1)]).source, { query: "1 + 2" })).toEqual(empty);
  });

  it("lacks something where its source says so", async () => {
    const { source } = sourceOf([], ["cluster-a is missing"]);
    expect(await ask(source, { query: "up" })).toEqual({ data: [], warnings: ["cluster-a is missing"], partial: true });
  });

  it("says why it has no answer", async () => {
    const failing: MonitoringSource = {
      exemplars: async () => fail({ kind: "unavailable", source: "head", reason: "the head is closed" }),
    };
    expect(await ask(failing, { query: "up" })).toEqual({
      errorType: "execution",
      message: "head: the head is closed",
    });
    expect(await ask(failing, { query: "up(" })).toMatchObject({ errorType: "bad_data" });
    expect(await ask(failing, { query: "up", start: "2", end: "1" })).toMatchObject({ errorType: "bad_data" });
  });
});
