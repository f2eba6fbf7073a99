/** What the capacity model says of the load: whether what is there can carry it. */
import { formatAmount, type CapacityModel } from "@pleiad/capacity";
import type { FindingRule, Fault, LintSubject } from "../finding-rule.ts";

/** Busier than this, a compactor does not catch up after a pause. */
const compactorLoadMax = 0.6;
/** All clusters cut a block at the same moment, and the next one this long after. */
const blockSeconds = 7200;

export const loadRules: readonly FindingRule[] = [
  {
    code: "bucket-fills-up",
    severity: "high",
    title: "The bucket is too small for what is kept in it.",
    why: "When it is full, the uploads of all clusters fail together, and what they keep themselves is all there is.",
    find: ({ fleet: { objectStorage }, capacity }) => {
      const bytes = valueOf(capacity, "bucket.bytes");
      if (objectStorage === undefined || bytes <= objectStorage.capacityBytes) return [];
      const days = valueOf(capacity, "bucket.days-until-full");
      const { rawMs, fiveMinutesMs, oneHourMs } = objectStorage.retention;
      const isEndless = rawMs === undefined || fiveMinutesMs === undefined || oneHourMs === undefined;
      const grown = isEndless ? "after a year, and it goes on growing" : "once blocks expire";
      return [
        {
          path: ["objectStorage", "capacity"],
          found: `${amount(objectStorage.capacityBytes)} of ${amount(bytes)} ${grown}: full after ${Math.floor(days)} days`,
          instead: `at least ${amount(bytes * 1.2)}, or a shorter retention, or deduplicate: true`,
        },
      ];
    },
  },
  {
    code: "compactor-overloaded",
    severity: "high",
    title: "The compactor has more to do than it has time.",
    why: "Blocks pile up, queries over long ranges read thousands of small ones, and nothing is downsampled or expired any more.",
    find: ({ fleet, plan, capacity }) => {
      if (!plan.roles.some(({ kind }) => kind === "compactor")) return [];
      const load = valueOf(capacity, "compactor.load");
      if (load <= compactorLoadMax) return [];
      return [
        {
          path: ["roles", "compactor"],
          ...(load > 1 ? {} : { severity: "medium" as const }),
          found: `${(load * 100).toFixed(0)} % of its time, for ${amount(valueOf(capacity, "compactor.bytes"))} a day of ${valueOf(capacity, "fleet.streams")} streams`,
          instead:
            load > 1
              ? "more shards or a higher concurrency, with CPU and memory for them"
              : "more shards or concurrency before the fleet grows",
          edits: growingCompactor(fleet),
        },
      ];
    },
  },
  {
    code: "uploads-outlast-interval",
    severity: "high",
    title: "One round of uploads is not over when the next begins.",
    why: "All clusters cut their blocks at the same even hours. What object storage cannot take in two hours it never catches up with.",
    find: ({ fleet: { objectStorage }, plan, capacity }) => {
      if (objectStorage === undefined || !plan.roles.some(({ kind }) => kind === "object-store")) return [];
      const seconds = valueOf(capacity, "object-store.burst-seconds");
      if (seconds <= blockSeconds) return [];
      return [
        {
          path: ["roles", "object-store"],
          found: `${amount(valueOf(capacity, "object-store.burst"))} at once take ${(seconds / 3600).toFixed(1)} h to upload, of 2 h`,
          instead: "more servers, or nodes with more network",
        },
      ];
    },
  },
  {
    code: "role-too-small",
    severity: "medium",
    title: "A role is given less memory than the model says it needs.",
    why: "Under the load that the file declares it is killed, comes back, and is killed again, while its share of the answers is missing.",
    find: (subject) => undersized(subject),
  },
];

/** Roles of a size of their own in the file, with the figure that says what they need. */
const memoryFigures = {
  "global-querier": "global-querier.memory",
  "regional-querier": "regional-querier.memory",
  "global-store-gateway": "global-store-gateway.memory",
  "regional-store-gateway": "regional-store-gateway.memory",
  compactor: "compactor.memory",
  "query-frontend": "query-frontend.memory",
  "object-store": "object-store.memory",
} as const;

function undersized({ fleet, capacity }: LintSubject): readonly Fault[] {
  return fleet.roles.flatMap((role): readonly Fault[] => {
    const figure = Object.entries(memoryFigures).find(([key]) => key === role.key)?.[1];
    if (figure === undefined || role.memoryBytes === undefined) return [];
    const needed =
      role.scope === "region"
        ? Math.max(...capacity.regions.map((region) => region.figure(figure).value))
        : valueOf(capacity, figure);
    if (needed <= role.memoryBytes) return [];
    return [
      {
        path: ["roles", role.key, "memory"],
        found: `${role.key} has ${amount(role.memoryBytes)} and needs ${amount(needed)}`,
        instead: `memory: ${gibibytesUp(needed)}Gi, or none: the planner then sizes it; pleiad explain ${figure} says why`,
      },
    ];
  });
}

/** Sizes that the model finds by itself. */
function growingCompactor({ roles, source }: LintSubject["fleet"]): NonNullable<Fault["edits"]> {
  const role = roles.find(({ key }) => key === "compactor");
  if (role === undefined) return [];
  return ["shards", "concurrency", "cpu", "memory", "disk"]
    .map((key) => ["roles", "compactor", key])
    .filter((path) => source.valuePlaces.has(path.join(".")))
    .map((path) => ({ kind: "remove", path }));
}

function valueOf(capacity: CapacityModel, name: string): number {
  return capacity.fleet.figure(name).value;
}

function amount(bytes: number): string {
  return formatAmount(bytes, "bytes");
}

function gibibytesUp(bytes: number): number {
  return Math.ceil(bytes / 2 ** 30);
}
