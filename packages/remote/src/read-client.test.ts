/** Answers of samples that make no sense are failures that say so: nothing of them is served, and nothing throws. */
import { ok } from "@pleiad/model";
import { encodeSnappyBlock } from "@pleiad/chunks";
import { ProtobufWriter } from "@pleiad/wire";
import { describe, expect, it } from "vitest";
import { createReadClient, defaultReadClient } from "./read-client.ts";
import { writeRequest, type SentSeries } from "./testing.ts";

const { signal } = new AbortController();

/** What a client makes of an answer with this series. */
async function readOf(series: Omit<SentSeries, "labels">) {
  const answer = new ProtobufWriter();
  const mark = answer.open(1, 2);
  answer.raw(writeRequest([{ labels: [["__name__", "m"]], ...series }]));
  answer.close(mark);
  const headers = new Map([["content-type", "application/x-protobuf"]]);
  const body = encodeSnappyBlock(answer.view());
  const client = createReadClient(
    { name: "prometheus", ask: async () => ok({ status: 200, headers, body }) },
    defaultReadClient,
  );
  return await client.read({ minTimeMs: 0, maxTimeMs: 1000, matchers: [] }, signal);
}

const histogram = { timestampMs: 10, count: 3, zeroCount: 0, buckets: [1, 2] } as const;
/** Of the two that its spans tell of. */
const oneBucket = [1] as unknown as readonly [number, number];

describe("an answer of samples", () => {
  it("in order is read", async () => {
    const read = await readOf({
      samples: [
        [10, 1],
        [20, 2],
      ],
    });
    expect(read.ok && read.value.map(({ chunks }) => chunks.length)).toEqual([1]);
  });

  for (const [rule, series, reason] of [
    [
      "out of order",
      {
        samples: [
          [20, 1],
          [10, 2],
        ],
      },
      "samples that do not ascend in time",
    ],
    [
      "twice at one time",
      {
        samples: [
          [10, 1],
          [10, 2],
        ],
      },
      "samples that do not ascend in time",
    ],
    ["whose histograms are out of order", { histograms: [histogram, histogram] }, "samples that do not ascend in time"],
    [
      "whose histograms lack buckets",
      { histograms: [{ ...histogram, float: true, buckets: oneBucket }] },
      "histogram whose spans and buckets differ in number",
    ],
  ] as const) {
    it(`${rule} is corrupt`, async () => {
      expect(await readOf(series)).toEqual({ ok: false, failure: { kind: "corrupt", source: "prometheus", reason } });
    });
  }
});
