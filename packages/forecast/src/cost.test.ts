import { describe, expect, it } from "vitest";
import { costOf } from "./cost.ts";
import { formatMoney } from "./money.ts";
import { fleetOf, shippedFleet, shippedText } from "./shipped-fleet.testing.ts";

const dollars = (micros: number) => formatMoney(micros, "USD");

describe("the cost table of the requirements", () => {
  const cost = costOf(shippedFleet("seven-nodes-as-designed"));

  it("is reproduced to the cent", () => {
    expect(
      cost.lines.map(({ item, amount, priceMicros, sumMicros }) => [
        item,
        amount,
        dollars(priceMicros),
        dollars(sumMicros),
      ]),
    ).toEqual([
      ["monitoring nodes", 7, "$200.00", "$1,400.00"],
      ["object storage", 1, "$230.00", "$230.00"],
      ["network", 1, "$150.00", "$150.00"],
      ["staff", 3, "$5,000.00", "$15,000.00"],
    ]);
    expect(dollars(cost.totalMicros)).toBe("$16,780.00");
  });

  it("saves what they say when both sides leave staff out, and costs more when one side does", () => {
    expect(
      cost.comparisons.map(({ counted, togetherMicros, aloneMicros, savedMicros, savedRatio, isFair }) => [
        counted,
        dollars(togetherMicros),
        dollars(aloneMicros),
        dollars(savedMicros),
        `${(savedRatio * 100).toFixed(1)} %`,
        isFair,
      ]),
    ).toEqual([
      ["infrastructure alone", "$1,780.00", "$11,000.00", "$9,220.00", "83.8 %", true],
      ["staff on both sides", "$16,780.00", "$26,000.00", "$9,220.00", "35.5 %", true],
      ["staff on this side only", "$16,780.00", "$11,000.00", "−$5,780.00", "-52.5 %", false],
    ]);
  });

  it("is shared by 220 clusters and 19.4 million series", () => {
    expect([cost.clusterCount, dollars(cost.perClusterMicros)]).toEqual([220, "$76.27"]);
    expect([cost.seriesCount, dollars(cost.perMillionSeriesMicros)]).toEqual([19_400_000, "$864.95"]);
  });

  it("leaves out requests, which cost more than the storage when every block is asked for one by one", () => {
    const sumOf = (item: string) => cost.leftOut.find((one) => one.item === item)?.sumMicros ?? 0;
    expect(sumOf("reads at S3's price")).toBeGreaterThan(230_000_000);
    const [asItIs, listed] = cost.scenarios;
    expect([asItIs?.name, listed?.name]).toEqual(["as it is", "blocks found by listing"]);
    expect(asItIs?.requestMicros).toBeGreaterThan((listed?.requestMicros ?? 0) * 4);
  });
});

describe("costs", () => {
  it("lines add up, in whole cents", () => {
    for (const name of ["seven-nodes", "seven-nodes-as-designed", "laptop"]) {
      const { lines, leftOut, totalMicros } = costOf(shippedFleet(name));
      expect(lines.reduce((sum, { sumMicros }) => sum + sumMicros, 0)).toBe(totalMicros);
      expect([...lines, ...leftOut].filter(({ sumMicros }) => sumMicros % 10_000 !== 0)).toEqual([]);
    }
  });

  it("nodes of different prices have a line each", () => {
    const text = shippedText("laptop").replace("node-1: { tier: 1,", "node-1: { price: 350.5, tier: 1,");
    const nodes = costOf(fleetOf(text)).lines.filter(({ item }) => item === "monitoring nodes");
    expect(nodes.map(({ amount, sumMicros }) => [amount, dollars(sumMicros)])).toEqual([
      [1, "$350.50"],
      [2, "$400.00"],
    ]);
  });

  it("a second Prometheus replica takes half of the storage", () => {
    const text = shippedText("laptop").replace("scrapeInterval: 15s", "scrapeInterval: 15s\n  prometheusReplicas: 2");
    const { leftOut, lines } = costOf(fleetOf(text));
    const stored = lines.find(({ item }) => item === "object storage")?.amount ?? 0;
    expect(leftOut.find(({ item }) => item === "of the storage: second replicas")?.amount).toBeCloseTo(stored / 2, 6);
    expect(costOf(shippedFleet("laptop")).leftOut.map(({ item }) => item)).not.toContain(
      "of the storage: second replicas",
    );
  });
});
