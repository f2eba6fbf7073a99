import { emptyLabels, labelsFromRecord } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { refusalOf, riskOf } from "./data-loss.ts";
import type { PrometheusState } from "./prometheus-watch.ts";

const state = (minBlockDuration: string, maxBlockDuration: string, retention = "15d"): PrometheusState => ({
  externalLabels: labelsFromRecord({ cluster: "a" }),
  flags: { minBlockDuration, maxBlockDuration, retention, storagePath: "/data" },
  version: "2.42.0",
  oldestSampleMs: 0,
});
const ships = { ships: true, ignoresUnequalBlockSize: false };

describe("a sidecar refuses a Prometheus", () => {
  for (const [rule, of, options, reason] of [
    ["with labels and blocks of one length is fine", state("2h", "2h"), ships, undefined],
    [
      "without external labels",
      { ...state("2h", "2h"), externalLabels: emptyLabels },
      { ...ships, ships: false },
      /^Prometheus has no external labels/,
    ],
    ["that compacts its blocks", state("2h", "36h"), ships, /--storage.tsdb.max-block-duration=2h$/],
    [
      "that compacts its blocks, but nothing is uploaded: fine",
      state("2h", "36h"),
      { ...ships, ships: false },
      undefined,
    ],
    [
      "that compacts its blocks, and this is known: fine",
      state("2h", "36h"),
      { ...ships, ignoresUnequalBlockSize: true },
      undefined,
    ],
    ["that does not tell the length of its blocks", state("", ""), ships, /is not known$/],
  ] as const) {
    it(rule, () => {
      const refusal = refusalOf(of, options);
      if (reason === undefined) expect(refusal).toBeUndefined();
      else expect(refusal).toMatch(reason);
    });
  }
});

describe("a sidecar warns of a retention", () => {
  for (const [retention, isRisk] of [
    ["2h", true],
    ["5h", true],
    ["6h", false],
    ["15d", false],
    ["0s", false], // by size alone
  ] as const) {
    it(`of ${retention}: ${isRisk ? "yes" : "no"}`, () => {
      expect(riskOf(state("2h", "2h", retention), ships) !== undefined).toBe(isRisk);
    });
  }
});
