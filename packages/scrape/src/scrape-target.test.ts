import { formatLabels, labelsFromRecord } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { discoveredLabels, resolveLabels, targetLabels } from "./scrape-target.ts";

describe("the labels of a target", () => {
  for (const [rule, target, labels] of [
    ["job, and host and port", { job: "node", url: "http://h:9100/metrics" }, '{instance="h:9100", job="node"}'],
    ["no port where the URL has none", { job: "node", url: "https://h/metrics" }, '{instance="h", job="node"}'],
    ["a port as it is written", { job: "node", url: "http://h:80?x=/" }, '{instance="h:80", job="node"}'],
    ["no password", { job: "node", url: "http://me:secret@h:1/" }, '{instance="h:1", job="node"}'],
    ["an instance of its own", { job: "node", url: "http://h:1/", instance: "x" }, '{instance="x", job="node"}'],
    [
      "further labels",
      { job: "node", url: "http://h:1/", labels: { az: "1" } },
      '{az="1", instance="h:1", job="node"}',
    ],
  ] as const) {
    it(rule, () => expect(formatLabels(targetLabels(target))).toBe(labels));
  }
});

describe("a label of both target and page", () => {
  const ofTarget = labelsFromRecord({ job: "j", instance: "i" });
  for (const [rule, scraped, honorLabels, resolved] of [
    ["no conflict", { __name__: "a", b: "1" }, false, 'a{b="1", instance="i", job="j"}'],
    ["the page's is renamed", { __name__: "a", job: "x" }, false, 'a{exported_job="x", instance="i", job="j"}'],
    [
      "again, where that name is taken",
      { __name__: "a", job: "x", exported_job: "y" },
      false,
      'a{exported_exported_job="x", exported_job="y", instance="i", job="j"}',
    ],
    [
      "both conflict",
      { __name__: "a", job: "x", instance: "y" },
      false,
      'a{exported_instance="y", exported_job="x", instance="i", job="j"}',
    ],
    ["the page's stays if honoured", { __name__: "a", job: "x" }, true, 'a{instance="i", job="x"}'],
  ] as const) {
    it(rule, () => {
      expect(formatLabels(resolveLabels(labelsFromRecord(scraped), ofTarget, honorLabels))).toBe(resolved);
    });
  }

  it("a target's exported_job keeps its place", () => {
    const both = labelsFromRecord({ job: "j", exported_job: "e" });
    const scraped = labelsFromRecord({ __name__: "a", job: "x", exported_job: "y" });
    expect(formatLabels(resolveLabels(scraped, both, false))).toBe(
      'a{exported_exported_exported_job="y", exported_exported_job="x", exported_job="e", job="j"}',
    );
  });
});

describe("what is discovered of a target", () => {
  for (const [url, address, path, scheme] of [
    ["http://h:9100/metrics", "h:9100", "/metrics", "http"],
    ["https://me:secret@h?x=1", "h", "/", "https"],
  ] as const) {
    it(url, () => {
      expect(discoveredLabels({ job: "node", url, labels: { az: "1" } }, 30_000, 10_000)).toEqual(
        labelsFromRecord({
          ...{ __address__: address, __metrics_path__: path, __scheme__: scheme, az: "1", job: "node" },
          ...{ __scrape_interval__: "30s", __scrape_timeout__: "10s" },
        }),
      );
    });
  }
});
