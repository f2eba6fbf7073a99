/** Endpoints of a fan-out by what they hold, and what a request has to do with them. */
import type { Endpoint, Trouble } from "./endpoint.ts";
import type { Question } from "./question.ts";

/** Endpoints that hold the same: a group, or one endpoint alone. One of them is asked. */
export interface ReplicaSet {
  readonly name: string;
  readonly isGroup: boolean;
  readonly endpoints: readonly Endpoint[];
}

export type Assignment =
  | { readonly kind: "not-concerned" }
  /** `notAnnounced`: expected clusters that the request concerns and that none of the replicas can see. */
  | { readonly kind: "ask"; readonly replicas: readonly Endpoint[]; readonly notAnnounced: readonly string[] }
  | { readonly kind: "missing"; readonly clusters: readonly string[]; readonly troubles: readonly Trouble[] };

export function replicaSetsOf(endpoints: readonly Endpoint[]): readonly ReplicaSet[] {
  const sets: ReplicaSet[] = [];
  const groups = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) {
    const { group, name } = endpoint.spec;
    const known = group === undefined ? undefined : groups.get(group);
    if (known !== undefined) {
      known.push(endpoint);
      continue;
    }
    const members = [endpoint];
    sets.push({ name: group ?? name, isGroup: group !== undefined, endpoints: members });
    if (group !== undefined) groups.set(group, members);
  }
  return sets;
}

/** Clusters that are expected through a replica set and that not one of its endpoints announces up to a time. */
export function missingClusters({ endpoints }: ReplicaSet, timeMs: number): Endpoint["missing"] {
  let fewest: Endpoint["missing"] | undefined;
  for (const endpoint of endpoints) {
    if (fewest !== undefined && !endpoint.healthy) continue;
    const missing = endpoint.missingAt(timeMs);
    if (fewest === undefined || missing.length < fewest.length) fewest = missing;
  }
  return fewest ?? [];
}

/** Names of the clusters that are expected through a replica set and that the labels of a request do not exclude. */
export function concernedClusters({ endpoints }: ReplicaSet, question: Question): readonly string[] {
  const names = new Set<string>();
  for (const { spec } of endpoints) {
    for (const { name, labels } of spec.expects) if (question.couldMatch(labels)) names.add(name);
  }
  return [...names];
}
