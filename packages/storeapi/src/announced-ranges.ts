/** What an endpoint announces of a cluster, in time: until when, and whether blocks cover a question. Pure. */
import { labelsKey, labelValue, type Labels } from "@pleiad/model";
import type { TsdbInfoMessage } from "@pleiad/wire";
import { growthMs } from "./question.ts";
import type { StoreIdentity } from "./store-identity.ts";

/**
 * Until when each of the label sets is announced, replica labels or not: -Infinity where it is not. Who takes samples in announces
 * all time to come; where a querier announces less, only blocks are left. A store gateway never has but blocks: who expects a
 * cluster of it expects no more.
 */
export function announcedUntil(expected: readonly Labels[], identity: StoreIdentity): readonly number[] {
  const ranges = announcedRanges(identity);
  const isOpen = identity.componentType === "store";
  return expected.map((labels) => {
    let untilMs = -Infinity;
    for (const one of ranges) {
      if (one.maxTimeMs <= untilMs || !includesLabels(one.labels, labels)) continue;
      untilMs = isOpen ? Infinity : one.maxTimeMs + growthMs;
    }
    return untilMs;
  });
}

/**
 * Whether blocks with these labels leave no gap in [minTimeMs, maxTimeMs]. A database that does not end in the past is none of blocks:
 * another replica's may lack what was missed.
 */
export function blocksCover(
  identities: readonly StoreIdentity[],
  labels: Labels,
  { minTimeMs, maxTimeMs }: { readonly minTimeMs: number; readonly maxTimeMs: number },
  nowMs: number,
): boolean {
  let coveredMs = minTimeMs;
  const blocks = identities
    .flatMap(({ tsdbInfos }) => tsdbInfos)
    .filter((one) => one.maxTimeMs <= nowMs && one.maxTimeMs > minTimeMs && one.minTimeMs <= maxTimeMs)
    .filter((one) => includesLabels(one.labels, labels))
    .sort((a, b) => a.minTimeMs - b.minTimeMs);
  for (const one of blocks) {
    if (one.minTimeMs > coveredMs) return false;
    coveredMs = Math.max(coveredMs, one.maxTimeMs);
  }
  return coveredMs > maxTimeMs; // a block ends before its maxTime
}

/** Each label set with its times: a set of no database has those of the whole. */
function announcedRanges({ labelSets, tsdbInfos, minTimeMs, maxTimeMs }: StoreIdentity): readonly TsdbInfoMessage[] {
  const ofDatabases = new Set(tsdbInfos.map(({ labels }) => labelsKey(labels)));
  const others = labelSets.filter((labels) => !ofDatabases.has(labelsKey(labels)));
  return [...tsdbInfos, ...others.map((labels) => ({ labels, minTimeMs, maxTimeMs }))];
}

function includesLabels(labels: Labels, part: Labels): boolean {
  for (let i = 0; i < part.length; i += 2) {
    if (labelValue(labels, part[i] as string) !== part[i + 1]) return false;
  }
  return true;
}
