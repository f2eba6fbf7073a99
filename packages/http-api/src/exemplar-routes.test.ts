import { fail, labelsFromRecord, ok, type Matcher } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { exemplarRoutes, type ExemplarSource, type SeriesExemplars } from "./exemplar-routes.ts";

const exemplarsOf = (name: string, ...timestampsMs: number[]): SeriesExemplars => ({
  labels: labelsFromRecord({ __name__: name }),
  exemplars: timestampsMs.map((timestampMs) => {
    return { timestampMs, value: timestampMs / 1000, labels: labelsFromRecord({ trace_id: `t${timestampMs}` }) };
  }),
});

/** Answers by metric name, and notes what it was asked. */
function sourceOf(...all: SeriesExemplars[]) {
  const asked: string[] = [];
  const source: ExemplarSource = {
    exemplars: (matchers: readonly Matcher[], minTimeMs, maxTimeMs) => {
      asked.push(`${matchers.map(({ name, type, value }) => name + type + value).join(",")} ${minTimeMs} ${maxTimeMs}`);
      return ok(all.filter(({ labels }) => matchers.some(({ value }) => value === labels[1])));
    },
  };
  return { asked, source };
}

async function ask(source: ExemplarSource | undefined, parameters: Readonly<Record<string, string>>) {
  const [route] = exemplarRoutes(source);
  if (route?.answer.kind !== "api") throw new Error("no route");
  const form = { first: (name: string) => parameters[name] ?? "", all: () => [], names: () => [] };
  const answer = await route.answer.answer({ form, segment: "", signal: new AbortController().signal });
  if (!answer.ok) return answer.failure;
  const text = [...answer.value.data].map((piece) => (typeof piece === "string" ? piece : "")).join("");
  return JSON.parse(text) as unknown;
}

describe("query_exemplars", () => {
  it("asks for every selector of the query, and tells each series once, as Prometheus does", async () => {
    const { source, asked } = sourceOf(exemplarsOf("b", 1500), exemplarsOf("a", 1000, 2250));
    const query = 'sum(rate(b{x="1"}[5m])) / max_over_time(a[1h:1m]) + a';
    expect(await ask(source, { query, start: "1", end: "3" })).toEqual([
      {
        seriesLabels: { __name__: "a" },
        exemplars: [
          { labels: { trace_id: "t1000" }, value: "1", timestamp: 1 },
          { labels: { trace_id: "t2250" }, value: "2.25", timestamp: 2.25 },
        ],
      },
      { seriesLabels: { __name__: "b" }, exemplars: [{ labels: { trace_id: "t1500" }, value: "1.5", timestamp: 1.5 }] },
    ]);
    expect(asked.sort()).toEqual(["__name__=a 1000 3000", "__name__=a 1000 3000", "x=1,__name__=b 1000 3000"]);
  });

  it("is empty without a source, and without a selector", async () => {
    expect(await ask(undefined, { query: "up" })).toEqual([]);
    expect(await ask(sourceOf(exemplarsOf("a", 1)).source, { query: "1 + 2" })).toEqual([]);
  });

  it("says why it has no answer", async () => {
    const failing: ExemplarSource = {
      exemplars: () => fail({ kind: "unavailable", source: "head", reason: "the head is closed" }),
    };
    expect(await ask(failing, { query: "up" })).toEqual({
      errorType: "execution",
      message: "head: the head is closed",
    });
    expect(await ask(failing, { query: "up(" })).toMatchObject({ errorType: "bad_data" });
    expect(await ask(failing, { query: "up", start: "2", end: "1" })).toMatchObject({ errorType: "bad_data" });
  });
});
