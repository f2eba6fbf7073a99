import { describe, expect, it } from "vitest";
import { createMissingReport, missingClusterCount, type MissingPart } from "./missing-report.ts";

const clusters = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => `cluster-${String(from + i).padStart(3, "0")}`);
const refused = (...ports: readonly number[]) =>
  ports.map((port) => ({ words: "connection refused by", address: `127.0.0.1:${port}` }));
const alone = (name: string, names: readonly string[], troubles: MissingPart["troubles"]): MissingPart => ({
  name,
  isGroup: false,
  clusters: names,
  troubles,
});

describe("what is missing, in words", () => {
  for (const [rule, parts, texts] of [
    ["nothing", [], []],
    [
      "a region behind one address",
      [alone("region-a1", clusters(1, 60), refused(21_001))],
      [
        "clusters missing from the answer: cluster-001, cluster-002, cluster-003 and 57 more " +
          "(connection refused by 127.0.0.1:21001)",
      ],
    ],
    [
      "a region of two replicas",
      [{ name: "region-a1", isGroup: true, clusters: clusters(1, 60), troubles: refused(21_001, 21_002) }],
      [
        "clusters missing from the answer: 60 of region-a1: cluster-001, cluster-002, cluster-003 and 57 more " +
          "(connection refused by 127.0.0.1:21001, 127.0.0.1:21002)",
      ],
    ],
    [
      "endpoints that fail alike share a sentence, others have their own",
      [
        alone("a", clusters(1, 1), refused(1)),
        alone("b", clusters(2, 1), [{ words: "no answer within 5 s from", address: "127.0.0.1:2" }]),
        alone("c", clusters(3, 1), refused(3)),
      ],
      [
        "clusters missing from the answer: cluster-001, cluster-003 (connection refused by 127.0.0.1:1, 127.0.0.1:3)",
        "clusters missing from the answer: cluster-002 (no answer within 5 s from 127.0.0.1:2)",
      ],
    ],
    [
      "endpoints of which no cluster is expected are named themselves",
      [alone("store-0", [], refused(1)), alone("store-1", [], refused(2))],
      ["endpoints missing from the answer: store-0, store-1 (connection refused by 127.0.0.1:1, 127.0.0.1:2)"],
    ],
  ] as const) {
    it(rule, () => {
      const report = createMissingReport();
      for (const part of parts) report.missing(part);
      expect(report.texts()).toEqual(texts);
      // Those above count what those below have told: every cluster once.
      const wanted = new Set(parts.flatMap((part) => part.clusters)).size;
      expect(missingClusterCount(report.texts())).toBe(wanted);
    });
  }

  it("other warnings tell of no cluster", () => {
    expect(missingClusterCount(["store x: out of memory", "clusters incomplete in the answer: a (b c)"])).toBe(0);
  });
});
