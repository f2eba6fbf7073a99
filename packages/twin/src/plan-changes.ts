/** What a start on a folder with the data of another plan does with that data, in words for people. Pure. */
import type { Plan, PlannedCluster } from "@pleiad/fleet";
import { formatDuration } from "@pleiad/model";

/** One sentence a change; none where data and plan fit. */
export function planChanges(before: Plan, now: Plan): readonly string[] {
  const known = new Map(before.clusters.map((cluster) => [cluster.name, cluster]));
  const planned = new Set(now.clusters.map(({ name }) => name));
  const fresh = now.clusters.filter(({ name }) => !known.has(name));
  const gone = before.clusters.filter(({ name }) => !planned.has(name));
  const changed = (differs: (was: PlannedCluster, is: PlannedCluster) => boolean) =>
    now.clusters.filter((is) => {
      const was = known.get(is.name);
      return was !== undefined && differs(was, is);
    });
  const relabelled = changed((was, is) => textOf(was.externalLabels) !== textOf(is.externalLabels));
  const resized = changed((was, is) => was.twinSeries !== is.twinSeries || was.number !== is.number);
  const sentences: string[] = [];
  if (fresh.length > 0) sentences.push(`New: ${listOf(fresh)}; they begin with their past, as at a first start.`);
  if (gone.length > 0) sentences.push(`No longer planned: ${listOf(gone)}; their data stays, and is not served.`);
  if (relabelled.length > 0) {
    sentences.push(
      `Other external labels: ${listOf(relabelled)}; blocks that are in the bucket keep the labels they have.`,
    );
  }
  if (resized.length > 0) {
    sentences.push(
      `Other made-up series: ${listOf(resized)}; what is stored stays, new samples are of the new series.`,
    );
  }
  sentences.push(...historyChange(before, now), ...bucketChange(before, now));
  return sentences;
}

function historyChange(before: Plan, now: Plan): readonly string[] {
  const wasMs = before.twin.history?.spanMs ?? 0;
  const isMs = now.twin.history?.spanMs ?? 0;
  if (wasMs === isMs) return [];
  const was = `History: ${formatDuration(isMs)}, it was ${formatDuration(wasMs)}`;
  return isMs > wasMs ? [`${was}; what is missing is made up.`] : [`${was}; what is in the bucket stays.`];
}

function bucketChange({ objectStorage: was }: Plan, { objectStorage: is }: Plan): readonly string[] {
  if (was === undefined || was.bucket === is?.bucket) return [];
  const next = is === undefined ? "there is none now" : `it is ${is.bucket} now, and history is not made up twice`;
  return [`The bucket was ${was.bucket}; ${next}.`];
}

function textOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort());
}

const namesMax = 3;

function listOf(clusters: readonly PlannedCluster[]): string {
  const names = clusters.slice(0, namesMax).map(({ name }) => name);
  const more = clusters.length - names.length;
  return more > 0 ? `${names.join(", ")} and ${more} more` : names.join(", ");
}
