/** What one lost node takes with it. */
import {
  fleetRoleOf,
  lossesWithoutRoom,
  type FleetEdit,
  type FleetRole,
  type LossWithoutRoom,
  type Path,
  type PlannedRole,
  type PlannedSurvival,
  type RoleKind,
} from "@pleiad/fleet";
import { remove, set, type Fault, type FindingRule, type LintSubject } from "../finding-rule.ts";
import type { Severity } from "../finding.ts";

/**
 * How bad it is when a role is gone. Roles that are not here may be: work of the compactor waits, the console of object
 * storage is a convenience, and object storage has a rule of its own.
 */
const severityOfLoss: Partial<Record<RoleKind, Severity>> = {
  "global-querier": "high",
  "super-regional-querier": "high",
  "regional-querier": "high",
  "query-frontend": "high",
  ruler: "high",
  receiver: "high",
  "store-gateway": "medium",
  alertmanager: "medium",
  grafana: "medium",
};

export const availabilityRules: readonly FindingRule[] = [
  {
    code: "replicas-on-one-node",
    severity: "high",
    title: "All replicas of a role are on one node.",
    why: "Replicas are there so that one may be lost. On one node they are all lost together.",
    find: (subject) =>
      placesAtRisk(subject, ({ roles, nodes }) => roles.length > 1 && nodes.length === 1).map(
        ({ key, place, sets }) => ({
          path: place,
          severity: worst(sets),
          found: sets
            .map(({ kind, region, roles, nodes }) => `all ${roles.length} ${nameOf(kind, region)} on ${nodes.join()}`)
            .join("; "),
          instead: "different nodes in on, or no on: the planner spreads replicas",
          edits: spreading(subject, place, key),
        }),
      ),
  },
  {
    code: "replicas-share-a-node",
    severity: "medium",
    title: "Some replicas of a role are on the same node.",
    why: "One lost node takes more of them than it should, and what is left has to carry their load too.",
    find: (subject) =>
      placesAtRisk(subject, ({ roles, nodes }) => nodes.length > 1 && nodes.length < roles.length).map(
        ({ key, place, sets }) => ({
          path: place,
          found: sets
            .map(({ kind, region, roles, nodes }) => `${roles.length} ${nameOf(kind, region)} on ${nodes.join(", ")}`)
            .join("; "),
          instead: "as many nodes as replicas",
          edits: spreading(subject, place, key),
        }),
      ),
  },
  {
    code: "role-without-replica",
    severity: "high",
    title: "A role that must not be away runs once.",
    why: "When its node is lost, or restarts, nobody does its work: a region is blind, rules are not evaluated, or history is gone from answers.",
    find: (subject) =>
      placesAtRisk(subject, ({ roles }) => roles.length === 1).flatMap(({ key, sets }): readonly Fault[] => {
        const [first] = sets;
        if (key === undefined || first === undefined) return [];
        const regions = sets.flatMap(({ region }) => region ?? []);
        return [
          {
            path: ["roles", key],
            severity: worst(sets),
            found: `one ${first.kind}${regions.length === 0 ? "" : ` in each of ${regions.join(", ")}`}, on ${[...new Set(sets.flatMap(({ nodes }) => nodes))].join(", ")}`,
            instead: "replicas: 2",
            edits: [set(["roles", key, "replicas"], 2), ...spreading(subject, ["roles", key, "on"], key)],
          },
        ];
      }),
  },
  {
    code: "lost-nodes-leave-no-room",
    severity: "high",
    title: "Roles of lost nodes find no room on the rest.",
    why: "policies.nodesLostMax says how many nodes may be lost at once. Without these, roles are left that no other node could take, and so they are away until a node is back.",
    find: ({ fleet, plan }) => {
      const losses = lossesWithoutRoom(fleet, plan);
      const [first, ...others] = losses;
      if (first === undefined) return [];
      const roles = losses.flatMap((loss) => loss.roles);
      return [
        {
          path: ["policies", "nodesLostMax"],
          severity: roles.some(({ kind }) => severityOfLoss[kind] === "high") ? "high" : "medium",
          found: `without ${first.nodes.join(" and ")} no place is found for ${first.roles.map(sizeText).join(", ")}${othersText(others)}`,
          instead: "another node of their tiers, more tiers for the role, or a replica more on a node that stays",
        },
      ];
    },
  },
  {
    code: "control-plane-on-one-node",
    severity: "high",
    title: "Kubernetes has a single control plane.",
    why: "With that node go etcd and the API: nothing is rescheduled, and nothing can be repaired until it is back.",
    find: ({ fleet }) => {
      const nodes = fleet.deployment?.controlPlane;
      if (nodes === undefined || new Set(nodes).size >= 3) return [];
      return [
        {
          path: ["deployment", "controlPlane"],
          found: `the control plane is on ${nodes.join(", ")} alone, beside ${fleet.nodes.length} nodes that need it`,
          instead: "three nodes, of which one may be lost",
          edits: [
            fleet.nodes.length < 3
              ? remove(["deployment", "controlPlane"])
              : set(
                  ["deployment", "controlPlane"],
                  fleet.nodes.slice(0, 3).map(({ name }) => name),
                ),
          ],
        },
      ];
    },
  },
];

function sizeText({ id, cpuMillicores, memoryBytes }: PlannedRole): string {
  return `${id} (${cpuMillicores / 1000} cores, ${Math.round((memoryBytes / 2 ** 30) * 10) / 10} GiB)`;
}

function othersText(others: readonly LossWithoutRoom[]): string {
  if (others.length === 0) return "";
  const nodes = others.slice(0, 3).map((loss) => loss.nodes.join(" and "));
  return `; nor for others without ${nodes.join(", or ")}${others.length > 3 ? `, and ${others.length - 3} more` : ""}`;
}

interface PlaceAtRisk {
  readonly place: Path;
  readonly key: FleetRole["key"] | undefined;
  readonly sets: readonly PlannedSurvival[];
}

/** Replica sets that one node takes with it, gathered by the place in the file that put them there. */
function placesAtRisk(subject: LintSubject, isAtRisk: (set: PlannedSurvival) => boolean): readonly PlaceAtRisk[] {
  const { fleet, plan } = subject;
  const sets = plan.survival.filter((set) => severityOfLoss[set.kind] !== undefined && isAtRisk(set));
  const byPlace = Map.groupBy(sets, (set) => {
    const role = fleetRoleOf(fleet, set);
    const pinnedRegion = fleet.regions.find(({ name, on }) => name === set.region && on !== undefined);
    if (pinnedRegion !== undefined && set.roles.length > 1) return JSON.stringify(["regions", pinnedRegion.name, "on"]);
    return JSON.stringify(["roles", role?.key ?? set.kind, "on"]);
  });
  return [...byPlace].map(([place, sets]) => ({
    place: JSON.parse(place) as string[],
    key: sets[0] === undefined ? undefined : fleetRoleOf(fleet, sets[0])?.key,
    sets,
  }));
}

/** Takes pins away, allows enough nodes, and makes the planner spread. */
function spreading({ fleet }: LintSubject, place: Path, key: FleetRole["key"] | undefined): readonly FleetEdit[] {
  const role = fleet.roles.find((one) => one.key === key);
  const edits: FleetEdit[] = [remove(place)];
  if (fleet.source.valuePlaces.has("policies.spreadReplicas")) edits.push(remove(["policies", "spreadReplicas"]));
  if (role === undefined) return edits;
  // Other pins of the file would break the rule that is now in force.
  const replicas = Math.max(2, role.replicas);
  const candidates = fleet.nodes.filter(({ tier }) => role.tiers.includes(tier)).length;
  if (candidates < replicas) edits.push(set(["roles", role.key, "tiers"], [1, 2, 3]));
  return edits;
}

function worst(sets: readonly PlannedSurvival[]): Severity {
  return sets.some(({ kind }) => severityOfLoss[kind] === "high") ? "high" : "medium";
}

function nameOf(kind: RoleKind, region: string | undefined): string {
  return region === undefined ? kind : `${kind} ${region}`;
}
