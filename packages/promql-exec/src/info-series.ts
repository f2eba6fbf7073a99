/** The second argument of `info`: which series tell about others, and which of them do so at each step. */
import {
  compileMatcher,
  formatLabels,
  labelPairs,
  labelValue,
  metricNameLabel,
  type Labels,
  type Matcher,
} from "@pleiad/model";
import { stepCountOf, type SelectNode, type StepGrid } from "@pleiad/promql-plan";
import type { QueryContext } from "./query-context.ts";
import { QueryError } from "./query-error.ts";
import { isStaleAt, readSeries } from "./series-reader.ts";
import { referenceTimes } from "./step-grid.ts";

/** Labels that say what a series is about: an info series tells about all series that have the same. */
export const identifyingLabels = ["instance", "job"] as const;

/** How info series are told from others by their names: as written, completed where that selects nothing in particular. */
export function infoNameMatchers(matchers: readonly Matcher[]): readonly Matcher[] {
  const names = matchers.filter(({ name }) => name === metricNameLabel);
  if (names.length === 0) return [{ type: "=", name: metricNameLabel, value: "target_info" }];
  const isPositive = names.some(({ type }) => type === "=" || type === "=~");
  return isPositive ? names : [{ type: "=~", name: metricNameLabel, value: ".+_info" }, ...names];
}

/** Whether all matchers hold for a value, whatever the labels that they name. */
export function testOfAll(matchers: readonly Matcher[]): (value: string) => boolean {
  const tests = matchers.map((matcher) => {
    const test = compileMatcher(matcher);
    if (!test.ok) throw new QueryError("execution", test.failure.reason);
    return test.value;
  });
  return (value) => tests.every((test) => test(value));
}

/** What series are about, as a key: equal where they agree in the identifying labels. */
export function identityOf(labels: Labels): string {
  return identifyingLabels.map((name) => labelValue(labels, name)).join("\ud800");
}

/** The info series that tell about one thing, one a metric name: numbers of combinations of them. */
export interface InfoSteps {
  readonly combinationAt: Uint32Array; // by step
  readonly occurring: readonly number[]; // each once
}

export interface InfoSeries {
  readonly labels: readonly Labels[];
  /** For what a series may be about, by `identityOf`. */
  readonly stepsOf: ReadonlyMap<string, InfoSteps>;
  /** Numbers of info series that tell about something together. The first combination is empty. */
  readonly combinations: readonly (readonly number[])[];
}

/** Reads the info series of `subjects`. Of several with one name and one identity, the newest sample tells. */
export async function readInfoSeries(
  select: SelectNode,
  subjects: readonly Labels[],
  grid: StepGrid,
  context: QueryContext,
  signal: AbortSignal,
): Promise<InfoSeries> {
  const identifying = identifyingMatchers(subjects);
  const combinations = createCombinations();
  if (identifying.length === 0) return { labels: [], stepsOf: new Map(), combinations: combinations.all };
  const dataMatchers = select.matchers.filter(({ name }) => name !== metricNameLabel);
  const matchers = [...identifying, ...dataMatchers, ...infoNameMatchers(select.matchers)];
  const reader = await readSeries({ ...select, matchers }, context, signal);
  const { labels } = reader;

  const references = referenceTimes(grid, select);
  const stepCount = stepCountOf(grid);
  const newest = new Map<string, NewestSeries>(); // by name and identity
  const namesOf = new Map<string, NewestSeries[]>(); // by identity
  for (let id = 0; id < labels.length; id++) {
    const columns = reader.samplesOf(id);
    if (reader.histograms.count > 0) {
      throw new QueryError(
        "execution",
        `this should be an info metric, with float samples: ${formatLabels(labels[id])}`,
      );
    }
    const identity = identityOf(labels[id]);
    const key = `${labelValue(labels[id], metricNameLabel)}\ud800${identity}`;
    let best = newest.get(key);
    if (best === undefined) {
      context.budget.take(2 * stepCount);
      best = { ids: new Int32Array(stepCount).fill(-1), timesMs: new Float64Array(stepCount) };
      newest.set(key, best);
      const names = namesOf.get(identity);
      if (names === undefined) namesOf.set(identity, [best]);
      else names.push(best);
    }
    let next = 0; // the first sample after the reference
    for (let step = 0; step < stepCount; step++) {
      while (next < columns.count && columns.timestampsMs[next] <= references[step]) next++;
      if (next === 0 || isStaleAt(columns, next - 1)) continue;
      const timeMs = columns.timestampsMs[next - 1];
      if (timeMs > references[step] - select.rangeMs) takeNewer(best, step, id, timeMs, labels);
    }
    if (context.pace.due()) await context.pace.rest();
  }

  const stepsOf = new Map<string, InfoSteps>();
  for (const [identity, names] of namesOf) {
    const combinationAt = Uint32Array.from({ length: stepCount }, (_, step) =>
      combinations.numberOf(names.map(({ ids }) => ids[step]).filter((id) => id >= 0)),
    );
    stepsOf.set(identity, { combinationAt, occurring: [...new Set(combinationAt)] });
    if (context.pace.due()) await context.pace.rest();
  }
  return { labels, stepsOf, combinations: combinations.all };
}

/** Of the info series with one name and one identity, the one with the newest sample at each step; -1 where none has any. */
interface NewestSeries {
  readonly ids: Int32Array;
  readonly timesMs: Float64Array;
}

function takeNewer(
  { ids, timesMs }: NewestSeries,
  step: number,
  id: number,
  timeMs: number,
  labels: readonly Labels[],
): void {
  const held = ids[step];
  if (held >= 0 && timesMs[step] === timeMs) {
    const [existing, added] = [formatLabels(labels[held]), formatLabels(labels[id])];
    throw new QueryError(
      "execution",
      `found duplicate series for info metric: existing ${existing} @ ${timeMs}, new ${added} @ ${timeMs}`,
    );
  }
  if (held >= 0 && timesMs[step] > timeMs) return;
  ids[step] = id;
  timesMs[step] = timeMs;
}

/** Conditions on the identifying labels that series about any of the subjects fulfil; none where nothing identifies them. */
function identifyingMatchers(subjects: readonly Labels[]): readonly Matcher[] {
  const matchers: Matcher[] = [];
  for (const name of identifyingLabels) {
    const values = new Set(subjects.map((labels) => labelValue(labels, name)));
    values.delete("");
    const value = [...values].map((one) => one.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&")).join("|");
    if (values.size > 0) matchers.push({ type: "=~", name, value });
  }
  return matchers;
}

function createCombinations(): {
  readonly all: readonly (readonly number[])[];
  readonly numberOf: (ids: readonly number[]) => number;
} {
  const all: (readonly number[])[] = [[]];
  const numbers = new Map([["", 0]]);
  return {
    all,
    numberOf(ids) {
      const key = ids.join();
      let number = numbers.get(key);
      if (number === undefined) {
        number = all.length;
        numbers.set(key, number);
        all.push(ids);
      }
      return number;
    },
  };
}

/**
 * The labels that info series add to one: all of theirs, or those named by `wanted`, that it lacks. Two of them that differ
 * in a label fail the query.
 */
export function enrichedLabels(
  labels: Labels,
  infos: readonly Labels[],
  wanted: ReadonlySet<string>,
): ReadonlyMap<string, string> {
  const added = new Map<string, string>();
  for (const info of infos) {
    for (const [name, value] of labelPairs(info)) {
      if (name === metricNameLabel || (wanted.size > 0 && !wanted.has(name))) continue;
      if ((added.get(name) ?? value) !== value) throw new QueryError("execution", `conflicting label: ${name}`);
      if (labelValue(labels, name) === "") added.set(name, value);
    }
  }
  return added;
}
