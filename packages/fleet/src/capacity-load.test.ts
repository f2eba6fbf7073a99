import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { capacityOf, capacityOfTwin } from "./capacity-load.ts";
import { readFleet } from "./fleet-file.ts";

function fleetOf(name: string) {
  const text = readFileSync(new URL(`../../../fleets/${name}.yaml`, import.meta.url), "utf8");
  const fleet = readFleet(text, name);
  if (!fleet.ok) throw new Error(JSON.stringify(fleet.failure.problems[0]));
  return fleet.value;
}

const capacity = (name: string, measured?: ReadonlyMap<string, number>) => capacityOf(fleetOf(name), measured);

describe("the seven nodes", () => {
  const model = capacity("seven-nodes");
  const bcd = model.regions.find(({ name }) => name === "bcd");

  it("have their clusters by region and kind, with the place in the file of all that it says", () => {
    expect(bcd?.parts.map((part) => [part.name, part.figure("clusters").value])).toEqual([
      ["group-b in bcd", 20],
      ["group-c in bcd", 10],
      ["group-d in bcd", 10],
    ]);
    const group = bcd?.parts[0];
    for (const [figure, value, place] of [
      ["prometheus.series", 50_000, "groups.group-b.series"],
      ["prometheus.interval", 30, "defaults.scrapeInterval"],
      ["queries.concurrent", 100, "queryLoad.concurrent"],
      ["bucket.retention-raw", 30 * 86_400, "objectStorage.retention.raw"],
      ["compactor.concurrency", 2, "roles.compactor.concurrency"],
    ] as const) {
      expect(group?.figure(figure)).toMatchObject({ value, place, origin: "file" });
    }
  });

  for (const [figure, value] of [
    ["fleet.clusters", 220],
    ["fleet.series", 19_400_000],
    ["global-querier.endpoints", 4 + 1],
    ["leaf-querier.endpoints", 1 + 2 + 1],
    ["global-querier.connections", 4 * 2 + 2],
    ["leaf-querier.connections", 2 + 2 + 1],
    ["object-store.upload-requests", 220 * 12 * 4],
    ["queries.waiting", 0],
  ] as const) {
    it(`${figure} is ${value}`, () => expect(model.fleet.figure(figure).value).toBe(value));
  }

  it("keep up: the compactor, the bucket, and the network at each cut", () => {
    expect(model.fleet.figure("compactor.load").value).toBeLessThan(0.6);
    expect(model.fleet.figure("bucket.fill").value).toBeLessThan(1);
    expect(model.fleet.figure("object-store.burst-seconds").value).toBeLessThan(60);
  });

  it("take measured values of one group or region alone", () => {
    const measured = new Map([["prometheus.series@group-a", 90_000]]);
    expect(capacity("seven-nodes", measured).fleet.figure("fleet.series").value).toBe(180 * 90_000 + 1_400_000);
  });
});

it("the twin is the same fleet with the series that it makes up, on Pleiad's own roles", () => {
  const twin = capacityOfTwin(fleetOf("seven-nodes")).fleet;
  expect(twin.figure("fleet.series").value).toBe(194_000);
  expect(twin.figure("querier.base-memory").value).toBe(131e6);
  expect(twin.parts[0]?.parts[0]?.figure("prometheus.retention").value).toBe(6 * 3600);
});

it("what keeps for ever fills the bucket of the design: in 131 days by raw samples alone", () => {
  const model = capacity("seven-nodes-as-designed");
  expect(model.fleet.figure("bucket.fill").value).toBeGreaterThan(1);
  expect(Math.round(model.fleet.figure("bucket.days-until-full-raw").value)).toBe(131);
  expect(model.fleet.figure("bucket.retention-raw").origin).toBe("default");
});
