import { formatLabels } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { parseExposition } from "./exposition-parser.ts";
import { expositionContentType, writeExposition, type ExpositionFamily } from "./exposition-writer.ts";
import { decodeSeries } from "./series-text.ts";

const families: readonly ExpositionFamily[] = [
  {
    name: "rpc_seconds",
    help: "A summary.\nWith \\ in it.",
    type: "summary",
    samples: [
      { labels: [["quantile", "0.5"]], value: 0.25 },
      { suffix: "_sum", value: 1.5e-9 },
      { suffix: "_count", value: 3, timestampMs: 1_700_000_000_000 },
    ],
  },
  {
    name: "plain",
    help: "",
    type: "unknown",
    samples: [{ value: NaN }, { labels: [["a", '"\\\n']], value: -Infinity }],
  },
  { name: "dotted.name", help: "Needs quotes.", type: "gauge", samples: [{ labels: [["b.c", "d"]], value: 1 }] },
];

describe("the text writer", () => {
  it("writes families in the order given", () => {
    expect(writeExposition(families)).toBe(
      [
        "# HELP rpc_seconds A summary.\\nWith \\\\ in it.",
        "# TYPE rpc_seconds summary",
        'rpc_seconds{quantile="0.5"} 0.25',
        "rpc_seconds_sum 1.5e-09",
        "rpc_seconds_count 3 1700000000000",
        "# TYPE plain untyped",
        "plain NaN",
        'plain{a="\\"\\\\\\n"} -Inf',
        '# HELP "dotted.name" Needs quotes.',
        '# TYPE "dotted.name" gauge',
        '{"dotted.name","b.c"="d"} 1',
        "",
      ].join("\n"),
    );
  });

  it("writes what the parser reads back", () => {
    const found: string[] = [];
    const page = new TextEncoder().encode(writeExposition(families));
    const parsed = parseExposition(page, expositionContentType, {
      sample: (page, start, end, value, timestampMs, type) => {
        found.push(`${formatLabels(decodeSeries(page, start, end, type))} ${value} ${timestampMs ?? ""}`.trim());
      },
    });
    expect(parsed).toEqual({ ok: true, value: { samples: 6, exemplars: 0, families: 3 } });
    expect(found).toEqual([
      'rpc_seconds{quantile="0.5"} 0.25',
      "rpc_seconds_sum 1.5e-9",
      "rpc_seconds_count 3 1700000000000",
      "plain NaN",
      'plain{a="\\"\\\\\\n"} -Infinity',
      '{"dotted.name", "b.c"="d"} 1',
    ]);
  });
});
