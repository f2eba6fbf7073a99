/** What gives way first when a fleet grows as it is: each bound of the capacity model, and at how many clusters it breaks. */
import type { CapacityModel, Measured } from "@pleiad/capacity";
import { capacityOf, type Fleet, type RoleKey } from "@pleiad/fleet";
import { withClusters, type Additions } from "./grown-fleet.ts";

export interface BrokenBound {
  readonly bound: string; // what it is a bound of
  readonly clusters: number; // with so many it is broken
  readonly atNow: string; // how much of it is used now
  readonly months: number | undefined; // until then, at the rate of growth; 0 = already, undefined = no known rate
}

/** Of the clusters there are: what breaks later than that is no concern of today. */
const timesLooked = 8;

interface GrownFleet {
  readonly fleet: Fleet;
  readonly capacity: CapacityModel;
}

interface Bound {
  readonly name: string;
  /** How much of the bound is used: above 1 it is broken. */
  readonly share: (grown: GrownFleet) => number;
}

const memoryBounds: readonly (readonly [RoleKey, string])[] = [
  ["global-querier", "memory of a global querier"],
  ["regional-querier", "memory of a regional querier"],
  ["regional-store-gateway", "memory of a regional store gateway"],
  ["global-store-gateway", "memory of a global store gateway"],
  ["compactor", "memory of the compactor"],
  ["query-frontend", "memory of a query frontend"],
  ["object-store", "memory of an object store"],
];

function boundsOf(fleet: Fleet): readonly Bound[] {
  const value = (capacity: CapacityModel, name: string) => capacity.fleet.figure(name).value;
  const has = (key: RoleKey) => fleet.roles.some((role) => role.key === key);
  const rule = fleet.policies.clustersPerRegionMax;
  return [
    {
      name: `the rule of ${rule} clusters a region`,
      share: ({ fleet: { regions } }) => Math.max(...regions.map(({ clusters }) => clusters.length)) / rule,
    },
    ...(fleet.objectStorage === undefined
      ? []
      : [
          {
            name: "the bucket's capacity",
            share: ({ capacity }: GrownFleet) => value(capacity, "bucket.fill"),
          },
        ]),
    ...(has("compactor")
      ? [
          {
            name: "the compactor's time",
            share: ({ capacity }: GrownFleet) => value(capacity, "compactor.load"),
          },
        ]
      : []),
    ...(has("object-store")
      ? [
          {
            name: "two hours for a round of uploads",
            share: ({ capacity }: GrownFleet) => value(capacity, "object-store.burst-seconds") / 7200,
          },
        ]
      : []),
    ...memoryBounds.flatMap(([key, name]): readonly Bound[] => {
      const role = fleet.roles.find((one) => one.key === key);
      const given = role?.memoryBytes;
      // What the planner sizes grows with the load, up to the nodes.
      if (role === undefined || given === undefined) return [];
      const figure = `${key}.memory`;
      return [
        {
          name,
          share: ({ capacity }) =>
            (role.scope === "fleet"
              ? value(capacity, figure)
              : Math.max(...capacity.regions.map((region) => region.figure(figure).value))) / given,
        },
      ];
    }),
  ];
}

/** All bounds that break within eight times the fleet, the first first. New clusters go where there is most room. */
export function brokenBounds(
  fleet: Fleet,
  clustersPerMonth: number | undefined,
  measured?: Measured,
): readonly BrokenBound[] {
  const now = fleet.clusters.length;
  const sizes = new Map<number, GrownFleet>();
  const grownTo = (count: number): GrownFleet => {
    const known = sizes.get(count);
    if (known !== undefined) return known;
    const some = count === now ? fleet : withClusters(fleet, fillEvenly(fleet, count - now));
    const grown = { fleet: some, capacity: capacityOf(some, measured) };
    sizes.set(count, grown);
    return grown;
  };
  const found = boundsOf(fleet).flatMap(({ name, share }): readonly BrokenBound[] => {
    const clusters = firstAbove(now, now * timesLooked, (count) => share(grownTo(count)));
    if (clusters === undefined) return [];
    const atNow = `${Math.round(share(grownTo(now)) * 100)} %`;
    return [{ bound: name, clusters, atNow, months: monthsUntil(clusters - now, clustersPerMonth) }];
  });
  // Sorting is stable: bounds that break together keep the order in which they are listed.
  return found.sort((a, b) => a.clusters - b.clusters);
}

/** Until a fleet has so many clusters more; undefined where it does not grow, or nobody says how fast. */
export function monthsUntil(more: number, clustersPerMonth: number | undefined): number | undefined {
  if (more <= 0) return 0;
  return clustersPerMonth === undefined || clustersPerMonth === 0 ? undefined : more / clustersPerMonth;
}

/** The least count with a share above 1, by doubling and halving: shares never fall when clusters are added. */
function firstAbove(from: number, most: number, shareAt: (count: number) => number): number | undefined {
  if (shareAt(from) > 1) return from;
  if (shareAt(most) <= 1) return undefined;
  let good = from;
  let bad = most;
  for (let count = from + 1; count < most; count = from + (count - from) * 2) {
    if (shareAt(count) > 1) {
      bad = count;
      break;
    }
    good = count;
  }
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (shareAt(middle) > 1) bad = middle;
    else good = middle;
  }
  return bad;
}

/** `count` more clusters over the regions there are, so that these end as equal as they can. */
export function fillEvenly({ regions }: Fleet, count: number): Additions {
  const sizes = new Map(regions.map(({ name, clusters }) => [name, clusters.length]));
  const level = (height: number) => [...sizes.values()].reduce((sum, size) => sum + Math.max(0, height - size), 0);
  let height = Math.min(...sizes.values());
  while (level(height + 1) <= count) height++;
  const additions = new Map([...sizes].map(([name, size]) => [name, Math.max(0, height - size)]));
  let rest = count - level(height);
  for (const [name, size] of sizes) {
    if (rest === 0) break;
    if (size > height) continue;
    additions.set(name, (additions.get(name) ?? 0) + 1);
    rest--;
  }
  return new Map([...additions].filter(([, more]) => more > 0));
}
