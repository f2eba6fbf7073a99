/**
 * An aggregation right over a leaf. While the source is read, other threads decode what has come and add it up by group:
 * neither the samples, nor rows of series, nor even the labels of all series are ever held.
 *
 * Sums are compensated in each task, in the order of the series, and the tasks' sums, compensations included, are added up
 * in the same way in the order of the tasks. Which series are in which task depends on the series alone, so the result is
 * the same bits however many threads there are. It is what one sum over all series gives where these fit one task, and
 * else may differ from it in the last bit.
 */
import { labelValue, metricNameLabel, xorEncoding, type Labels, type SourceSeries } from "@pleiad/model";
import { stepCountOf, type OnePassOperator, type SelectNode, type StepGrid } from "@pleiad/promql-plan";
import type { SourceRange } from "@pleiad/promql-syntax";
import type { Grouping } from "./grouping.ts";
import { createGroupIds } from "./group-ids.ts";
import { createGroupTotals, type GroupTotals, type TotalKind } from "./group-totals.ts";
import { createLateOperator } from "./late-operator.ts";
import { createLeafFeed, LeafUnfit } from "./leaf-feed.ts";
import { shapeOfLeaf, type Leaf } from "./leaf.ts";
import { addTaskCounts, fitsTask, slabLayout, type LeafShape, type LeafTask } from "./leaf-task.ts";
import { noSample, reserveSamples, type Operator, type RowStream, type StepBatch } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { createQueryableSamples } from "./queryable-samples.ts";
import { informOfOddName } from "./range-call.ts";
import { metricSchemaLabels } from "./renamed-series.ts";
import type { SelectHandOver } from "./select-hand-over.ts";
import { endSelect, openSelect } from "./series-reader.ts";

/** One of those that are computed in one pass. `general` is the same over any series. */
export interface LeafAggregation {
  readonly operator: TotalKind;
  readonly general: Operator;
}

/** The kinds of these, and which totals tell all of them; undefined where none do. An average's tell of sums that are too large. */
export function totalsFor(
  operators: readonly OnePassOperator[],
): { readonly kind: TotalKind; readonly kinds: readonly TotalKind[] } | undefined {
  const kinds = operators.filter((one) => one !== "stddev" && one !== "stdvar");
  if (kinds.length < operators.length) return undefined;
  if (kinds.length === 1) return { kind: kinds[0], kinds };
  if (kinds.includes("min") || kinds.includes("max")) return undefined;
  return { kind: kinds.includes("avg") ? "avg" : kinds.includes("sum") ? "sum" : "count", kinds };
}

/**
 * Aggregations by the same groups, an operator for each, in their order; the totals of `kind` tell all of them. Those over any series
 * take over where the leaf's are not all of plain floats. They must read the source of `handOver`, as the context given here
 * does.
 */
export function createLeafAggregations(
  leaf: Leaf,
  kind: TotalKind,
  members: readonly LeafAggregation[],
  grouping: Grouping,
  grid: StepGrid,
  context: QueryContext,
  handOver: SelectHandOver["handOver"],
): readonly Operator[] {
  const shape = shapeOfLeaf(leaf, kind === "group" ? "count" : kind, grid, context);
  let labels: readonly Labels[] | undefined;
  let isGeneral = false;
  let totals: GroupTotals | undefined;
  let readers = members.length;
  const endReading = () => {
    if (--readers === 0) totals?.release();
  };

  let opening: Promise<void> | undefined;
  const open = async (signal: AbortSignal) => {
    const tallyBefore = { ...context.tally };
    totals = createGroupTotals(kind, shape.stepCount, context.budget, context.leafPool().pages);
    try {
      labels = await foldSeries(leaf, grouping, shape, totals, context, handOver, signal);
    } catch (error) {
      if (!(error instanceof LeafUnfit)) throw error;
      totals.release();
      isGeneral = true;
      Object.assign(context.tally, tallyBefore);
    }
  };

  return members.map(({ operator, general }) => {
    let step = 0;
    const rows: RowStream = {
      async each(visit) {
        if (totals === undefined) throw new Error("rows before series");
        const values = new Float64Array(shape.stepCount);
        const present = new Uint8Array(shape.stepCount);
        for (let group = 0; group < totals.groupCount; group++) {
          if (totals.readRow(group, 0, operator, values, present)) visit(group, values, present);
          if (context.pace.due()) await context.pace.rest();
        }
        endReading();
      },
    };
    return createLateOperator({
      description: general.description,
      inputs: general.inputs,
      rows: () => (isGeneral ? general.rows : rows),
      hasDistinctLabels: () => (isGeneral ? general.hasDistinctLabels : true),
      dropsName: () => {
        if (isGeneral) return general.dropsName;
        const isMarked = leaf.dropsName && context.delayedNameRemoval;
        return isMarked ? new Uint8Array(labels?.length ?? 0).fill(1) : undefined;
      },
      async series(signal) {
        await (opening ??= open(signal));
        return isGeneral ? await general.series(signal) : (labels ?? []);
      },
      async next(out, signal) {
        if (isGeneral) return await general.next(out, signal);
        if (totals === undefined) throw new Error("next before series");
        const steps = writeSteps(out, totals, operator, step, grid);
        if (steps > 0 && step + steps === shape.stepCount) endReading();
        step += steps;
        return steps;
      },
    });
  });
}

/** Reads the source to its end and adds all of it to `totals`; gives the labels of the groups. */
async function foldSeries(
  leaf: Leaf,
  grouping: Grouping,
  shape: LeafShape,
  totals: GroupTotals,
  context: QueryContext,
  handOver: SelectHandOver["handOver"],
  signal: AbortSignal,
): Promise<readonly Labels[]> {
  const { select, kernel } = leaf;
  const { pace, tally } = context;
  const pool = context.leafPool();
  const dropsNow = leaf.dropsName && !context.delayedNameRemoval;
  const groups = createGroupIds(grouping, { dropsName: dropsNow });
  const locals = createLocalGroups();
  const isOfCounters = kernel.kind === "range" && (kernel.function === "rate" || kernel.function === "increase");
  const names = isOfCounters ? createOddNames(leaf.range, context) : undefined;

  // Counted apart: where tasks do not fit in the end, who takes over counts all.
  const counted = context.queryable && createQueryableSamples(shape.stepCount);

  const consume = (task: LeafTask, sampleCount: number) => {
    tally.samplesRead += sampleCount;
    if (counted !== undefined) addTaskCounts(pool.views, task.slab, shape.stepCount, counted);
    totals.addTask(pool.views, task.slab, locals.globalsOf(task.slab));
    names?.informOf(pool.views.words, task.slab);
  };
  const cursor = openSelect(select, context, signal);
  // What was read before the first task was full: what series are made of mostly shows at once.
  let batches: (readonly SourceSeries[])[] | undefined = [];
  let isHandedOver = false;
  let feed;
  try {
    feed = await createLeafFeed(pool, shape, select.maxTimeMs, context, signal, consume);
    locals.begin(feed.task.slab);
    const chunks: Uint8Array[] = [];
    for (let batch = await cursor.next(); batch !== undefined; batch = await cursor.next()) {
      batches?.push(batch);
      for (const series of batch) {
        if (series.chunks.length === 0) continue;
        if (dropsNow && hasMetadataLabels(series.labels)) throw new LeafUnfit();
        tally.seriesSelected++;
        const count = collectXorChunks(series, select, chunks);
        const group = groups.groupOf(series.labels);
        if (!feed.task.add(chunks, count, locals.localOf(group))) {
          if (!fitsTask(chunks, count, shape)) throw new LeafUnfit();
          await feed.turn();
          batches = undefined;
          locals.begin(feed.task.slab);
          if (!feed.task.add(chunks, count, locals.localOf(group))) throw new Error("a series fits no empty task");
        }
        names?.see(series.labels, feed.task);
      }
      totals.reserve(groups.labels.length);
      pace.check();
      if (pace.due()) await pace.rest();
    }
    endSelect(cursor, context);
    await feed.finish();
    totals.reserve(groups.labels.length);
    counted?.perStep.forEach((samples, step) => context.queryable?.add(step, samples));
    return groups.labels;
  } catch (error) {
    if (error instanceof LeafUnfit && batches !== undefined) {
      isHandedOver = true;
      handOver(batches, cursor);
    }
    throw error;
  } finally {
    if (!isHandedOver) cursor.close();
    feed?.close();
  }
}

/**
 * Puts the chunks of a series that the selector may need into `chunks`, whose length only grows, and gives how many they are.
 * Throws where there are others than of floats.
 */
function collectXorChunks(series: SourceSeries, select: SelectNode, chunks: Uint8Array[]): number {
  let count = 0;
  for (let i = 0; i < series.chunks.length; i++) {
    const { minTimeMs, maxTimeMs, content } = series.chunks[i];
    if (maxTimeMs < select.minTimeMs || minTimeMs > select.maxTimeMs) continue;
    if (content.kind !== "raw" || content.encoding !== xorEncoding) throw new LeafUnfit();
    chunks[count++] = content.data;
  }
  return count;
}

/** Labels that are dropped with the name, and by which series of one name may differ. */
function hasMetadataLabels(labels: Labels): boolean {
  for (let i = 0; i < labels.length && labels[i] <= "__unit__"; i += 2) {
    if (labels[i] !== metricNameLabel && metricSchemaLabels.has(labels[i])) return true;
  }
  return false;
}

/** Numbers of the groups of one task at a time, which begin at 0 in each. */
function createLocalGroups() {
  const globalsBySlab = new Map<number, number[]>();
  let globals: number[] = [];
  let taskNumber = 0;
  let localOf = new Uint32Array(64); // by group
  let seenIn = new Uint32Array(64); // by group: the last task that had it
  return {
    begin(slab: number) {
      taskNumber++;
      globals = [];
      globalsBySlab.set(slab, globals);
    },
    localOf(group: number): number {
      if (group >= seenIn.length) {
        const larger = Math.max(2 * seenIn.length, group + 1);
        localOf = grown(localOf, larger);
        seenIn = grown(seenIn, larger);
      }
      if (seenIn[group] !== taskNumber) {
        seenIn[group] = taskNumber;
        localOf[group] = globals.length;
        globals.push(group);
      }
      return localOf[group];
    },
    globalsOf: (slab: number): readonly number[] => globalsBySlab.get(slab) ?? [],
  };
}

function grown(old: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(length);
  larger.set(old);
  return larger;
}

/** Names that are not those of counters, told of once a series of them has a result. */
function createOddNames(range: SourceRange, context: QueryContext) {
  const seen = new Map<string, boolean>(); // true once told
  const bySlab = new Map<number, { readonly series: number; readonly labels: Labels }[]>();
  let lastName = "";
  return {
    see(labels: Labels, task: LeafTask) {
      const name = labelValue(labels, metricNameLabel);
      if (name === lastName && seen.get(name) !== false) return;
      lastName = name;
      if (seen.get(name) === true) return;
      const isOdd = name !== "" && !/_(?:total|sum|count|bucket)$/.test(name);
      seen.set(name, !isOdd);
      if (!isOdd) return;
      const odd = bySlab.get(task.slab) ?? [];
      odd.push({ series: task.seriesCount - 1, labels });
      bySlab.set(task.slab, odd);
    },
    informOf(words: Uint32Array, slab: number) {
      for (const { series, labels } of bySlab.get(slab) ?? []) {
        const name = labelValue(labels, metricNameLabel);
        if (seen.get(name) === true || words[(slab + slabLayout.found) / 4 + series] === 0) continue;
        informOfOddName(labels, range, context);
        seen.set(name, true);
      }
      bySlab.delete(slab);
    },
  };
}

/** Writes the next steps of the groups: group by group, whose steps lie together, with a place to write for each step. */
function writeSteps(out: StepBatch, totals: GroupTotals, as: TotalKind, firstStep: number, grid: StepGrid): number {
  const steps = Math.min(out.stepCountMax, stepCountOf(grid) - firstStep);
  if (steps <= 0) return 0;
  const places = new Uint32Array(steps);
  totals.countResults(firstStep, places);
  let count = 0;
  for (let i = 0; i < steps; i++) {
    const before = count;
    count += places[i];
    out.sampleEnds[i] = count;
    places[i] = before;
  }
  reserveSamples(out, count);
  const { seriesIds, values } = out;
  const row = new Float64Array(steps);
  const present = new Uint8Array(steps);
  for (let group = 0; group < totals.groupCount; group++) {
    totals.readRow(group, firstStep, as, row, present);
    for (let i = 0; i < steps; i++) {
      if (present[i] === noSample) continue;
      const place = places[i]++;
      seriesIds[place] = group;
      values[place] = row[i];
    }
  }
  for (let i = 0; i < steps; i++) out.timestampsMs[i] = grid.startMs + (firstStep + i) * grid.stepMs;
  out.histograms.length = 0;
  return steps;
}
