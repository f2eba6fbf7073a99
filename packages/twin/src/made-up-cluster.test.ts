import { labelsKey, labelValue } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { fillValues, makeUpCluster, timeColumn, type MadeUpSeries } from "./made-up-cluster.ts";
import { createMadeUpPage } from "./made-up-page.ts";

const startMs = Date.UTC(2026, 0, 5);
const everyThirtySeconds = (count: number) =>
  timeColumn(Float64Array.from({ length: count }, (_, i) => startMs + i * 30_000));

function valuesOf(series: MadeUpSeries, count: number): Float64Array {
  const values = new Float64Array(count);
  fillValues(series, everyThirtySeconds(count), values, 0);
  return values;
}

describe("a made-up cluster", () => {
  for (const seriesCount of [120, 200, 500, 1000, 3000]) {
    it(`has exactly the ${seriesCount} series that were asked for, each once`, () => {
      const { series } = makeUpCluster({ name: "cluster-007", number: 7, seriesCount });
      expect(series).toHaveLength(seriesCount);
      expect(new Set(series.map((one) => labelsKey(one.labels))).size).toBe(seriesCount);
    });
  }

  it("is the same cluster whenever it is made, and another under another name", () => {
    const options = { name: "cluster-007", number: 7, seriesCount: 500 };
    const values = (name: string) => makeUpCluster({ ...options, name }).series.map((one) => valuesOf(one, 1)[0]);
    expect(values("cluster-007")).toEqual(values("cluster-007"));
    expect(values("cluster-007")).not.toEqual(values("cluster-008"));
  });

  it("has the series of node-exporter, kube-state-metrics, cAdvisor and an API server", () => {
    const { series } = makeUpCluster({ name: "cluster-007", number: 7, seriesCount: 1000 });
    const jobs = new Set(series.map((one) => labelValue(one.labels, "job")));
    expect([...jobs].sort()).toEqual(["apiserver", "app", "kube-state-metrics", "kubelet", "node-exporter"]);
  });

  it("has counters that grow, and fall only when a process restarts", () => {
    const samples = 6 * 2880; // six days: every process restarts within 78 h
    const { series } = makeUpCluster({ name: "cluster-003", number: 3, seriesCount: 200 });
    const counters = series.filter((one) => one.type !== "gauge" && labelValue(one.labels, "__name__") !== "");
    for (const one of counters) {
      const values = valuesOf(one, samples);
      let falls = 0;
      for (let i = 1; i < samples; i++) if ((values[i] as number) < (values[i - 1] as number)) falls++;
      expect(falls, JSON.stringify(one.labels)).toBeLessThanOrEqual(9);
      expect(values.every((value) => value >= 0 && Number.isFinite(value))).toBe(true);
    }
    const cpu = counters.find((one) => labelValue(one.labels, "mode") === "user") as MadeUpSeries;
    const values = valuesOf(cpu, samples);
    expect([...values].some((value, i) => i > 0 && value < (values[i - 1] as number))).toBe(true);
  });

  it("has histograms whose buckets are cumulative at every instant, and grow so over every span", () => {
    const { series } = makeUpCluster({ name: "cluster-003", number: 3, seriesCount: 1000 });
    const buckets = series.filter(
      (one) => labelValue(one.labels, "handler") === "/" && labelValue(one.labels, "le") !== "",
    );
    const columns = buckets.map((one) => valuesOf(one, 100));
    for (let b = 1; b < columns.length; b++) {
      for (let i = 0; i < 100; i++) {
        expect(columns[b]?.[i] as number).toBeGreaterThanOrEqual(columns[b - 1]?.[i] as number);
        const grown = (bucket: number) => (columns[bucket]?.[i] as number) - (columns[bucket]?.[0] as number);
        expect(grown(b)).toBeGreaterThanOrEqual(grown(b - 1));
      }
    }
  });

  it("shows on its page the value that back-filling has at that instant", () => {
    const cluster = makeUpCluster({ name: "cluster-009", number: 9, seriesCount: 150 });
    const page = createMadeUpPage(cluster).render(startMs + 60_000);
    const lines = page.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    const shown = lines.map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));
    expect(shown).toEqual(cluster.series.map((one) => valuesOf(one, 3)[2]));
  });
});
