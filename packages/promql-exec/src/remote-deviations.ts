/** `stddev` and `stdvar` of groups of which several parts have a share: each gives count, average and variance of its own. */
import { compareLabels, type Labels } from "@pleiad/model";
import { formatPlan, stepCountOf, type AggregateNode, type RemoteNode, type StepGrid } from "@pleiad/promql-plan";
import { floatSample, noSample, type Operator } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { mergeVariances, type Moments } from "./remote-moments.ts";
import { askParts, type VectorBuilder } from "./remote-operator.ts";
import { PartsDoNotAddUp } from "./remote-sums.ts";
import { holdRows, type HeldRow } from "./remote-union.ts";
import { createRowOperator } from "./row-operator.ts";

const momentNames = ["count", "avg", "stdvar"] as const;

/** A group, and of each part that has something of it the ids of its series by moment. */
interface MomentGroup {
  readonly labels: Labels;
  readonly shares: readonly { readonly part: number; readonly seriesIds: readonly (number | undefined)[] }[];
}

/** `node` gives moments. Reading throws `PartsDoNotAddUp` where they do not tell what one evaluation would give. */
export function createRemoteDeviations(
  operator: "stddev" | "stdvar",
  node: RemoteNode,
  grid: StepGrid,
  context: QueryContext,
  buildVector: VectorBuilder,
): Operator {
  const { query } = node;
  if (query.kind !== "aggregate") throw new Error(`moments of no group: ${formatPlan(query)}`);
  const finish = operator === "stddev" ? Math.sqrt : (variance: number) => variance;
  // Remarks are those of the last.
  const queries = momentNames.map((name): AggregateNode => ({ ...query, operator: name }));
  const asked = queries.map((one) => askParts({ ...node, query: one, asked: queries }, grid, context, buildVector));
  const tell = () => {
    for (const { lack } of asked) lack.tell();
  };
  /** By moment and part. */
  const ofEach = async <T>(give: (part: Operator, moment: number, at: number) => Promise<T>) =>
    await Promise.all(
      asked.map(
        async ({ operators }, moment) =>
          await Promise.all(operators.map(async (part, at) => await give(part, moment, at))),
      ),
    );
  const shape = {
    description: `${operator} of ${formatPlan(node)}`,
    inputs: asked.flatMap(({ operators }) => operators),
    grid,
    context,
  };
  return createRowOperator(shape, async (signal) => {
    const labels = await ofEach(async (part) => await part.series(signal));
    tell();
    const groups = groupsOf(labels);
    return {
      labels: groups.map((group) => group.labels),
      each: async (visit, by) => {
        const held = await ofEach(
          async (part, moment, at) => await holdRows(part, labels[moment][at].length, grid, context, by),
        );
        tell();
        for (const { lack } of asked) lack.compare();
        const values = new Float64Array(stepCountOf(grid));
        const present = new Uint8Array(values.length);
        for (const [seriesId, { shares }] of groups.entries()) {
          const rows = shares.map(({ part, seriesIds }) =>
            seriesIds.map((id, moment) => (id === undefined ? undefined : held[moment][part][id])),
          );
          if (mergeRows(rows, finish, values, present)) visit(seriesId, values, present);
          if (context.pace.due()) await context.pace.rest();
        }
        context.budget.give(held.flat(2).reduce((cost, row) => cost + (row?.cost ?? 0), 0));
      },
    };
  });
}

/** The groups in the order of their labels. `labels`: of the series, by moment and part. */
function groupsOf(labels: readonly (readonly (readonly Labels[])[])[]): readonly MomentGroup[] {
  const groups = new Map<string, { readonly labels: Labels; readonly byPart: Map<number, (number | undefined)[]> }>();
  for (const [moment, ofParts] of labels.entries()) {
    for (const [part, ofPart] of ofParts.entries()) {
      for (const [id, own] of ofPart.entries()) {
        const key = JSON.stringify(own);
        const group = groups.get(key) ?? { labels: own, byPart: new Map<number, (number | undefined)[]>() };
        groups.set(key, group);
        const seriesIds = group.byPart.get(part) ?? momentNames.map(() => undefined);
        group.byPart.set(part, seriesIds);
        // A group is one series. Of a part that gives more, nobody knows which goes with which.
        if (seriesIds[moment] !== undefined) throw new PartsDoNotAddUp();
        seriesIds[moment] = id;
      }
    }
  }
  return [...groups.values()]
    .map(({ labels: own, byPart }) => ({
      labels: own,
      shares: [...byPart].map(([part, seriesIds]) => ({ part, seriesIds })).sort((a, b) => a.part - b.part),
    }))
    .sort((a, b) => compareLabels(a.labels, b.labels));
}

/** Writes the row of a group, of the rows that each part has by moment. Whether it has any sample. */
function mergeRows(
  rows: readonly (readonly (HeldRow | undefined)[])[],
  finish: (variance: number) => number,
  values: Float64Array,
  present: Uint8Array,
): boolean {
  let isAny = false;
  present.fill(noSample);
  for (let step = 0; step < values.length; step++) {
    const shares = rows.flatMap((moments) => momentsAt(moments, step) ?? []);
    if (shares.length === 0) continue;
    const variance = mergeVariances(shares);
    if (variance === undefined) throw new PartsDoNotAddUp();
    values[step] = finish(variance);
    present[step] = floatSample;
    isAny = true;
  }
  return isAny;
}

/** All three of them or none. Histograms are counted, and not in the variance: where one is, they do not go together. */
function momentsAt(rows: readonly (HeldRow | undefined)[], step: number): Moments | undefined {
  const kinds = rows.map((row) => row?.present[step] ?? noSample);
  if (kinds.every((kind) => kind === noSample)) return undefined;
  if (!kinds.every((kind) => kind === floatSample)) throw new PartsDoNotAddUp();
  const [count, mean, variance] = rows.map((row) => row?.values[step] ?? NaN);
  return { count, mean, variance };
}
