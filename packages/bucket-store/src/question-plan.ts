/** Which blocks of a shard a question reads, and of which time. Pure. */
import {
  compileMatcher,
  fail,
  formatMatcher,
  labelValue,
  ok,
  type Labels,
  type LabelsRequest,
  type Matcher,
  type Result,
  type SelectRequest,
  type SourceFailure,
  type ValueTest,
} from "@pleiad/model";
import { blocksOfTime, planReads, uncut, type BlockSet, type PlannedRead } from "./block-plan.ts";
import type { TimeWindow } from "./shard-view.ts";

/** What a question is planned over. */
export interface PlannedOver {
  readonly name: string; // of the store, for failures
  readonly sets: readonly BlockSet[];
  /** The time that the shard serves. */
  readonly served: TimeWindow;
}

/** What is read of each stream; nothing of those whose external labels do not match. */
export type PlannedStreams = readonly (readonly PlannedRead[])[];

/** The failure is the question's: a matcher that is none. */
export function planSeries(
  request: SelectRequest,
  { name, sets, served }: PlannedOver,
): Result<PlannedStreams, SourceFailure> {
  const matching = matchingSets(request.matchers, name, sets);
  if (!matching.ok) return matching;
  const range = { ...clampedRange(request, served), maxResolutionMs: request.maxResolutionMs };
  return ok(matching.value.map((set) => planReads(set, range)));
}

export function planLabels(
  request: LabelsRequest,
  { name, sets, served }: PlannedOver,
): Result<PlannedStreams, SourceFailure> {
  const matching = matchingSets(request.matchers, name, sets);
  if (!matching.ok) return matching;
  const { minTimeMs, maxTimeMs } = clampedRange(request, served);
  return ok(
    matching.value.map((set) =>
      blocksOfTime(set, minTimeMs, maxTimeMs).map((meta) => ({ meta, minTimeMs, maxTimeMs, ...uncut })),
    ),
  );
}

function matchingSets(
  matchers: readonly Matcher[],
  source: string,
  sets: readonly BlockSet[],
): Result<readonly BlockSet[], SourceFailure> {
  const tests: { readonly label: string; readonly test: ValueTest }[] = [];
  for (const matcher of matchers) {
    const compiled = compileMatcher(matcher);
    if (!compiled.ok) {
      const reason = `${formatMatcher(matcher)}: ${compiled.failure.reason}`;
      return fail({ kind: "invalid", source, reason });
    }
    tests.push({ label: matcher.name, test: compiled.value });
  }
  return ok(sets.filter(({ labels }) => tests.every(({ label, test }) => mayMatch(labels, label, test))));
}

/** Whether series under these external labels may match: a label that they lack is the series' own affair. */
function mayMatch(labels: Labels, name: string, test: ValueTest): boolean {
  const value = labelValue(labels, name);
  return value === "" || test(value);
}

function clampedRange(request: TimeWindow, served: TimeWindow): TimeWindow {
  return {
    minTimeMs: Math.max(request.minTimeMs, served.minTimeMs),
    maxTimeMs: Math.min(request.maxTimeMs, served.maxTimeMs),
  };
}
