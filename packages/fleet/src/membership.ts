/** Which clusters there are, and which region each belongs to: exactly one. */
import { compareText } from "@pleiad/model";
import { automaticRegions } from "./automatic-regions.ts";
import { clustersMax, expandClusterNames } from "./cluster-range.ts";
import type { FleetFile, NameEntries } from "./fleet-schema.ts";
import type { Path } from "./fleet-source.ts";
import { compareNames, didYouMean } from "./name-order.ts";
import type { ProblemLog } from "./problem-log.ts";

export interface Membership {
  readonly groupOf: ReadonlyMap<string, string>; // cluster → group
  readonly regionOf: ReadonlyMap<string, string>; // cluster → region
}

/**
 * Expands groups and regions; all that does not fit together goes to the log. `previous`: the regions that clusters had,
 * for a file that names none.
 */
export function readMembership(
  file: FleetFile,
  log: ProblemLog,
  previous: ReadonlyMap<string, string> = new Map(),
): Membership {
  const groupOf = new Map<string, string>();
  const listedAt = new Map<string, Path>();
  for (const [group, { clusters, count }] of Object.entries(file.groups)) {
    const path = ["groups", group, "clusters"];
    let size = 0;
    for (const [text, entryPath] of entriesAt(clusters, path)) {
      const names = expandEntry(text, entryPath, log);
      size += names.length;
      const twice = names.filter((name) => groupOf.has(name));
      reportTwice(twice, entryPath, listedAt, log);
      if (groupOf.size + names.length - twice.length > clustersMax) {
        const found = `${groupOf.size + names.length - twice.length} with this entry`;
        log.atValue(entryPath, { code: "RANGE_HUGE", expected: `at most ${clustersMax} clusters`, found });
        continue;
      }
      for (const name of names) {
        if (groupOf.has(name)) continue;
        groupOf.set(name, group);
        listedAt.set(name, entryPath);
      }
    }
    if (count !== undefined && count !== size) {
      log.atValue(["groups", group, "count"], {
        code: "COUNT_MISMATCH",
        expected: `${size}, the number of clusters listed in the group`,
        found: String(count),
      });
    }
  }
  if (file.clusterCount !== undefined && file.clusterCount !== groupOf.size) {
    log.atValue(["clusterCount"], {
      code: "COUNT_MISMATCH",
      expected: `${groupOf.size}, the number of clusters in all groups`,
      found: String(file.clusterCount),
    });
  }
  const { regions, policies } = file;
  const regionOf =
    regions === undefined
      ? automaticRegions(groupOf, policies.clustersPerRegionMax, previous)
      : readRegions({ regions, groups: file.groups }, groupOf, listedAt, log);
  return { groupOf, regionOf };
}

function readRegions(
  { regions, groups: knownGroups }: { regions: NonNullable<FleetFile["regions"]>; groups: FleetFile["groups"] },
  groupOf: ReadonlyMap<string, string>,
  listedAt: ReadonlyMap<string, Path>,
  log: ProblemLog,
): ReadonlyMap<string, string> {
  const regionOf = new Map<string, string>();
  let hasUnknown = false;
  const clustersOfGroup = Map.groupBy(groupOf.keys(), (cluster) => groupOf.get(cluster));
  for (const [region, { clusters, groups }] of Object.entries(regions)) {
    const path = ["regions", region];
    if (clusters === undefined && groups === undefined) {
      log.atKey(path, {
        code: "REGION_EMPTY",
        expected: "one of the keys clusters and groups, or both",
        found: "neither",
        hint: "a region without clusters has nothing to answer",
      });
    }
    const assign = (names: readonly string[], entryPath: Path) => {
      const twice = names.filter((name) => regionOf.has(name));
      const first = twice[0];
      if (first !== undefined) {
        log.atValue(entryPath, {
          code: "TWO_REGIONS",
          expected: "clusters of no other region",
          found: `${listText(twice)} of region ${regionOf.get(first) ?? ""}`,
          hint: "every sample would be returned twice",
        });
      }
      for (const name of names) if (!regionOf.has(name)) regionOf.set(name, region);
    };
    for (const [text, entryPath] of entriesAt(clusters ?? [], [...path, "clusters"])) {
      const names = expandEntry(text, entryPath, log);
      const unknown = names.filter((name) => !groupOf.has(name));
      if (unknown.length > 0 || names.length === 0) hasUnknown = true;
      if (unknown.length > 0) {
        log.atValue(entryPath, { code: "NO_CLUSTER", expected: "clusters of the groups", found: listText(unknown) });
      }
      assign(
        names.filter((name) => groupOf.has(name)),
        entryPath,
      );
    }
    (groups ?? []).forEach((group, i) => {
      const entryPath = [...path, "groups", i];
      const names = clustersOfGroup.get(group);
      if (names === undefined && !Object.hasOwn(knownGroups, group)) {
        hasUnknown = true;
        const known = Object.keys(knownGroups).sort(compareNames);
        log.atValue(entryPath, {
          code: "NO_GROUP",
          expected: `one of the groups ${shortList(known)}`,
          found: JSON.stringify(group),
          hint: didYouMean(group, known),
        });
      }
      assign(names ?? [], entryPath);
    });
  }
  // A mistyped name leaves its clusters without a region: one message is enough.
  if (hasUnknown) return regionOf;
  const homeless = [...groupOf.keys()].filter((name) => !regionOf.has(name));
  const byEntry = Map.groupBy(homeless, (name) => listedAt.get(name));
  for (const [entryPath, names] of byEntry) {
    log.atValue(entryPath ?? [], {
      code: "NO_REGION",
      expected: "every cluster in a region",
      found: `${listText(names)} in none`,
      hint: "nobody would ask it",
    });
  }
  return regionOf;
}

/** Entries with their paths: of a single one the path of the key itself. */
function entriesAt(entries: NameEntries, path: Path): readonly (readonly [text: string, path: Path])[] {
  if (typeof entries === "string") return [[entries, path]];
  return entries.map((text, i) => [text, [...path, i]]);
}

function expandEntry(text: string, path: Path, log: ProblemLog): readonly string[] {
  const names = expandClusterNames(text);
  if (names.ok) return names.value;
  log.atValue(path, { found: JSON.stringify(text.slice(0, 80)), ...names.failure });
  return [];
}

function reportTwice(twice: readonly string[], path: Path, listedAt: ReadonlyMap<string, Path>, log: ProblemLog): void {
  const first = twice[0];
  if (first === undefined) return;
  log.atValue(path, {
    code: "DUP_CLUSTER",
    expected: "clusters that are listed once",
    found: `${listText(twice)} again, first on line ${log.lineOf(listedAt.get(first) ?? [])}`,
  });
}

/** `cluster-061`, or `cluster-061 and 9 more`. */
function listText(names: readonly string[]): string {
  const [first = ""] = [...names].sort((a, b) => compareNames(a, b) || compareText(a, b));
  return names.length === 1 ? first : `${first} and ${names.length - 1} more`;
}

/** The first names, and how many follow. */
export function shortList(names: readonly string[]): string {
  return names.length <= 12 ? names.join(", ") : `${names.slice(0, 12).join(", ")} and ${names.length - 12} more`;
}
