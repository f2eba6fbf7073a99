import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fillEvenly } from "./bounds.ts";
import { growthOf, type GrowthStep, type GrowthWay } from "./growth.ts";
import { withClusters } from "./grown-fleet.ts";
import { planned, shippedFleet } from "./shipped-fleet.testing.ts";

const designed = shippedFleet("seven-nodes-as-designed");
const growth = growthOf(designed, planned(designed), { sizes: [700, 300, 500], clustersPerMonth: 5 });

function optionOf(step: GrowthStep | undefined, way: GrowthWay) {
  const option = step?.options.find((one) => one.way === way);
  if (option === undefined) throw new Error(`no such way: ${way}`);
  return option;
}

describe("growth as the requirements have it", () => {
  const [to300, to500, to700] = growth.steps;

  it("220 to 300, option A: regions of 75, +15 +15 +15 +35, no node; and it breaks the rule of 60", () => {
    const option = optionOf(to300, "fill the regions");
    expect(option.regions).toEqual([
      { name: "a1", clusters: 75, added: 15 },
      { name: "a2", clusters: 75, added: 15 },
      { name: "a3", clusters: 75, added: 15 },
      { name: "bcd", clusters: 75, added: 35 },
    ]);
    expect(option).toMatchObject({ nodesAdded: 0, nodesOneARegion: 7 });
    expect(option.broken).toEqual(["4 regions with 75 clusters: 15 above the rule of 60"]);
  });

  it("220 to 300, option B: node 8 with a region of 80; and it breaks the rule of 60", () => {
    const option = optionOf(to300, "add one region");
    expect(option.nodesOneARegion).toBe(8);
    expect(option.broken).toEqual(["region-1 with 80 clusters: 20 above the rule of 60"]);
  });

  it("220 to 300 within the rule: two regions more, or one once the fourth is full", () => {
    const added = optionOf(to300, "add regions");
    expect(added.regions.map(({ clusters }) => clusters)).toEqual([60, 60, 60, 40, 60, 20]);
    expect(added).toMatchObject({ nodesOneARegion: 9, broken: [] });
    const filled = optionOf(to300, "fill, then add regions");
    expect(filled.regions.map(({ clusters }) => clusters)).toEqual([60, 60, 60, 60, 60]);
    expect(filled).toMatchObject({ nodesOneARegion: 8, broken: [] });
    expect(to300?.best).toBe("fill, then add regions");
  });

  it("220 to 500: nodes 8 to 12 with regions of 60, 60, 60, 60, 40", () => {
    const option = optionOf(to500, "add regions");
    expect(option.regions.map(({ clusters }) => clusters)).toEqual([60, 60, 60, 40, 60, 60, 60, 60, 40]);
    expect(option).toMatchObject({ nodesOneARegion: 12, broken: [] });
  });

  it("700 clusters take 15 nodes", () => {
    expect(optionOf(to700, "add regions")).toMatchObject({ nodesOneARegion: 15, broken: [] });
  });

  it("nodes and the most clusters that they hold, one region each", () => {
    const rung = (nodes: number) => growth.ladder.find((one) => one.nodes === nodes);
    // The table of the requirements has 7: 220-300, 8-10: 300-450, 10-15: 450-700. By its own rule of 60 it is:
    expect([7, 8, 9, 10, 12, 15].map((nodes) => [nodes, rung(nodes)?.keeping, rung(nodes)?.filling])).toEqual([
      [7, 220, 240],
      [8, 280, 300],
      [9, 340, 360],
      [10, 400, 420],
      [12, 520, 540],
      [15, 700, 720],
    ]);
  });

  it("comes in months at the rate that is given", () => {
    expect(growth.steps.map(({ clusters, months }) => [clusters, months])).toEqual([
      [300, 16],
      [500, 56],
      [700, 96],
    ]);
  });
});

it("what is there stays where it is, as long as what is new finds room elsewhere", () => {
  for (const name of ["seven-nodes", "seven-nodes-as-designed"]) {
    const fleet = shippedFleet(name);
    const { steps } = growthOf(fleet, planned(fleet), { sizes: [300, 700], clustersPerMonth: undefined });
    for (const { options, best } of steps) {
      expect(options.find(({ way }) => way === best)).toMatchObject({ movedRoles: 0, movedClusters: 0, moves: [] });
    }
  }
});

describe("what gives way first", () => {
  it("the bucket is too small already, then the rule of 60 at one cluster past 240", () => {
    expect(growth.bounds.slice(0, 2)).toEqual([
      { bound: "the bucket's capacity", clusters: 220, atNow: expect.any(String) as string, months: 0 },
      { bound: "the rule of 60 clusters a region", clusters: 241, atNow: "100 %", months: 4.2 },
    ]);
  });

  it("is in order, and each bound once", () => {
    const counts = growth.bounds.map(({ clusters }) => clusters);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(new Set(growth.bounds.map(({ bound }) => bound)).size).toBe(growth.bounds.length);
  });

  it("has no date where nobody says how fast the fleet grows", () => {
    const { bounds } = growthOf(designed, planned(designed), { sizes: [], clustersPerMonth: undefined });
    expect(bounds.map(({ months }) => months).slice(0, 2)).toEqual([0, undefined]);
  });
});

describe("grown fleets", () => {
  it("hold what they had, and clusters like those of the largest group, named on", () => {
    const grown = withClusters(
      designed,
      new Map([
        ["a1", 2],
        ["region-1", 1],
      ]),
    );
    const added = grown.clusters.filter(({ number }) => number > 220);
    expect(added.map(({ name, region, group, series }) => [name, region, group, series])).toEqual([
      ["cluster-221", "a1", "group-a", 100_000],
      ["cluster-222", "a1", "group-a", 100_000],
      ["cluster-223", "region-1", "group-a", 100_000],
    ]);
    expect(added[2]?.externalLabels).toMatchObject({ cluster: "cluster-223", region: "region-1" });
    expect(grown.regions.map(({ name, clusters }) => `${name} ${clusters.length}`)).toEqual([
      "a1 62",
      "a2 60",
      "a3 60",
      "bcd 40",
      "region-1 1",
    ]);
  });

  it("filled evenly end as equal as they can, and nothing is taken away", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 8 }),
        fc.nat(400),
        (sizes, more) => {
          const regions = sizes.map((size, i) => ({
            name: `r${i}`,
            clusters: Array.from({ length: size }, (_, n) => `c${n}`),
            clustersMax: 60,
            on: undefined,
          }));
          const additions = fillEvenly({ ...designed, regions }, more);
          const after = sizes.map((size, i) => size + (additions.get(`r${i}`) ?? 0));
          expect([...additions.values()].reduce((sum, one) => sum + one, 0)).toBe(more);
          expect([...additions.values()].every((one) => one > 0)).toBe(true);
          const filled = after.filter((_, i) => additions.has(`r${i}`));
          // No region that got some is more than one above any other.
          expect(filled.length === 0 || Math.max(...filled) - Math.min(...after) <= 1).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});
