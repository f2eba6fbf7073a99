import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { namesOf, parseFormula } from "./formula.ts";
import {
  capacityModel,
  definitions,
  explainFigure,
  figureNames,
  figureToData,
  readMeasured,
  scopesAt,
  type CapacityModel,
  type Definition,
  type LoadScope,
} from "./index.ts";

interface Kind {
  readonly clusters: number;
  readonly series: number;
  readonly interval?: number;
  readonly replicas?: number;
}

/** A fleet of regions with one kind of clusters each. */
function load(kinds: readonly Kind[], given: Readonly<Record<string, number>> = {}): LoadScope {
  const asGiven = (values: Readonly<Record<string, number | undefined>>) =>
    Object.fromEntries(
      Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, { value }]])),
    );
  return {
    name: "fleet",
    level: "fleet",
    given: asGiven({ "bucket.capacity": 1e13, ...given }),
    parts: kinds.map(({ clusters, series, interval, replicas }, i) => ({
      name: `r${i + 1}`,
      level: "region",
      given: {},
      parts: [
        {
          name: `all in r${i + 1}`,
          alsoCalled: "all",
          level: "clusters",
          given: asGiven({
            clusters,
            "prometheus.series": series,
            "prometheus.interval": interval,
            "prometheus.replicas": replicas,
          }),
          parts: [],
        },
      ],
    })),
  };
}

const model = (kinds: readonly Kind[], given?: Readonly<Record<string, number>>) =>
  capacityModel(load(kinds, given), "thanos");
const day = 86_400;
const kept = (raw: number, five: number, hour: number) => ({
  "bucket.retention-raw": raw * day,
  "bucket.retention-five-minutes": five * day,
  "bucket.retention-one-hour": hour * day,
});

describe("the tables", () => {
  it("name nothing twice", () => {
    const all = [...definitions.values()].map(({ name }) => name);
    expect(new Set(all).size).toBe(all.length);
  });

  const ranks = { clusters: 0, region: 1, fleet: 2 } as const;
  for (const definition of definitions.values()) {
    if (definition.kind !== "figure") continue;
    it(`${definition.name}: every name of its formula is known, and within reach`, () => {
      const wrong = namesOf(parseFormula(definition.formula)).filter(({ name, isGathered }) => {
        const other: Definition | undefined = definitions.get(name);
        if (other === undefined) return true;
        const [own, theirs] = [ranks[definition.level], ranks[other.level]];
        return isGathered ? theirs > own : theirs < own;
      });
      expect(wrong).toEqual([]);
    });
  }

  it("every figure has a value, from zero up, for a fleet that says only what it must", () => {
    const capacity = model([{ clusters: 3, series: 1000 }]);
    for (const { name, level } of definitions.values()) {
      for (const scope of scopesAt(capacity, level))
        expect([name, scope.figure(name).value >= 0]).toEqual([name, true]);
    }
  });
});

describe("figures that others have published or measured", () => {
  const value = (capacity: CapacityModel, name: string) => capacity.fleet.figure(name).value;
  const clusterValue = (capacity: CapacityModel, name: string) =>
    capacity.regions[0]?.parts[0]?.figure(name).value ?? 0;
  const quiet = { "prometheus.churn": 0 };

  for (const [series, interval, blockMegabytes, dayGigabytes, burstGigabytes] of [
    [20_000, 30, 10.7, 57, 4.7],
    [50_000, 30, 26.8, 142, 11.8],
    [50_000, 15, 43.6, 230, 19.2],
    [100_000, 30, 53.6, 283, 23.6],
  ] as const) {
    it(`220 pairs of ${series} series at ${interval} s: blocks of ${blockMegabytes} MB, ${dayGigabytes} GB a day`, () => {
      const capacity = capacityModel(
        load([{ clusters: 220, series, interval, replicas: 2 }]),
        "thanos",
        new Map(Object.entries(quiet)),
      );
      expect(clusterValue(capacity, "prometheus.block-bytes") / 1e6).toBeCloseTo(blockMegabytes, 0);
      expect(value(capacity, "object-store.upload") / 1e9).toBeCloseTo(dayGigabytes, -1);
      expect(value(capacity, "object-store.burst") / 1e9).toBeCloseTo(burstGigabytes, 0);
    });
  }

  it("11 M series at 30 s grow by 47.5 GB of raw samples a day, 13.3 of five minutes, 1.4 of an hour", () => {
    const capacity = model([{ clusters: 220, series: 50_000, interval: 30 }], kept(30, 180, 365));
    expect(value(capacity, "bucket.raw-growth") / 1e9).toBeCloseTo(47.5, 1);
    expect(value(capacity, "bucket.five-minute-growth") / 1e9).toBeCloseTo(13.3, 1);
    expect(value(capacity, "bucket.one-hour-growth") / 1e9).toBeCloseTo(1.4, 1);
    expect(value(capacity, "bucket.bytes") / 1e12).toBeCloseTo(4.3, 1);
  });

  it("22 M series at 30 s fill 10 TB with raw samples in 105 days", () => {
    const capacity = model([{ clusters: 220, series: 100_000, interval: 30 }]);
    expect(value(capacity, "fleet.samples-rate")).toBeCloseTo(733_333, 0);
    expect(value(capacity, "bucket.days-until-full-raw")).toBeCloseTo(105, 0);
  });

  for (const [retention, thousands] of [
    [kept(90, 90, 90), 14],
    [kept(30, 180, 365), 24],
    [kept(365, 365, 365), 40],
  ] as const) {
    it(`440 streams kept ${JSON.stringify(Object.values(retention).map((s) => s / day))} days are ${thousands},000 blocks`, () => {
      const capacity = model([{ clusters: 220, series: 50_000, replicas: 2 }], retention);
      expect(Math.floor(value(capacity, "bucket.blocks") / 1000)).toBe(thousands);
    });
  }

  it("eight gateways that ask for each of 14,650 blocks are 144 requests a second, and a compactor 441", () => {
    const asked = { ...kept(90, 90, 90), "bucket.recursive": 0, "queries.per-second": 0 };
    const gateways = {
      "global-store-gateway.is-only": 1,
      "global-store-gateway.replicas": 1,
      "global-store-gateway.shards": 8,
    };
    const capacity = model([{ clusters: 220, series: 50_000, replicas: 2 }], { ...asked, ...gateways });
    const perSecond = (...names: readonly string[]) =>
      names.reduce((sum, name) => sum + value(capacity, name), 0) / day;
    expect(perSecond("store-gateway.head-requests", "store-gateway.mark-requests")).toBeCloseTo(146, 0);
    expect(perSecond("compactor.head-requests")).toBeCloseTo(441, 0);
  });

  for (const [clusters, replicas, percent] of [
    [60, 1, 94.2],
    [220, 1, 80.2],
    [220, 2, 99.98],
  ] as const) {
    it(`${clusters} clusters of ${replicas} replicas, each there 99.9 % of the time, all answer ${percent} % of it`, () => {
      const capacity = model([{ clusters, series: 1000, replicas }]);
      expect(value(capacity, "fleet.answering") * 100).toBeCloseTo(percent, 1);
    });
  }
});

describe("where a value comes from", () => {
  const kinds = [
    { clusters: 3, series: 1000 },
    { clusters: 2, series: 500 },
  ];
  const measured = new Map([
    ["blocks.raw-bytes", 1.1],
    ["prometheus.series@all in r2", 700],
    ["regional-querier.memory@r1", 123],
  ]);
  const capacity = capacityModel(load(kinds), "embedded", measured);

  it("measured comes first, of the scope before of all, and in place of a formula too", () => {
    expect(capacity.fleet.figure("blocks.raw-bytes")).toMatchObject({ value: 1.1, origin: "measured" });
    expect(capacity.fleet.figure("fleet.series").value).toBe(3 * 1000 + 2 * 700);
    expect(capacity.regions.map((region) => region.figure("regional-querier.memory").origin)).toEqual([
      "measured",
      "derived",
    ]);
  });

  it("a group is a name of its clusters", () => {
    const model = capacityModel(load(kinds), "thanos", new Map([["prometheus.series@all", 9]]));
    expect(model.fleet.figure("fleet.series").value).toBe(45);
  });

  it("engines differ by their defaults", () => {
    const name = "querier.base-memory";
    expect(capacity.fleet.figure(name).value).toBe(131e6);
    expect(model(kinds).fleet.figure(name).value).toBe(2 ** 29);
  });

  it("is part of the data, as deep as asked", () => {
    const data = figureToData(capacity.fleet.figure("bucket.raw-growth"), 1);
    expect(data).toMatchObject({ name: "bucket.raw-growth", origin: "derived", formula: "sum(clusters.raw-bytes)" });
    expect(data.inputs?.map(({ scope, inputs }) => [scope, inputs])).toEqual([
      ["all in r1", undefined],
      ["all in r2", undefined],
    ]);
    expect(JSON.parse(JSON.stringify(data))).toEqual(data);
  });

  it("a question without a role means every role that has it", () => {
    expect(figureNames("store-gateway.memory")).toEqual([
      "global-store-gateway.memory",
      "regional-store-gateway.memory",
    ]);
    expect(figureNames("bucket.bytes")).toEqual(["bucket.bytes"]);
    expect(figureNames("bucket.nothing")).toEqual([]);
  });

  it("inputs that were explained are not explained again", () => {
    const text = explainFigure(capacity.fleet.figure("bucket.bytes"));
    expect(text.match(/prometheus\.interval = /g)?.length).toBeGreaterThan(0);
    expect(text).toContain("(as above)");
  });
});

describe("a file of measured values", () => {
  it("has numbers by name, or by name and scope", () => {
    const value = { "blocks.raw-bytes": 1.2, "prometheus.series": { "group-a": 90_000 } };
    expect(readMeasured(value, definitions)).toEqual({
      ok: true,
      value: new Map([
        ["blocks.raw-bytes", 1.2],
        ["prometheus.series@group-a", 90_000],
      ]),
    });
  });

  for (const [rule, value, failure] of [
    ["a list", [], /expected a mapping/],
    ["a name that is none", { "blocks.raw": 1 }, /blocks\.raw: the capacity model has no figure/],
    ["a text", { "blocks.raw-bytes": "1.2" }, /blocks\.raw-bytes: expected a number from 0, found "1\.2"/],
    ["less than nothing", { "blocks.raw-bytes": { a1: -1 } }, /blocks\.raw-bytes@a1: expected a number from 0/],
  ] as const) {
    it(`refuses ${rule}`, () => {
      const read = readMeasured(value, definitions);
      expect(read.ok ? "" : read.failure.join("\n")).toMatch(failure);
    });
  }
});

describe("docs/guide/capacity.md", () => {
  const guide = readFileSync(new URL("../../../docs/guide/capacity.md", import.meta.url), "utf8");

  it("has every figure with its formula, and every input with its default", () => {
    const missing = [...definitions.values()].filter((one) => {
      const row = guide.split("\n").find((line) => line.startsWith(`| \`${one.name}\` `));
      return row === undefined || (one.kind === "figure" && !row.includes(`\`${one.formula}\``));
    });
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});
