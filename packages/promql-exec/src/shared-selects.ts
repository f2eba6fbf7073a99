/** Selects that a plan has more than once: the source is asked once, and each reader gets all of it. */
import type { SelectHints, SelectRequest, SeriesCursor, SeriesSource, SourceSeries } from "@pleiad/model";
import { mapInputs, type PlanNode, type SelectNode } from "@pleiad/promql-plan";
import { FollowingCursor } from "./following-cursor.ts";
import type { SampleBudget } from "./limits.ts";
import { bytesFor } from "./series-reader.ts";

/**
 * The source for one evaluation of a plan. What one reader has seen and others have not is held out of the budget; mostly
 * one reads to the end before the next begins. Of raw samples, readers that hint at different uses share a select without
 * hints; of downsampled ones, hints decide what comes.
 */
export function shareSelects(
  source: SeriesSource,
  plan: PlanNode,
  { maxResolutionMs }: Pick<SelectRequest, "maxResolutionMs">,
  budget: SampleBudget,
): SeriesSource {
  const keyOf = ({ minTimeMs, maxTimeMs, matchers, hints }: SelectKey) =>
    JSON.stringify([minTimeMs, maxTimeMs, matchers, maxResolutionMs === 0 ? {} : hints]);
  const selects = selectsOf(plan);
  if (selects.length < 2) return source;
  const planned = new Map<string, PlannedSelect>();
  for (const select of selects) {
    const key = keyOf(select);
    const same = planned.get(key);
    const differs = same !== undefined && JSON.stringify(same.hints) !== JSON.stringify(select.hints);
    planned.set(key, { readersLeft: (same?.readersLeft ?? 0) + 1, hints: differs ? {} : select.hints });
  }
  if (![...planned.values()].some(({ readersLeft }) => readersLeft > 1)) return source;
  const shared = new Map<string, SharedSelect>();
  return {
    select(request, signal) {
      const key = keyOf(request);
      const { readersLeft, hints } = planned.get(key) ?? { readersLeft: 0, hints: request.hints };
      planned.set(key, { readersLeft: readersLeft - 1, hints });
      let select = shared.get(key);
      if (select === undefined) {
        const cursor = source.select({ ...request, hints }, signal);
        if (readersLeft <= 1) return cursor;
        select = createSharedSelect(cursor, budget);
        shared.set(key, select);
      }
      if (readersLeft === 1) shared.delete(key);
      return select.read(readersLeft > 1);
    },
    labelNames: (request, signal) => source.labelNames(request, signal),
    labelValues: (label, request, signal) => source.labelValues(label, request, signal),
  };
}

function selectsOf(plan: PlanNode): readonly SelectNode[] {
  const selects: SelectNode[] = [];
  const joined = new Set<number>();
  const look = (node: PlanNode): PlanNode => {
    if (node.kind === "select") selects.push(node);
    if (node.kind === "window") selects.push(node.select);
    if (node.kind === "aggregate" && node.joint !== undefined) {
      // The input of all of them is read once.
      if (joined.has(node.joint.set)) return node;
      joined.add(node.joint.set);
    }
    return mapInputs(node, look);
  };
  look(plan);
  return selects;
}

/** What tells the selects of one query apart: the rest is the same for all. */
type SelectKey = Pick<SelectRequest, "minTimeMs" | "maxTimeMs" | "matchers" | "hints">;

interface PlannedSelect {
  readonly readersLeft: number;
  readonly hints: SelectHints;
}

interface SharedSelect {
  /** A cursor over all of it. `expectsMore`: others will be opened after this one. */
  read(expectsMore: boolean): SeriesCursor;
}

type Batch = readonly SourceSeries[];

function createSharedSelect(cursor: SeriesCursor, budget: SampleBudget): SharedSelect {
  const batches: Batch[] = [];
  let held = 0; // bytes
  let reading: Promise<Batch | undefined> | undefined;
  let openReaders = 0;
  let expectsMore = true;

  const keep = (batch: Batch) => {
    batches.push(batch);
    let bytes = 0;
    for (const { chunks } of batch) {
      bytes += bytesFor(0);
      for (const { content } of chunks) {
        if (content.kind === "raw") bytes += content.data.length;
        else for (const { data } of content.of.values()) bytes += data.length;
      }
    }
    held += bytes;
    budget.takeBytes(bytes);
  };
  // All readers that wait for the same batch wait for one call.
  const readBatch = async () => {
    reading ??= cursor.next();
    const current = reading;
    const batch = await current;
    if (reading === current) {
      reading = undefined;
      if (batch !== undefined) keep(batch);
    }
    return batch;
  };

  return {
    read(more) {
      expectsMore = more;
      openReaders++;
      let next = 0;
      let isOpen = true;
      const close = () => {
        if (!isOpen) return;
        isOpen = false;
        openReaders--;
        if (openReaders > 0 || expectsMore) return;
        cursor.close();
        batches.length = 0;
        budget.giveBytes(held);
        held = 0;
      };
      return new FollowingCursor(cursor, {
        async next() {
          if (!isOpen) return undefined;
          while (next >= batches.length) if ((await readBatch()) === undefined) return undefined;
          return batches[next++];
        },
        close,
      });
    },
  };
}
