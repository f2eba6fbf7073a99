/** Queries that are meant to break a server, over HTTP: each gets an answer or an error, and the next one is answered. */
import { cursorOf, labelsFromRecord, ok, xorEncoding, type SeriesSource } from "@pleiad/model";
import { encodeXor } from "@pleiad/chunks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askApi } from "./answer-difference.ts";
import { serveSource, type RunningServer } from "./prometheus-peer.ts";

const deep = 10_000;
const longText = "a".repeat(100_000);

function around(open: string, close: string, inner = "x"): string {
  return open.repeat(deep) + inner + close.repeat(deep);
}

const refused = "400 bad_data";
const failed = "422 execution";
const answered = "200";

describe("a hostile query", () => {
  let server: RunningServer | undefined;

  beforeAll(async () => {
    const data = encodeXor(Float64Array.of(0), Float64Array.of(1), 0, 1).slice();
    const chunk = { minTimeMs: 0, maxTimeMs: 0, content: { kind: "raw", encoding: xorEncoding, data } } as const;
    const series = [{ labels: labelsFromRecord({ __name__: "x", long: longText }), chunks: [chunk] }];
    const none = async () => ok({ values: [], warnings: [] });
    const source: SeriesSource = { select: () => cursorOf(series), labelNames: none, labelValues: none };
    server = await serveSource(source, async () => {});
  });
  afterAll(async () => await server?.end());

  for (const [kind, query, outcome] of [
    ["10,000 parentheses", around("(", ")"), refused],
    ["parentheses that stay open", "(".repeat(deep), refused],
    ["signs", `${"-".repeat(deep)}x`, refused],
    ["calls", around("abs(", ")"), refused],
    ["aggregations", around("sum(", ")"), refused],
    ["powers", Array.from({ length: deep }, () => "2").join("^"), refused],
    ["a sum of 10,000 operands", Array.from({ length: deep }, () => "x").join(" + "), refused],
    ["a chain of or", Array.from({ length: deep }, () => "x").join(" or "), refused],
    ["subqueries", `x${"[1m:1s]".repeat(deep)}`, refused],
    ["levels of a duration", `x[${around("(", ")", "1m")}]`, refused],
    ["braces", "{".repeat(deep), refused],
    ["10,000 matchers", `x{${Array.from({ length: deep }, (_, i) => `l${i}=""`).join(",")}}`, answered],
    ["a long matcher", `x{long="${longText}"}`, answered],
    ["a long expression of a matcher", `x{long=~"${longText}.*"}`, answered],
    ["groups of an expression", `x{long=~"${around("(", ")", "a")}"}`, refused],
    ["repetitions of repetitions", 'x{long=~"((a{100}){100}){100}"}', refused],
    ["an expression that goes back and forth", 'x{long=~"(a+)+b"}', answered],
    ["the same in label_replace", 'label_replace(x, "to", "$1", "long", "(a*)*b")', answered],
    ["an expression that is none", 'label_replace(x, "to", "$1", "long", "(((")', failed],
    [
      "10,000 labels to group by",
      `sum by (${Array.from({ length: deep }, (_, i) => `l${i}`).join(",")}) (x)`,
      answered,
    ],
    ["a subquery of all time", "sum_over_time(x[290y:1ms])", failed],
    ["subqueries in each other", "sum_over_time(sum_over_time(x[1y:1s])[1y:1s])", failed],
    ["a text of zeros", `x${"\0".repeat(deep)}`, refused],
    ["a number of 10,000 digits", "9".repeat(deep), refused],
    ["a comment", `x #${"#".repeat(deep)}`, answered],
  ] as const) {
    it(`of ${kind}`, async () => {
      const url = server?.url ?? "";
      const reply = await askApi(url, {
        method: "POST",
        path: "query",
        parameters: [
          ["query", query],
          ["time", "0"],
        ],
      });
      const { errorType } = reply.body as { readonly errorType?: string };
      expect([reply.status, errorType].join(" ").trim(), reply.text.slice(0, 300)).toBe(outcome);
      const next = await askApi(url, { path: "query", parameters: [["query", "1"]] });
      expect(next.status).toBe(200);
    }, 30_000);
  }
});
