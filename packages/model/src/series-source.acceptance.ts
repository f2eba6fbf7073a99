/** What every SeriesSource must do, as tests. An implementation calls this from a test file of its own. */
import { describe, expect, it } from "vitest";
import { compareLabels, labelsFromRecord, labelValue, type Labels } from "./labels.ts";
import { collectSeries, plainSelect, type SelectRequest, type SeriesSource } from "./series-source.ts";

/** Samples that the source under test must hold before each case. Values are whole numbers, times ascend. */
export interface AcceptanceSeries {
  readonly labels: Labels;
  readonly samples: readonly (readonly [timestampMs: number, value: number])[];
}

export interface SeriesSourceUnderTest {
  readonly source: SeriesSource;
  /** Decodes one chunk, so that this suite needs no codec. */
  decode(encoding: number, data: Uint8Array): readonly (readonly [timestampMs: number, value: number])[];
  close?(): Promise<void>;
}

/** The data of the suite: 3 clusters, gaps, a text that sorts differently in UTF-16 and UTF-8, one series 600 long. */
export const acceptanceSeries: readonly AcceptanceSeries[] = [
  ...["a", "b", "c"].flatMap((cluster) =>
    ["idle", "user"].map((mode) => ({
      labels: labelsFromRecord({ __name__: "cpu_seconds_total", cluster, mode, replica: "0" }),
      samples: Array.from({ length: 30 }, (_, i) => [i * 30_000, i * 10] as const),
    })),
  ),
  {
    labels: labelsFromRecord({ __name__: "up", cluster: "a", replica: "0" }),
    samples: [
      [0, 1],
      [60_000, 0],
    ],
  },
  { labels: labelsFromRecord({ __name__: "up", cluster: "\uff5e", replica: "0" }), samples: [[0, 1]] },
  { labels: labelsFromRecord({ __name__: "up", cluster: "\u{1f600}", replica: "0" }), samples: [[0, 1]] },
  {
    labels: labelsFromRecord({ __name__: "long", cluster: "a", replica: "0" }),
    samples: Array.from({ length: 600 }, (_, i) => [i * 15_000, i % 7] as const),
  },
];

export function runSeriesSourceAcceptance(
  name: string,
  open: (series: readonly AcceptanceSeries[]) => Promise<SeriesSourceUnderTest>,
): void {
  const withSource = async (use: (under: SeriesSourceUnderTest) => Promise<void>) => {
    const under = await open(acceptanceSeries);
    try {
      await use(under);
    } finally {
      await under.close?.();
    }
  };
  const select = async (under: SeriesSourceUnderTest, request: Partial<SelectRequest>) =>
    await collectSeries(under.source.select({ ...plainSelect, ...request }, new AbortController().signal));
  const everything = { type: "!=", name: "__name__", value: "" } as const;

  describe(`${name} as a SeriesSource`, () => {
    it("gives every series once, in the order of UTF-8 bytes", async () => {
      await withSource(async (under) => {
        const { series, failure } = await select(under, { matchers: [everything] });
        expect(failure).toBeUndefined();
        const wanted = acceptanceSeries.map((one) => one.labels).sort(compareLabels);
        expect(series.map((one) => one.labels)).toEqual(wanted);
      });
    });

    it("gives every sample of the range, in time order, whatever the chunks", async () => {
      await withSource(async (under) => {
        const minTimeMs = 100_000;
        const maxTimeMs = 8_000_000;
        const { series } = await select(under, { matchers: [everything], minTimeMs, maxTimeMs });
        const inRange = (t: number) => t >= minTimeMs && t <= maxTimeMs;
        for (const { labels, samples } of acceptanceSeries) {
          const found = series.find((one) => compareLabels(one.labels, labels) === 0);
          const got = (found?.chunks ?? [])
            .flatMap((chunk) => {
              if (chunk.content.kind !== "raw") throw new Error("raw samples were asked for");
              const decoded = under.decode(chunk.content.encoding, chunk.content.data);
              expect(decoded[0]?.[0]).toBe(chunk.minTimeMs);
              expect(decoded.at(-1)?.[0]).toBe(chunk.maxTimeMs);
              return decoded;
            })
            .filter(([t]) => inRange(t));
          expect(got).toEqual(samples.filter(([t]) => inRange(t)));
        }
      });
    });

    for (const [rule, matchers, count] of [
      ["equality", [{ type: "=", name: "__name__", value: "up" }], 3],
      ["inequality", [everything, { type: "!=", name: "__name__", value: "up" }], 7],
      ["a regular expression matches the whole value", [{ type: "=~", name: "mode", value: "us" }], 0],
      ["alternatives", [{ type: "=~", name: "cluster", value: "a|b" }], 6],
      ["a negated expression", [everything, { type: "!~", name: "mode", value: "id.+" }], 7],
      ["an absent label is the empty text", [everything, { type: "=", name: "mode", value: "" }], 4],
      [
        "matchers are all needed",
        [everything, { type: "=", name: "cluster", value: "b" }, { type: "=", name: "mode", value: "user" }],
        1,
      ],
    ] as const) {
      it(`selects by matchers: ${rule}`, async () => {
        await withSource(async (under) => {
          const { series } = await select(under, { matchers });
          expect(series).toHaveLength(count);
        });
      });
    }

    it("refuses a bad regular expression as a failure, not an exception", async () => {
      await withSource(async (under) => {
        const { failure } = await select(under, {
          matchers: [{ type: "=~", name: "a", value: "(" }],
          onFailure: "abort",
        });
        expect(failure?.kind).toBe("invalid");
      });
    });

    it("leaves chunks out when only labels are asked for", async () => {
      await withSource(async (under) => {
        const { series } = await select(under, { matchers: [everything], skipChunks: true });
        expect(series).toHaveLength(acceptanceSeries.length);
        expect(series.every((one) => one.chunks.length === 0)).toBe(true);
      });
    });

    it("gives no series without a sample in the range", async () => {
      await withSource(async (under) => {
        const { series } = await select(under, {
          matchers: [{ type: "=", name: "__name__", value: "up" }],
          minTimeMs: 70_000,
          maxTimeMs: 8_000_000,
        });
        expect(series.flatMap((one) => one.chunks).filter((chunk) => chunk.maxTimeMs >= 70_000)).toEqual([]);
      });
    });

    it("removes replica labels before sorting", async () => {
      await withSource(async (under) => {
        const { series } = await select(under, { matchers: [everything], withoutLabels: ["replica"] });
        expect(series.some((one) => labelValue(one.labels, "replica") !== "")).toBe(false);
        const sorted = series.map((one) => one.labels).sort(compareLabels);
        expect(series.map((one) => one.labels)).toEqual(sorted);
      });
    });

    it("ends with a failure when it is canceled", async () => {
      await withSource(async (under) => {
        const controller = new AbortController();
        controller.abort();
        const { failure } = await collectSeries(
          under.source.select({ ...plainSelect, matchers: [everything] }, controller.signal),
        );
        expect(failure?.kind).toBe("canceled");
      });
    });

    it("lists label names and values, sorted, each once", async () => {
      await withSource(async (under) => {
        const request = {
          minTimeMs: plainSelect.minTimeMs,
          maxTimeMs: plainSelect.maxTimeMs,
          matchers: [],
          withoutLabels: [],
          onFailure: "warn",
          limit: 0,
        } as const;
        const { signal } = new AbortController();
        const names = await under.source.labelNames(request, signal);
        expect(names.ok && names.value.values).toEqual(["__name__", "cluster", "mode", "replica"]);
        const values = await under.source.labelValues("cluster", request, signal);
        expect(values.ok && values.value.values).toEqual(["a", "b", "c", "\uff5e", "\u{1f600}"]);
        const some = await under.source.labelValues(
          "mode",
          { ...request, matchers: [{ type: "=", name: "cluster", value: "c" }] },
          signal,
        );
        expect(some.ok && some.value.values).toEqual(["idle", "user"]);
      });
    });
  });
}
