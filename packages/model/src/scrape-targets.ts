/** Targets as a Prometheus or an agent tells of them, and how those of many become one list: the order is Thanos's. */
import { compareInstants, type Instant } from "./instant.ts";
import { compareLabels, withoutLabels, type Labels } from "./labels.ts";
import { compareText } from "./text-order.ts";

/** From the worst: of replicas that differ, the worse is told. */
export const targetHealths = ["down", "up", "unknown"] as const; // by number in Thanos's enumeration
export type TargetHealth = (typeof targetHealths)[number];

export interface ActiveTarget {
  readonly discoveredLabels: Labels;
  readonly labels: Labels;
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly globalUrl: string;
  readonly lastError: string; // "" = none
  readonly lastScrape: Instant;
  readonly lastScrapeSeconds: number; // how long it took
  readonly health: TargetHealth;
}

export interface DroppedTarget {
  readonly discoveredLabels: Labels;
}

/** Targets that are equal once the labels are taken away are one: the worse one, and of those the last scraped. */
export function uniteActiveTargets(
  targets: readonly ActiveTarget[],
  removed: readonly string[],
): readonly ActiveTarget[] {
  const names = new Set(removed);
  const stripped = targets.map((target) => ({
    ...target,
    discoveredLabels: withoutLabels(target.discoveredLabels, names),
    labels: withoutLabels(target.labels, names),
  }));
  return firstOfEach(stripped, compareActive, compareState);
}

export function uniteDroppedTargets(
  targets: readonly DroppedTarget[],
  removed: readonly string[],
): readonly DroppedTarget[] {
  const names = new Set(removed);
  const stripped = targets.map((target) => ({ discoveredLabels: withoutLabels(target.discoveredLabels, names) }));
  return firstOfEach(stripped, compareDropped, () => 0);
}

function firstOfEach<T>(
  items: T[],
  compare: (a: T, b: T) => number,
  compareEqual: (a: T, b: T) => number,
): readonly T[] {
  items.sort((a, b) => compare(a, b) || compareEqual(a, b));
  return items.filter((item, i) => {
    const before = items[i - 1];
    return before === undefined || compare(before, item) !== 0;
  });
}

function compareActive(a: ActiveTarget, b: ActiveTarget): number {
  return (
    compareText(a.scrapeUrl, b.scrapeUrl) ||
    compareText(a.scrapePool, b.scrapePool) ||
    compareDropped(a, b) ||
    compareLabels(a.labels, b.labels)
  );
}

function compareDropped(a: DroppedTarget, b: DroppedTarget): number {
  return compareLabels(a.discoveredLabels, b.discoveredLabels);
}

function compareState(a: ActiveTarget, b: ActiveTarget): number {
  const health = targetHealths.indexOf(a.health) - targetHealths.indexOf(b.health);
  return health || compareInstants(b.lastScrape, a.lastScrape);
}
