/**
 * Tiers between regions and global queriers: none while a querier can ask all regions, one where it cannot, and another
 * where that is not enough. Regions come in the order of their names and are cut where a super-region is full.
 */
import type { Fleet } from "./fleet.ts";

export interface SuperRegion {
  readonly name: string;
  readonly level: number; // 1 = its members are regions
  readonly members: readonly string[];
}

/** The super-regions of every level, lowest first. */
export function superRegionsOf({ regions, policies }: Pick<Fleet, "regions" | "policies">): readonly SuperRegion[] {
  const found: SuperRegion[] = [];
  let members = regions.map(({ name }) => name);
  for (let level = 1; members.length > policies.regionsPerQuerierMax; level++) {
    const above = chunksOf(members, policies.regionsPerQuerierMax).map((some, i) => ({
      name: level === 1 ? `super-${i + 1}` : `super-${level}-${i + 1}`,
      level,
      members: some,
    }));
    found.push(...above);
    members = above.map(({ name }) => name);
  }
  return found;
}

/** Why there is more than three tiers, in a sentence. */
export function tiersReason({ regions, policies }: Fleet, superRegions: readonly SuperRegion[]): string {
  const levels = Math.max(0, ...superRegions.map(({ level }) => level));
  const held = policies.clustersPerRegionMax * policies.regionsPerQuerierMax;
  const tiers = levels === 1 ? "a fourth tier" : `${levels} more tiers`;
  return (
    `${regions.length} regions are more than the ${policies.regionsPerQuerierMax} that one querier asks: ` +
    `${tiers} between regions and global queriers. Three tiers hold ${held} clusters.`
  );
}

/** Who global queriers ask: the super-regions of the highest level, else the regions. */
export function topMembers(
  { regions }: Pick<Fleet, "regions">,
  superRegions: readonly SuperRegion[],
): readonly string[] {
  const highest = Math.max(0, ...superRegions.map(({ level }) => level));
  if (highest === 0) return regions.map(({ name }) => name);
  return superRegions.filter(({ level }) => level === highest).map(({ name }) => name);
}

function chunksOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
